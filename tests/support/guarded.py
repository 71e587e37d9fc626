"""An agent that lets in only who shows what its card asks for, and the servers that give tokens for it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.agent import JsonObject
from tests.support.federation import free_port
from tests.support.serving import Tls, serve


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: str


class GuardedAgent:
    """Completes every message of those whom `admits`; others get 401. All its requests are kept.

    Its token endpoint gives `t-1`, `t-2` and so on, which are good for `expires_in` seconds, to the client `us`; it is
    an OpenID Connect server, too.
    """

    def __init__(self, scheme: JsonObject, admits: Callable[[Request], bool], *, port: int | None = None) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.interface = self.url
        self.scheme = scheme
        self.scopes: list[str] = []
        self.admits = admits
        self.calls: list[Call] = []
        self.logins: list[Call] = []
        self.expires_in: object = 3600
        self.issuer = self.url
        self.token_url = f"{self.url}/token"
        self.redirects_to: str | None = None

    @property
    def card(self) -> JsonObject:
        """The card, with the one scheme `door`, which is required."""
        return {
            "name": "Guarded",
            "description": "Lets in only some.",
            "version": "1",
            "supportedInterfaces": [
                {"url": f"{self.interface}/", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
            ],
            "capabilities": {},
            "defaultInputModes": ["text/plain"],
            "defaultOutputModes": ["text/plain"],
            "skills": [{"id": "guarded", "name": "Guarded", "description": "Guarded.", "tags": ["guarded"]}],
            "securitySchemes": {"door": self.scheme},
            "securityRequirements": [{"schemes": {"door": {"list": list(self.scopes)}}}],
        }

    @property
    def tokens_asked(self) -> int:
        """How often a token was given."""
        return sum(call.target.startswith("/token") for call in self.logins)

    @asynccontextmanager
    async def serving(self, tls: Tls | None = None) -> AsyncGenerator["GuardedAgent"]:
        """Serve at `url`."""
        routes = [Route("/{path:path}", self._answer, methods=["GET", "POST"])]
        if tls is not None:
            self.url = self.interface = self.url.replace("http:", "https:")
        async with serve(Starlette(routes=routes), port=self.port, tls=tls):
            yield self

    async def _answer(self, request: Request) -> Response:
        body = (await request.body()).decode()
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        call = Call(request.method, target, dict(request.headers), body)
        match request.url.path:
            case "/.well-known/agent-card.json":
                self.calls.append(call)
                return JSONResponse(self.card)
            case "/.well-known/openid-configuration":
                self.logins.append(call)
                return JSONResponse({"issuer": self.issuer, "token_endpoint": self.token_url})
            case "/token":
                self.logins.append(call)
                return self._login(request, body)
            case _:
                self.calls.append(call)
                return self._call(request, cast("JsonObject", await request.json()))

    def _login(self, request: Request, body: str) -> Response:
        form = {name: values[0] for name, values in parse_qs(body).items()}
        is_us = request.headers.get("authorization") == "Basic dXM6c2VjcmV0LXB3" or (
            form.get("client_id"),
            form.get("client_secret"),
        ) == ("us", "secret-pw")
        if not is_us or form.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "invalid_client", "error_description": body}, 401)
        token = f"t-{self.tokens_asked}"
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": self.expires_in})

    def _call(self, request: Request, call: JsonObject) -> Response:
        if self.redirects_to is not None:
            return Response(status_code=307, headers={"location": self.redirects_to})
        if not self.admits(request):
            return Response("Who are you?", 401)
        head: JsonObject = {"jsonrpc": "2.0", "id": call["id"]}
        if call["method"] != "SendMessage":
            return JSONResponse({**head, "error": {"code": -32001, "message": "Task not found"}})
        task: JsonObject = {"id": "t", "contextId": "c", "status": {"state": "TASK_STATE_COMPLETED"}}
        return JSONResponse({**head, "result": {"task": task}})
