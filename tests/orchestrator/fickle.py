"""An agent whose card, keys and manners a test changes while it is registered."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal, TypeAlias

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.agent import JsonObject
from tests.support.federation import free_port
from tests.support.serving import serve

Manner: TypeAlias = Literal[
    "sound",
    "odd",
    "html",
    "failing",
    "unknown methods",
    "locked",
    "no push",
    "list as code",
    "list as id",
    "busy for ever",
]


class Fickle:
    """Serves `card` at `card_path`, or says that it moved; answers every JSON-RPC call by its manner, when it may."""

    def __init__(self, name: str = "Fickle", card_path: str = "/.well-known/agent-card.json") -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self.card = card_of(self.url, name)
        self.card_path = card_path
        self.manner: Manner = "sound"
        self.keys: list[JsonObject] = []
        self.methods: list[str] = []
        self.moved_to: str | None = None
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator["Fickle"]:
        """Serve at `url`."""
        app = Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST"])])
        async with serve(app, port=int(self.url.rpartition(":")[2])):
            yield self

    async def _answer(self, request: Request) -> Response:
        match request.method, request.url.path:
            case "GET", _ if self.moved_to is not None:
                return Response("", 302, {"Location": self.moved_to})
            case "GET", self.card_path:
                return JSONResponse(self.card)
            case "GET", "/keys.json":
                return JSONResponse({"keys": self.keys})
            case "GET", _:
                return Response("nothing", 404)
            case _:
                self.asked.set()
                await self.may_answer.wait()
                return self._call(await request.json())

    def _call(self, call: JsonObject) -> Response:
        self.methods.append(str(call["method"]))
        head: JsonObject = {"jsonrpc": "2.0", "id": call["id"]}
        match self.manner:
            case "html":
                return Response("<html>", media_type="text/html")
            case "failing":
                return Response("broken", 500)
            case "locked":
                return Response("who are you?", 401)
            case "odd":
                task: JsonObject = {"id": "t-1", "contextId": "c-1", "status": {"state": "TASK_STATE_WORKING"}}
                return JSONResponse({**head, "result": task})
            case "busy for ever":
                return Response("", 503, {"Retry-After": f"Mon, 01 Jan 2024 00:00:00 +{10**14}"})
            case "unknown methods":
                error: JsonObject = {"code": -32601, "message": "Method not found"}
            case "list as code":
                error = {"code": []}
            case "list as id":
                head["id"], error = [], {"code": -32001}
            case "no push" if call["method"] == "ListTaskPushNotificationConfigs":
                error = {"code": -32003, "message": "Push notifications: no"}
            case "sound" | "no push":
                error = {"code": -32001, "message": "Task not found"}
        return JSONResponse({**head, "error": error})


def card_of(url: str, name: str, *, skills: tuple[str, ...] = ("echo",), version: str = "1.0") -> JsonObject:
    """Return a card that nothing can be said against, but that there are no examples."""
    return {
        "name": name,
        "description": f"The agent {name}.",
        "version": "1",
        "provider": {"organization": "Tests", "url": "https://tests.example"},
        "supportedInterfaces": [{"url": f"{url}/", "protocolBinding": "JSONRPC", "protocolVersion": version}],
        "capabilities": {"streaming": True},
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": [skill(skill_id) for skill_id in skills],
    }


def skill(skill_id: str, description: str = "It does it.") -> JsonObject:
    """Return a skill of a card."""
    return {"id": skill_id, "name": skill_id, "description": description, "tags": [skill_id], "examples": [skill_id]}
