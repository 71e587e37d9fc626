"""An OpenAI-compatible model that needs no model: it plans one step for the agent that the request names.

MODEL_PORT=9200 python -m benchmarks.harness.scripted_model

`request_for(3, "hello")` is what to ask it; it routes that to the skill "echo-3". A call that wants no plan (a summary)
is answered by a sentence. `GET /benchmark` tells how many calls there were and shows the newest one that wanted a plan.
"""

import os
import re
from typing import Final

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from benchmarks.harness.echo import SKILL
from shared.agent import JsonObject

NAME: Final = "scripted"

_REQUEST: Final = re.compile(r"let number (\d+) say: ([^\n\"]*)")
_SUMMARY: Final = "It says what was asked [step 1]."


def request_for(number: int, text: str) -> str:
    """Return a request in plain words which this model routes to the agent of that number."""
    return f"Please let number {number} say: {text}"


class ScriptedModel:
    """What the model has been asked so far."""

    def __init__(self) -> None:
        self._calls = 0
        self._newest = ""

    async def complete(self, request: Request) -> Response:
        """Answer a chat completion."""
        body = await request.body()
        asked = orjson.loads(body)
        self._calls += 1
        wants_plan = "response_format" in asked
        if wants_plan:
            self._newest = body.decode()
        text = orjson.dumps(_plan(asked["messages"][-1]["content"])).decode() if wants_plan else _SUMMARY
        return _in_pieces(text) if asked.get("stream") else JSONResponse(_completion({"message": _said(text)}))

    async def show(self, _request: Request) -> Response:
        """Tell what it has been asked."""
        return JSONResponse({"calls": self._calls, "newest": self._newest})


def create() -> Starlette:
    """Return the model's app."""
    model = ScriptedModel()

    async def show_health(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return Starlette(
        routes=[
            Route("/v1/chat/completions", model.complete, methods=["POST"]),
            Route("/benchmark", model.show),
            Route("/health", show_health),
        ]
    )


def _plan(prompt: str) -> JsonObject:
    *_, found = _REQUEST.finditer(prompt)
    return {"steps": [{"id": "answer", "skill": f"{SKILL}-{found[1]}", "instruction": found[2]}]}


def _said(text: str) -> JsonObject:
    return {"role": "assistant", "content": text}


def _completion(choice: JsonObject, kind: str = "chat.completion") -> JsonObject:
    return {
        "id": "chatcmpl-scripted",
        "object": kind,
        "created": 1,
        "model": NAME,
        "choices": [{"index": 0, "finish_reason": "stop", **choice}],
        "usage": {"prompt_tokens": 500, "completion_tokens": 50, "total_tokens": 550},
    }


def _in_pieces(text: str) -> Response:
    chunk = orjson.dumps(_completion({"delta": _said(text)}, "chat.completion.chunk"))
    return Response(b"data: " + chunk + b"\n\ndata: [DONE]\n\n", media_type="text/event-stream")


def main() -> None:
    """Serve until told to stop."""
    port = int(os.environ["MODEL_PORT"])
    uvicorn.run(
        create(), host="127.0.0.1", port=port, loop="uvloop", http="httptools", log_config=None, access_log=False
    )


if __name__ == "__main__":
    main()
