"""A stock client on the Python SDK 1.x (`mcp`), which speaks the earlier protocols only. See steps.py."""

import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
from mcp import ClientSession, types
from mcp.client.streamable_http import streamable_http_client
from pydantic import AnyUrl

from steps import Table, answer, command_line, plain, run

ARGUMENTS = command_line()


def table(client: ClientSession) -> Table:
    async def call_tool(step: dict[str, Any]) -> Any:
        progress: list[dict[str, Any]] = []

        async def on_progress(done: float, total: float | None, message: str | None) -> None:
            progress.append({"progress": done, "total": total, "message": message})

        callback = on_progress if step.get("progress") else None
        result = plain(await client.call_tool(step["name"], step.get("arguments", {}), progress_callback=callback))
        return {**result, "progress": progress} if step.get("progress") else result

    def page(step: dict[str, Any]) -> types.PaginatedRequestParams | None:
        return types.PaginatedRequestParams(cursor=step["cursor"]) if "cursor" in step else None

    def reference(step: dict[str, Any]) -> types.PromptReference | types.ResourceTemplateReference:
        kind = types.PromptReference if step["ref"]["type"] == "ref/prompt" else types.ResourceTemplateReference
        return kind.model_validate(step["ref"])

    return {
        "listTools": lambda step: client.list_tools(params=page(step)),
        "callTool": call_tool,
        "listResources": lambda step: client.list_resources(params=page(step)),
        "listResourceTemplates": lambda step: client.list_resource_templates(params=page(step)),
        "readResource": lambda step: client.read_resource(AnyUrl(step["uri"])),
        "subscribe": lambda step: client.subscribe_resource(AnyUrl(step["uri"])),
        "unsubscribe": lambda step: client.unsubscribe_resource(AnyUrl(step["uri"])),
        "listPrompts": lambda step: client.list_prompts(params=page(step)),
        "getPrompt": lambda step: client.get_prompt(step["name"], step.get("arguments", {})),
        "complete": lambda step: client.complete(reference(step), step["argument"]),
        "setLevel": lambda step: client.set_logging_level(step["level"]),
        "ping": lambda _step: client.send_ping(),
    }


async def session(steps: AsyncIterator[dict[str, Any]], current: dict[str, Any]) -> None:
    current.update(await anext(steps))  # connect
    async with (
        httpx.AsyncClient(headers=ARGUMENTS.headers, timeout=httpx.Timeout(30, read=300)) as http,
        streamable_http_client(ARGUMENTS.url, http_client=http) as (read, write, _session_id),
        ClientSession(read, write, client_info=types.Implementation(name="gatehold-py1", version="1.0.0")) as client,
    ):

        async def connect(_step: dict[str, Any]) -> Any:
            result = plain(await client.initialize())
            return {
                "era": "legacy",
                "version": result["protocolVersion"],
                "server": result["serverInfo"],
                "capabilities": result["capabilities"],
                "instructions": result.get("instructions"),
            }

        operations = table(client)
        await answer({"connect": connect}, current)
        async for step in steps:
            current.update(step)
            if step["op"] == "close":
                break
            await answer(operations, step)
    print('{"op": "close", "ok": true, "result": null}', flush=True)


if ARGUMENTS.era == "modern":
    sys.exit("client: the Python SDK 1.x has no modern era")
run(session)
