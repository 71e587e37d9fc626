"""An agent made with fasta2a. "quiet" makes it store its answer and publish nothing, as most of its workers do."""

import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from fasta2a import FastA2A, Skill, Worker
from fasta2a.broker import InMemoryBroker
from fasta2a.schema import Artifact, Message, TaskIdParams, TaskSendParams
from fasta2a.storage import InMemoryStorage
from serving import DESCRIPTION, SKILL, serve


class ScriptedWorker(Worker[Any]):
    """Runs tasks side by side: the worker's own loop takes no cancel while a task runs in it."""

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[None]:
        """Take tasks until the end."""
        self._scopes: dict[str, anyio.CancelScope] = {}
        async with anyio.create_task_group() as self._group, super().run():
            yield
            self._group.cancel_scope.cancel()

    async def run_task(self, params: TaskSendParams) -> None:
        """Begin a task."""
        self._group.start_soon(self._work, params)

    async def cancel_task(self, params: TaskIdParams) -> None:
        """Stop a task; the base class then tells its stream. Whatever is raised here ends the whole server."""
        if scope := self._scopes.get(params["id"]):
            scope.cancel()
            await self.storage.update_task(params["id"], "canceled")

    def build_message_history(self, history: list[Message]) -> list[Any]:
        """Return what the agent is told of earlier messages."""
        return history

    def build_artifacts(self, result: Any) -> list[Artifact]:
        """Return the one artifact that says `result`."""
        return [{"artifact_id": str(uuid.uuid4()), "name": "answer", "parts": [{"text": result}]}]

    async def _work(self, params: TaskSendParams) -> None:
        task_id, context_id = params["id"], params["context_id"]
        text = params["message"]["parts"][0].get("text", "")
        with anyio.CancelScope() as scope:
            self._scopes[task_id] = scope
            await self.storage.update_task(task_id, "working")
            await self.publish_status(task_id, context_id, "working")
            if "wait" in text:
                await anyio.sleep_forever()
            if "fail" in text:
                await self.storage.update_task(task_id, "failed", new_messages=[_said("It broke.")])
            elif "ask" in text:
                await self.storage.update_task(task_id, "input-required", new_messages=[_said("Which colour?")])
            else:
                await self._answer(task_id, context_id, text)
            await self._publish_final_state(task_id)

    async def _answer(self, task_id: str, context_id: str, text: str) -> None:
        artifacts = self.build_artifacts(f"<{text}>")
        if "quiet" not in text:
            words = f"<{text}>".split(" ")
            for index, word in enumerate(words):
                last = index == len(words) - 1
                piece: Artifact = {**artifacts[0], "parts": [{"text": word if last else f"{word} "}]}
                await self.publish_artifact(task_id, context_id, piece, append=index > 0, last_chunk=last)
        await self.storage.update_task(task_id, "completed", new_artifacts=artifacts)


def _said(text: str) -> Message:
    return {"role": "agent", "parts": [{"text": text}], "message_id": str(uuid.uuid4())}


def build(url: str, _port: int) -> FastA2A:
    """Return the agent as an app."""
    storage, broker = InMemoryStorage[Any](), InMemoryBroker()
    worker = ScriptedWorker(broker=broker, storage=storage)

    @asynccontextmanager
    async def lifespan(app: FastA2A) -> AsyncGenerator[None]:
        async with app.task_manager, worker.run():
            yield

    skill: Skill = {
        "id": SKILL,
        "name": SKILL,
        "description": DESCRIPTION,
        "tags": [SKILL],
        "input_modes": ["text/plain"],
        "output_modes": ["text/plain"],
    }
    return FastA2A(
        storage=storage,
        broker=broker,
        name="fasta2a",
        description=DESCRIPTION,
        url=url,
        skills=[skill],
        lifespan=lifespan,
    )


if __name__ == "__main__":
    serve(build)
