// Runs a program for WASI under Node: `node wasi.mjs PROGRAM.wasm [ARGUMENT...]`. V8 is the engine of Envoy too.
// The program may read and write below CRITERION_HOME, and nowhere else.
import { mkdirSync, readFileSync } from "node:fs";
import { env, exit } from "node:process";

process.removeAllListeners("warning");
process.on("warning", () => {});
const { WASI } = await import("node:wasi");

const [program, ...rest] = process.argv.slice(2);
const home = env.CRITERION_HOME;
if (!program || !home) {
  console.error("give a program, and CRITERION_HOME as the folder for its results");
  exit(2);
}
mkdirSync(home, { recursive: true });
const wasi = new WASI({
  version: "preview1",
  args: [program, ...rest],
  env: { CRITERION_HOME: home },
  preopens: { [home]: home },
});
const { instance } = await WebAssembly.instantiate(readFileSync(program), wasi.getImportObject());
// The optimizing compiler works beside the program; the warm-up gives it the time.
exit(wasi.start(instance));
