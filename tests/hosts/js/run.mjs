// Runs Python programs on CPython for WebAssembly: node run.mjs < request > answer
// The request is {"mounts": {PLACE: DIRECTORY}, "program": PYTHON}; the answer is what PYTHON's
// last expression gives, as text.  Each program starts in a Python of its own.
import { readFileSync } from "node:fs";
import { loadPyodide } from "pyodide";

const request = JSON.parse(readFileSync(0, "utf-8"));
const python = await loadPyodide({ stdout: () => {}, stderr: () => {} });
for (const [place, directory] of Object.entries(request.mounts)) {
  python.mountNodeFS(place, directory);
}
try {
  process.stdout.write(python.runPython(request.program));
} catch (error) {
  console.error(error.message); // without the source of the interpreter, in one line
  process.exitCode = 1;
}
