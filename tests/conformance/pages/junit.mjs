// Says what a pipeline would read in JUnit files: node junit.mjs FILE...
import { readFileSync } from "node:fs";
import { parse } from "junit2json";

const made = [];
for (const file of process.argv.slice(2)) {
  made.push(await parse(readFileSync(file, "utf8")));
}
console.log(JSON.stringify(made));
