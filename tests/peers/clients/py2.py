"""A stock client on the Python SDK 2.x (`mcp`), which speaks both eras. See steps.py.

--era legacy forces `initialize`, modern pins 2026-07-28, auto negotiates.
"""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import mcp_types as types
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from steps import Table, answer, command_line, plain, run

ARGUMENTS = command_line()
MODES = {"legacy": "legacy", "modern": "2026-07-28", "auto": "auto"}


def table(client: Client) -> Table:
    async def call_tool(step: dict[str, Any]) -> Any:
        progress: list[dict[str, Any]] = []

        async def on_progress(done: float, total: float | None, message: str | None) -> None:
            progress.append({"progress": done, "total": total, "message": message})

        callback = on_progress if step.get("progress") else None
        result = plain(await client.call_tool(step["name"], step.get("arguments", {}), progress_callback=callback))
        return {**result, "progress": progress} if step.get("progress") else result

    def reference(step: dict[str, Any]) -> types.PromptReference | types.ResourceTemplateReference:
        kind = types.PromptReference if step["ref"]["type"] == "ref/prompt" else types.ResourceTemplateReference
        return kind.model_validate(step["ref"])

    async def listen(step: dict[str, Any]) -> Any:
        wanted = step["filter"]
        async with client.listen(
            tools_list_changed=wanted.get("toolsListChanged", False),
            prompts_list_changed=wanted.get("promptsListChanged", False),
            resources_list_changed=wanted.get("resourcesListChanged", False),
            resource_subscriptions=wanted.get("resourceSubscriptions", ()),
        ) as subscription:
            return {"honored": plain(subscription.honored)}

    # A list that was changed by policy meanwhile must not come out of the client's own cache.
    fresh = {"cache_mode": "bypass"}
    return {
        "listTools": lambda step: client.list_tools(cursor=step.get("cursor"), **fresh),
        "callTool": call_tool,
        "listResources": lambda step: client.list_resources(cursor=step.get("cursor"), **fresh),
        "listResourceTemplates": lambda step: client.list_resource_templates(cursor=step.get("cursor"), **fresh),
        "readResource": lambda step: client.read_resource(step["uri"], **fresh),
        "subscribe": lambda step: client.subscribe_resource(step["uri"]),
        "unsubscribe": lambda step: client.unsubscribe_resource(step["uri"]),
        "listPrompts": lambda step: client.list_prompts(cursor=step.get("cursor"), **fresh),
        "getPrompt": lambda step: client.get_prompt(step["name"], step.get("arguments", {})),
        "complete": lambda step: client.complete(reference(step), step["argument"]),
        "setLevel": lambda step: client.set_logging_level(step["level"]),
        "ping": lambda _step: client.send_ping(),
        "listen": listen,
    }


async def session(steps: AsyncIterator[dict[str, Any]], current: dict[str, Any]) -> None:
    current.update(await anext(steps))  # connect
    async with httpx2.AsyncClient(headers=ARGUMENTS.headers, timeout=httpx2.Timeout(30, read=300)) as http:
        transport = streamable_http_client(ARGUMENTS.url, http_client=http)
        async with Client(transport, mode=MODES[ARGUMENTS.era], client_info=types.Implementation(name="gatehold-py2", version="1.0.0")) as client:

            async def connected(_step: dict[str, Any]) -> Any:
                version = client.protocol_version
                return {
                    "era": "modern" if version >= "2026" else "legacy",
                    "version": version,
                    "server": plain(client.server_info),
                    "capabilities": plain(client.server_capabilities),
                    "instructions": client.instructions,
                }

            operations = table(client)
            await answer({"connect": connected}, current)
            async for step in steps:
                current.update(step)
                if step["op"] == "close":
                    break
                await answer(operations, step)
    print('{"op": "close", "ok": true, "result": null}', flush=True)


run(session)
