"""Calls a service with fasta2a's own client. It has no cancel, and no way to answer a question."""

import asyncio
import uuid
from typing import Any

from fasta2a.client import A2AClient
from fasta2a.schema import Message
from telling import arguments, play


def _message(text: str) -> Message:
    return {"role": "user", "parts": [{"text": text}], "message_id": str(uuid.uuid4())}


def _text(artifact: Any) -> str:
    return "".join(part.get("text", "") for part in artifact["parts"])


async def main() -> None:
    """Run the script."""
    url, _, script = arguments()
    client = A2AClient(url)

    async def answer(text: str) -> dict[str, Any]:
        response = await client.send_message(_message(text))
        if "error" in response:
            return {"error": str(response["error"])}
        task = response["result"]["task"]
        return {"state": task["status"]["state"], "text": "\n".join(map(_text, task.get("artifacts", [])))}

    async def stream(text: str) -> dict[str, Any]:
        events = [response["result"] async for response in client.stream_message(_message(text))]
        told: dict[str, str] = {}
        for event in events:
            if update := event.get("artifact_update"):
                artifact = update["artifact"]
                before = told.get(artifact["artifact_id"], "") if update.get("append") else ""
                told[artifact["artifact_id"]] = before + _text(artifact)
        state = events[-1]["status_update"]["status"]["state"]
        return {"state": state, "text": "\n".join(told.values()), "events": len(events)}

    await play(script, {"answer": answer, "stream": stream})


asyncio.run(main())
