"""The containers of envoy/compose/compose.yaml, under names and ports of their own, and what is done inside them."""

import json
import os
import queue
import shutil
import subprocess
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "envoy/compose/compose.yaml"
# Long enough for a slow machine; nothing here takes it.
DEADLINE = 60


def compose() -> list[str]:
    """The engine's plug-in, or the program of its own that came before it."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) and subprocess.run([*command, "version"], capture_output=True).returncode == 0:
            return command
    raise RuntimeError("docker compose is not installed; install the plug-in `docker-compose-plugin`, or `docker-compose`")


def until(what: str, look):
    """Asks until `look` gives something that is true, and says how long that took."""
    begin, said = time.monotonic(), None
    while time.monotonic() - begin < DEADLINE:
        answer = look()
        if answer:
            return answer, time.monotonic() - begin
        time.sleep(0.02)  # between two questions
        said = answer
    raise AssertionError(f"{what}: not so after {DEADLINE} s; last seen: {said!r}")


class Stage:
    def __init__(self, documents: Path, bootstrap: str):
        self.project = f"gatehold-test-{os.getpid()}"
        ports = {f"GATEHOLD_{name}_PORT": "" for name in ("MCP", "CONSOLE", "PROVIDER")}
        self.environment = {**os.environ, **ports, "GATEHOLD_DOCUMENTS": str(documents), "GATEHOLD_BOOTSTRAP": bootstrap}
        self.base = [*compose(), "-p", self.project, "-f", str(FILE)]

    def run(self, *arguments: str) -> str:
        done = subprocess.run([*self.base, *arguments], env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"`{' '.join(arguments)}` failed: {done.stderr.strip()}")
        return done.stdout

    def up(self):
        self.run("up", "-d")

    def down(self):
        self.run("down", "--volumes")

    def inside(self, service: str, *command: str, variables: dict[str, str] | None = None) -> subprocess.CompletedProcess:
        """Runs a program of the service's own container."""
        more = [part for name, value in (variables or {}).items() for part in ("-e", f"{name}={value}")]
        return subprocess.run([*self.base, "exec", "-T", *more, service, *command], env=self.environment, capture_output=True, text=True)

    def logs(self, service: str) -> str:
        return self.run("logs", "--no-color", service)

    def port(self, inside: int) -> int:
        return int(self.run("port", "provider", str(inside)).strip().rsplit(":", 1)[1])

    def token(self, user: str, resource: str, client: str = "crm-agent") -> str:
        arguments = {"issuer": "http://127.0.0.1:10083", "user": user, "password": user, "resource": resource, "client": client}
        options = [part for name, value in arguments.items() for part in (f"--{name}", value)]
        signed, _ = until("the provider", lambda: self.inside("crm", "/usr/bin/node", "login.mjs", *options).stdout.strip())
        return signed

    def control(self, *command: str, token: str = "") -> subprocess.CompletedProcess:
        return self.inside("control", "/usr/bin/gatehold", *command, variables={"GATEHOLD_TOKEN": token})

    def events(self) -> list[dict]:
        return [json.loads(line) for line in self.control("audit", "export", "--data", "/data/gatehold.db").stdout.splitlines()]

    def reached(self, tool: str) -> int:
        """How many calls of the tool have arrived at the server `crm`."""
        script = "console.log(await (await fetch('http://127.0.0.1:10081/journal')).text())"
        return sum(entry.get("tool") == tool for entry in json.loads(self.inside("crm", "/usr/bin/node", "--input-type=module", "-e", script).stdout))


class Client:
    """A stock client in the container of `crm`; one step after the other."""

    def __init__(self, stage: Stage, sdk: str, era: str, path: str, token: str):
        url = f"http://127.0.0.1:10000{path}"
        command = [*stage.base, "exec", "-T", "crm", "/usr/bin/node", f"clients/{sdk}.mjs", "--url", url, "--token", token, "--era", era]
        self.process = subprocess.Popen(command, env=stage.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        connected = self.step(op="connect")
        if not connected["ok"]:
            self.close()
            raise AssertionError(f"{path}: {connected['error']}")

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def begin(self, **step):
        self.process.stdin.write(json.dumps(step) + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict:
        line = self.lines.get(timeout=DEADLINE)
        if not line:
            raise AssertionError(f"the client ended: {self.process.stderr.read()}")
        return json.loads(line)

    def step(self, **step) -> dict:
        self.begin(**step)
        return self.answer()

    def call(self, tool: str, **arguments) -> dict:
        return self.step(op="callTool", name=tool, arguments=arguments)

    def tools(self) -> list[str]:
        return [tool["name"] for tool in self.step(op="listTools")["result"]["tools"]]

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=DEADLINE)
        self.process.stdout.close()
        self.process.stderr.close()


def words(answer: dict) -> str:
    if not answer["ok"]:
        return answer["error"]["message"]
    return answer["result"]["content"][0]["text"]


def succeeded(answer: dict) -> bool:
    return answer["ok"] and not answer["result"].get("isError")
