// Runs a program for WASI under Node: `node --no-warnings wasi.mjs PROGRAM.wasm [ARGUMENT...]`. Its V8 is the
// engine of Envoy's filters too. The program can read and write below CRITERION_HOME and read DATA, if that is set,
// and nowhere else.
import { mkdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { WASI } from "node:wasi";

const [program, ...rest] = process.argv.slice(2);
const home = process.env.CRITERION_HOME;
if (!program || !home) {
  console.error("give a program, and in CRITERION_HOME the folder for its results");
  process.exit(2);
}
mkdirSync(home, { recursive: true });
const wasi = new WASI({
  version: "preview1",
  args: [program, ...rest],
  env: { CRITERION_HOME: home },
  preopens: { [home]: home, ...(process.env.DATA ? { [process.env.DATA]: process.env.DATA } : {}) },
});
const { instance } = await WebAssembly.instantiate(readFileSync(program), wasi.getImportObject());
process.exit(wasi.start(instance));
