"""A message that nobody can read ends at most its own task: the service answers others, also after a restart."""

from pathlib import Path

import pytest

from tests.shared.scripted_agent import ScriptedAgent, build_settings, serving

_HELLO = {"messageId": "x", "role": "ROLE_USER", "parts": [{"text": "hello"}]}


@pytest.mark.parametrize(
    ("where", "body"),
    [
        ("/message:send", '{"message":{"messageId":"n","role":"ROLE_USER","parts":[{"text":"hi"},{"data":NaN}]}}'),
        ("/message:send", '{"message":{"messageId":"n","role":"ROLE_USER","parts":[{"text":"hi"},{"data":1e999}]}}'),
        (
            "/message:send",
            '{"message":{"messageId":"n","role":"ROLE_USER","metadata":{"a":Infinity},"parts":[{"text":"hi"}]}}',
        ),
        (
            "/",
            (
                '{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"n","role":"ROLE_USER",'
                '"parts":[{"text":"hi"},{"raw":"aGk=","filename":"//[x"}]}}}'
            ),
        ),
    ],
)
async def test_a_message_that_cannot_be_read_stops_nobody_else(tmp_path: Path, where: str, body: str) -> None:
    settings = build_settings(tmp_path)
    version = {"A2A-Version": "1.0", "Content-Type": "application/json"}
    call = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage"}
    for life in ("first", "second"):
        async with serving(ScriptedAgent(), settings, resumable=True) as caller:
            await caller.http.post(where, content=body, headers=version)
            message = {**_HELLO, "messageId": life}
            answer = await caller.http.post("/", json={**call, "params": {"message": message}}, headers=version)
            assert answer.status_code == 200
            assert "result" in answer.json()
