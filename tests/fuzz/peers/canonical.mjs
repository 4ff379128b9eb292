// How Node reads bodies: one per line, in hex; answers what it read, in the notation of tests/real.rs.
import { createInterface } from "node:readline";

const hex = (text) => Buffer.from(text, "utf8").toString("hex");
const bits = Buffer.alloc(8);

function value(it) {
  if (it === null) return "n";
  if (it === true) return "t";
  if (it === false) return "f";
  if (typeof it === "string") return `s${hex(it)}`;
  if (typeof it === "number") {
    if (it === 0) return "z";
    bits.writeDoubleBE(it);
    return `d${bits.toString("hex")}`;
  }
  if (Array.isArray(it)) return `[${it.map(value).join(",")}]`;
  const members = Object.keys(it).map((key) => `${hex(key)}:${value(it[key])}`);
  return `{${members.sort().join(",")}}`;
}

const part = (message, key) => (Object.hasOwn(message, key) ? value(message[key]) : "-");
const message = (it) =>
  ["jsonrpc", "id", "method", "params"].map((key) => part(it, key)).join(" ") +
  ["result", "error"].map((key) => (Object.hasOwn(it, key) ? " y" : " -")).join("");

const answers = [];
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "") {
    process.stdout.write(answers.splice(0).join(""));
    continue;
  }
  let answer;
  try {
    const read = JSON.parse(Buffer.from(line, "hex").toString("utf8"));
    answer = (Array.isArray(read) ? read : [read]).map(message).join(";");
  } catch (error) {
    answer = `refused ${error.message.replaceAll(/\s/g, " ")}`;
  }
  answers.push(`${answer}\n`);
}
