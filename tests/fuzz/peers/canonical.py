# How CPython reads bodies: one per line, in hex; answers what it read, in the notation of tests/real.rs.
import json
import struct
import sys


def hexed(text):
    return text.encode("utf-8", "surrogatepass").hex()


def value(it):
    if it is None:
        return "n"
    if it is True:
        return "t"
    if it is False:
        return "f"
    if isinstance(it, str):
        return "s" + hexed(it)
    if isinstance(it, (int, float)):
        if it == 0:
            return "z"
        return f"i{it}" if isinstance(it, int) else "d" + struct.pack(">d", it).hex()
    if isinstance(it, list):
        return "[" + ",".join(map(value, it)) + "]"
    return "{" + ",".join(sorted(f"{hexed(key)}:{value(member)}" for key, member in it.items())) + "}"


def message(it):
    parts = [value(it[key]) if key in it else "-" for key in ("jsonrpc", "id", "method", "params")]
    return " ".join(parts + ["y" if key in it else "-" for key in ("result", "error")])


answers = []
for line in sys.stdin:
    line = line.strip()
    if not line:
        sys.stdout.write("".join(answers))
        sys.stdout.flush()
        answers.clear()
        continue
    try:
        read = json.loads(bytes.fromhex(line))
        answer = ";".join(map(message, read if isinstance(read, list) else [read]))
    except Exception as error:
        answer = "refused " + " ".join(str(error).split())
    answers.append(answer + "\n")
