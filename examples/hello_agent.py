"""A whole agent. Start it, then tell the federation where it is:

.venv/bin/uvicorn examples.hello_agent:app --port 9900
.venv/bin/federation agents add http://127.0.0.1:9900
"""

from typing import Any

from fastapi import FastAPI, Request

app = FastAPI()
SKILL = {"id": "greet", "name": "Greet", "description": "Greets people.", "tags": ["greet"], "examples": ["Greet Ada"]}
MODES = {"defaultInputModes": ["text/plain"], "defaultOutputModes": ["text/plain"], "capabilities": {}}
CARD = {"name": "Hello agent", "description": "Greets people.", "version": "1", "skills": [SKILL], **MODES}


@app.get("/.well-known/agent-card.json")
def show_card(request: Request) -> dict[str, Any]:
    way = {"url": str(request.base_url), "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
    return {**CARD, "supportedInterfaces": [way]}


@app.post("/")
def answer(call: dict[str, Any]) -> dict[str, Any]:
    if call["method"] != "SendMessage":
        return {"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32001, "message": "No task is kept here"}}
    said = call["params"]["message"]["parts"][0]["text"]
    reply = {"messageId": "reply", "role": "ROLE_AGENT", "parts": [{"text": f"Hello! You said: {said}"}]}
    return {"jsonrpc": "2.0", "id": call["id"], "result": {"message": reply}}
