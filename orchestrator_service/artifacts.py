"""Files of tasks: bytes by their hash, and under which name a task or step knows them."""

import hashlib
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, insert, select

from orchestrator_service.models import Artifact, Blob, Task, insert_or_skip
from shared.agent import File, JsonObject
from shared.auth import Caller
from shared.db import new_id, now
from shared.errors import NotFoundError
from shared.prepared import OneOrMany

ALL: Final = "*"
"""Stands for every file, where a file's name is asked for."""


def store(connection: Connection, task_id: str, step_id: str | None, file: File) -> JsonObject:
    """Store a file that has content, and return the artifact as the API shows it."""
    content = file.content or b""
    digest = hashlib.sha256(content).hexdigest()
    connection.execute(insert_or_skip(connection, Blob).values(sha256=digest, content=content))
    artifact_id = new_id()
    connection.execute(
        insert(Artifact).values(
            id=artifact_id,
            task_id=task_id,
            step_id=step_id,
            name=file.name,
            media_type=file.media_type,
            size_bytes=len(content),
            sha256=digest,
            created_at=now(),
        )
    )
    return to_json(artifact_id, task_id, step_id, file.name, file.media_type, len(content), digest)


def of_tasks(connection: Connection, task_ids: Sequence[str]) -> list[tuple[str, JsonObject]]:
    """Return (task id, artifact) for every artifact of the tasks, those brought along (`step_id` null) first."""
    return [(row.task_id, to_json(*row)) for row in _OF_TASKS.execute(connection, task_ids)]


def read(connection: Connection, caller: Caller, task_id: str, artifact_id: str) -> File:
    """Return an artifact with its bytes. Raises: NotFoundError."""
    query = (
        select(Artifact.name, Artifact.media_type, Blob.content)
        .join(Blob, Blob.sha256 == Artifact.sha256)
        .join(Task, Task.id == Artifact.task_id)
        .where(Artifact.id == artifact_id, Artifact.task_id == task_id, Task.tenant_id == caller.tenant_id)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFoundError(f"The task has no artifact {artifact_id!r}.")
    return File(row.name, row.media_type, row.content)


def load(connection: Connection, task_id: str, names: Sequence[str], step_id: str | None = None) -> list[File]:
    """Return the named files that the task brought along, or that one of its steps produced; "*" names all of them."""
    query = (
        select(Artifact.name, Artifact.media_type, Blob.content)
        .join(Blob, Blob.sha256 == Artifact.sha256)
        .where(Artifact.task_id == task_id, Artifact.step_id.is_not_distinct_from(step_id))
        .order_by(Artifact.id)
    )
    if ALL not in names:
        query = query.where(Artifact.name.in_(names))
    return [File(*row) for row in connection.execute(query)]


_OF_TASKS: Final = OneOrMany(
    lambda among: (
        select(
            Artifact.id,
            Artifact.task_id,
            Artifact.step_id,
            Artifact.name,
            Artifact.media_type,
            Artifact.size_bytes,
            Artifact.sha256,
        )
        .where(among(Artifact.task_id))
        .order_by(Artifact.step_id.is_not(None), Artifact.id)
    )
)


def to_json(
    artifact_id: str, task_id: str, step_id: str | None, name: str, media_type: str, size_bytes: int, sha256: str
) -> JsonObject:
    """Return an artifact as the API shows it."""
    return {
        "id": artifact_id,
        "step_id": step_id,
        "name": name,
        "media_type": media_type,
        "size_bytes": size_bytes,
        "sha256": sha256,
        "url": f"/api/tasks/{task_id}/artifacts/{artifact_id}",
    }
