"""What the Python clients have in common: JSON Lines in, JSON Lines out.

Every line on stdin is one step, {"op": "callTool", …}; every step is answered by one line on stdout,
{"op": …, "ok": true, "result": …} or {"op": …, "ok": false, "error": {"class", "code", "message", "data"}}.
A step that fails does not end the session, unless the SDK itself falls over; then the answer has "fatal": true.
"""

import argparse
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import anyio.to_thread

Table = dict[str, Callable[[dict[str, Any]], Awaitable[Any]]]


def command_line() -> argparse.Namespace:
    """The command line of every client: --url URL [--token WORD] [--era legacy|modern|auto]."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--token")
    parser.add_argument("--era", choices=["legacy", "modern", "auto"], default="auto")
    arguments = parser.parse_args()
    arguments.headers = {"Authorization": f"Bearer {arguments.token}"} if arguments.token else {}
    return arguments


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return error


def _described(error: BaseException) -> dict[str, Any]:
    cause = _first(error)
    inner = getattr(cause, "error", cause)
    return {
        "class": type(cause).__name__,
        "code": getattr(inner, "code", None),
        "message": str(getattr(inner, "message", None) or cause),
        "data": getattr(inner, "data", None),
    }


def _print(answer: dict[str, Any]) -> None:
    print(json.dumps(answer, ensure_ascii=False), flush=True)


def plain(value: Any) -> Any:
    """A result of the SDK as it stands on the wire."""
    return value.model_dump(mode="json", by_alias=True, exclude_none=True) if hasattr(value, "model_dump") else value


async def steps() -> AsyncIterator[dict[str, Any]]:
    """The steps of stdin, until it ends."""
    while line := await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
        if line.strip():
            yield json.loads(line)


async def answer(table: Table, step: dict[str, Any]) -> None:
    """Runs one step and prints its answer."""
    try:
        if step["op"] not in table:
            raise LookupError(f"unknown op `{step['op']}`")
        _print({"op": step["op"], "ok": True, "result": plain(await table[step["op"]](step))})
    except Exception as error:  # every failure is an answer
        _print({"op": step["op"], "ok": False, "error": _described(error)})


def run(session: Callable[[AsyncIterator[dict[str, Any]], dict[str, Any]], Awaitable[None]]) -> None:
    """Runs `session(steps, current)`; `current["op"]` is what is under way, for when the SDK is torn down."""
    current: dict[str, Any] = {"op": "connect"}

    async def main() -> None:
        try:
            await session(steps(), current)
        except BaseException as error:
            _print({"op": current["op"], "ok": False, "fatal": True, "error": _described(error)})

    anyio.run(main)
    # A reader thread may still wait for stdin, and Python would wait for it.
    sys.stdout.flush()
    import os

    os._exit(0)
