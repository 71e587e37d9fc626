"""The raw A2A call: what any orchestrator has to make, by plain httpx with nothing around it."""

from uuid import uuid4

import httpx
import orjson


async def call_agent(client: httpx.AsyncClient, url: str, text: str) -> str:
    """Send a message by SendStreamingMessage, as our client does, read the stream to its end, and return the text."""
    message = {"messageId": str(uuid4()), "role": "ROLE_USER", "parts": [{"text": text}]}
    call = {"jsonrpc": "2.0", "id": "1", "method": "SendStreamingMessage", "params": {"message": message}}
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream", "A2A-Version": "1.0"}
    answered = ""
    async with client.stream("POST", url, content=orjson.dumps(call), headers=headers) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            if line.startswith("data:"):
                result = orjson.loads(line[5:])["result"]
                artifacts = result.get("task", {}).get("artifacts", ())
                update = result.get("artifactUpdate")
                for artifact in artifacts if update is None else [update["artifact"]]:
                    answered += "".join(part.get("text", "") for part in artifact["parts"])
    return answered
