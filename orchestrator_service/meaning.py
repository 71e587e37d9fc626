"""Finds skills by what they mean, where an embedding model is configured: a vector for each, made in the background.

Vectors are kept by the digest of the text that they are of, so that a skill that is registered again, or by many
agents, is embedded once. They are compared in memory, all of one model's, on SQLite and PostgreSQL alike.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from sqlalchemy import Connection, bindparam, delete, exists, func, select

from orchestrator_service.models import insert_or_skip
from orchestrator_service.registry_models import AgentSkill, SkillVector
from shared.background import background, foreseen
from shared.db import Database, DatabaseUnavailableError
from shared.embeddings import Embeddings
from shared.errors import FederationError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix: TypeAlias = NDArray[np.float32]

logger = logging.getLogger(__name__)

_BATCH: Final = 64
_READ_AT_ONCE: Final = 5_000
_LOOK_S: Final = 10.0
_AFTER_FAILURE_S: Final = 30.0
_MOST_NEAR: Final = 60
_HIGHEST_FLOOR: Final = 0.6
_LEAST_CLOSENESS: Final = 0.15
_KNOWN_NEEDS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Near:
    """How near a skill's meaning is to a need: the cosine, and from 0 to 1 how far that is beyond any two texts'."""

    similarity: float
    closeness: float


class Meaning:
    """The vectors of one embedding model."""

    def __init__(self, database: Database, embeddings: Embeddings) -> None:
        self._database = database
        self._embeddings = embeddings
        self._wanted = asyncio.Event()
        self._lock = asyncio.Lock()
        self._last_id = 0
        self._count = 0
        self._digests: list[str] = []
        self._matrix: Matrix | None = None
        self._needs: dict[str, list[float]] = {}

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Make the vectors that are missing, in the background, until closed."""
        async with background("vectors of skills", self._embed_for_ever()):
            yield

    def wake(self) -> None:
        """Say that skills have changed."""
        self._wanted.set()

    async def of(self, need: str) -> Mapping[str, Near]:
        """Return the skills near to the need, by the digests of their texts; none while the model does not answer."""
        try:
            vector = await self._vector_of(need)
        except FederationError as error:
            logger.warning("a need cannot be searched by meaning", extra={"reason": error.detail})
            return {}
        async with self._lock:
            await self._read_on()
            matrix, digests = self._matrix, self._digests
        if matrix is None or matrix.shape[1] != len(vector):
            return {}
        return await asyncio.to_thread(_nearest, matrix, digests, vector)

    async def _vector_of(self, need: str) -> list[float]:
        known = self._needs.get(need)
        if known is None:
            [known] = await self._embeddings.embed([need])
            if len(self._needs) >= _KNOWN_NEEDS:
                self._needs.clear()
            self._needs[need] = known
        return known

    async def _read_on(self) -> None:
        """Read the vectors that came since the last time."""
        while True:
            rows = await self._database.read(_after, self._embeddings.model, self._last_id)
            if not rows:
                return
            self._matrix, more = await asyncio.to_thread(_append, self._matrix, rows)
            self._digests = [*self._digests, *more]
            self._last_id = rows[-1][0]
            self._count += len(rows)

    async def _embed_for_ever(self) -> None:
        pause_s, is_tidy = 0.0, False
        while True:
            try:
                async with asyncio.timeout(pause_s):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()
            try:
                with foreseen("vectors of skills"):
                    while missing := await self._database.read(_missing, self._embeddings.model):
                        await self._embed(missing)
                        is_tidy = False
                    if not is_tidy:
                        await self._tidy()
                pause_s, is_tidy = _LOOK_S, True
            except DatabaseUnavailableError:
                pause_s = _AFTER_FAILURE_S
            except FederationError as error:
                logger.warning("skills cannot be searched by meaning yet", extra={"reason": error.detail})
                pause_s = _AFTER_FAILURE_S

    async def _tidy(self) -> None:
        """Forget what is of no use; let all be read anew if that is not what was read so far."""
        stored = await self._database.write(_forget, self._embeddings.model)
        async with self._lock:
            await self._read_on()
            if stored != self._count:
                self._last_id, self._count, self._digests, self._matrix = 0, 0, [], None

    async def _embed(self, missing: Mapping[str, str]) -> None:
        import numpy as np  # noqa: PLC0415 - heavy, and only for those who have an embedding model

        vectors = await self._embeddings.embed([*missing.values()])
        rows = [
            {"model": self._embeddings.model, "digest": digest, "vector": np.asarray(vector, "<f4").tobytes()}
            for digest, vector in zip(missing, vectors, strict=True)
        ]
        await self._database.write(_keep, rows)


def text_of(name: str, description: str, tags: str, examples: str) -> str:
    """Return the text that stands for a skill: what its card says of it."""
    return "\n".join(filter(None, (name, description, tags.replace("\n", ", "), examples)))


def digest_of(text: str) -> str:
    """Return the digest of a skill's text, by which its vector is found."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _missing(connection: Connection, model: str) -> dict[str, str]:
    """Return some texts without a vector, by their digests."""
    rows = connection.execute(_MISSING, {"of_model": model, "at_most": _BATCH})
    return {row.digest: text_of(row.name, row.description, row.tags, row.examples) for row in rows}


def _after(connection: Connection, model: str, last_id: int) -> Sequence[tuple[int, str, bytes]]:
    found = connection.execute(_VECTORS, {"of_model": model, "after": last_id, "at_most": _READ_AT_ONCE})
    return [(row.id, row.digest, row.vector) for row in found]


def _keep(connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
    connection.execute(insert_or_skip(connection, SkillVector), rows)


def _forget(connection: Connection, model: str) -> int:
    """Forget the vectors of skills that are gone, and return how many there are of the model."""
    connection.execute(_FORGET)
    return connection.execute(_COUNT, {"of_model": model}).scalar_one()


def _append(matrix: "Matrix | None", rows: Sequence[tuple[int, str, bytes]]) -> "tuple[Matrix | None, list[str]]":
    """Return the matrix with the rows' vectors below it, and their digests; vectors of another length are left out."""
    import numpy as np  # noqa: PLC0415

    length = len(rows[0][2]) // 4 if matrix is None else matrix.shape[1]
    fitting = [(digest, vector) for _, digest, vector in rows if len(vector) == 4 * length]
    if not fitting:
        return matrix, []
    more = np.frombuffer(b"".join(vector for _, vector in fitting), "<f4").reshape(-1, length)
    return more if matrix is None else np.concatenate([matrix, more]), [digest for digest, _ in fitting]


def _nearest(matrix: "Matrix", digests: Sequence[str], vector: Sequence[float]) -> dict[str, Near]:
    """Return the nearest, if they are nearer than two texts are that have nothing to do with each other."""
    import numpy as np  # noqa: PLC0415

    similar = matrix @ np.asarray(vector, "<f4")
    floor = min(float(similar.mean()), _HIGHEST_FLOOR)
    most = min(_MOST_NEAR, len(similar))
    best = np.argpartition(-similar, most - 1)[:most]
    found = ((digests[int(place)], float(similar[place])) for place in best)
    near = {digest: Near(similarity, (similarity - floor) / (1 - floor)) for digest, similarity in found}
    return {digest: each for digest, each in near.items() if each.closeness >= _LEAST_CLOSENESS}


_MISSING: Final = (
    select(AgentSkill.digest, AgentSkill.name, AgentSkill.description, AgentSkill.tags, AgentSkill.examples)
    .where(
        ~exists().where(SkillVector.digest == AgentSkill.digest, SkillVector.model == bindparam("of_model")),
    )
    .order_by(AgentSkill.id)
    .limit(bindparam("at_most"))
)
_VECTORS: Final = (
    select(SkillVector.id, SkillVector.digest, SkillVector.vector)
    .where(SkillVector.model == bindparam("of_model"), SkillVector.id > bindparam("after"))
    .order_by(SkillVector.id)
    .limit(bindparam("at_most"))
)
_COUNT: Final = select(func.count()).select_from(SkillVector).where(SkillVector.model == bindparam("of_model"))
_FORGET: Final = delete(SkillVector).where(~exists().where(AgentSkill.digest == SkillVector.digest))
