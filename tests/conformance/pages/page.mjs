// Judges one HTML file in a headless browser, or takes a picture of it.
//   node page.mjs check FILE           prints what axe and the browser have against it, as JSON
//   node page.mjs picture FILE OUT.png [dark]
// The browser is asked over a pipe, so no port is opened, and nothing may be loaded but the file.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const [what, file, out, theme] = process.argv.slice(2);
const url = pathToFileURL(file).href;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WIDTHS = { wide: 1280, narrow: 390 };
const A4 = 688; // pixels: 210 mm less two margins of 14 mm, at 96 to the inch

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  pipe: true,
});

async function open(width, scheme, { judged }) {
  const page = await browser.newPage();
  const asked = [];
  page.on("request", (request) => request.url() === url || asked.push(request.url()));
  page.on("dialog", (dialog) => { asked.push(`dialog ${dialog.message()}`); dialog.dismiss(); });
  await page.setBypassCSP(judged); // axe is a script, and the page lets none run
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.goto(url, { waitUntil: "load" });
  return { page, asked };
}

const overflow = (page) =>
  page.evaluate(() => document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth);

async function check() {
  const found = { violations: [], asked: [], overflow: {}, passes: 0 };
  for (const scheme of ["light", "dark"]) {
    for (const [name, width] of Object.entries(WIDTHS)) {
      const { page, asked } = await open(width, scheme, { judged: true });
      await page.evaluate(axe);
      const result = await page.evaluate(() => globalThis.axe.run(document));
      found.passes += result.passes.length;
      for (const one of [...result.violations, ...result.incomplete]) {
        const where = one.nodes.slice(0, 3).map((node) => node.html.slice(0, 200));
        found.violations.push({ scheme, name, rule: one.id, impact: one.impact, where });
      }
      found.asked.push(...asked);
      found.overflow[`${scheme} ${name}`] = await overflow(page);
      await page.close();
    }
  }
  const { page, asked } = await open(A4, "light", { judged: false });
  await page.emulateMediaType("print");
  found.overflow.A4 = await overflow(page);
  const pdf = Buffer.from(await page.pdf({ preferCSSPageSize: true })).toString("latin1");
  found.pages = (pdf.match(/\/Type\s*\/Page\b/g) ?? []).length;
  found.box = /\/MediaBox\s*\[([^\]]*)\]/.exec(pdf)?.[1].trim().split(/\s+/).map(Number);
  found.scripts = await page.evaluate(() => document.scripts.length);
  found.elements = await page.evaluate(() => [...new Set([...document.querySelectorAll("*")].map((e) => e.localName))].sort());
  found.attributes = await page.evaluate(() => [...new Set([...document.querySelectorAll("*")].flatMap((e) => e.getAttributeNames()))].sort());
  found.text = await page.evaluate(() => document.body.innerText.length);
  found.asked.push(...asked);
  console.log(JSON.stringify(found));
}

async function picture() {
  const { page } = await open(WIDTHS.wide, theme === "dark" ? "dark" : "light", { judged: false });
  await page.setViewport({ width: WIDTHS.wide, height: 1100 });
  await page.screenshot({ path: out });
}

try {
  await (what === "picture" ? picture() : check());
} finally {
  await browser.close();
}
