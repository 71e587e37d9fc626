"""A whole agent. Start it, then tell the federation where it is:

.venv/bin/uvicorn examples.hello_agent:app --port 9900
.venv/bin/federation agents add http://127.0.0.1:9900
"""

from typing import Any

from fastapi import FastAPI, Request

app = FastAPI()
SKILL = {"id": "greet", "name": "Greet", "description": "Greets people.", "tags": ["greet"], "examples": ["Greet Ada"]}
CARD = {"name": "Hello agent", "description": "Greets people.", "version": "1", "capabilities": {}, "skills": [SKILL]}


@app.get("/.well-known/agent-card.json")
def show_card(request: Request) -> dict[str, Any]:
    way = {"url": str(request.base_url), "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
    return {**CARD, "supportedInterfaces": [way], "defaultInputModes": ["text"], "defaultOutputModes": ["text"]}


@app.post("/")
def answer(call: dict[str, Any]) -> dict[str, Any]:
    said = call["params"]["message"]["parts"][0]["text"]
    reply = {"messageId": "reply", "role": "ROLE_AGENT", "parts": [{"text": f"Hello! You said: {said}"}]}
    return {"jsonrpc": "2.0", "id": call["id"], "result": {"message": reply}}
