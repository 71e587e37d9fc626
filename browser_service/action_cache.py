"""Keeps what a model found out: which actions do a step on the pages of an origin, each thing with several locators.

What one caller (tenant and user) asked for is replayed for that one only: steps hold texts and addresses of theirs.

A file in DATA_DIR; one that is lost or spoiled costs some model calls, nothing else.
"""

import asyncio
import hashlib
import json
import logging
import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from browser_service.actions import Action
from browser_service.snapshot import FIELD_ROLES, Node, Snapshot
from browser_service.targets import Target
from shared import http

logger = logging.getLogger(__name__)

_MAX_ENTRIES = 500
_MAX_LOCATORS = 5


class CachedAction(BaseModel):
    """An action, and other ways to find the thing it is done to, the surest first."""

    model_config = ConfigDict(frozen=True)

    action: Action
    locators: tuple[Target, ...] = ()


class _Entries(BaseModel):
    """The file. Earlier ones, with `entries` that had no caller, are read as empty."""

    by_caller: dict[str, list[CachedAction]] = {}


class ActionCache:
    """Sequences of actions by caller, origin and step. Safe for one process; the last writer wins among several."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[str, list[CachedAction]] | None = None
        self._writing = asyncio.Lock()

    async def find(self, caller: str, url: str, step: str) -> list[CachedAction] | None:
        """Return how `step` was done for `caller` on this origin before; None if it was not."""
        if self._entries is None:
            self._entries = await asyncio.to_thread(self._read)
        key = _key(caller, url, step)
        if (found := self._entries.pop(key, None)) is not None:
            self._entries[key] = found  # the last used goes last
        return found

    async def keep(self, caller: str, url: str, step: str, actions: list[CachedAction]) -> None:
        """Keep how `step` was done for `caller`."""
        await self.find(caller, url, step)
        entries = self._entries or {}
        entries[_key(caller, url, step)] = actions
        while len(entries) > _MAX_ENTRIES:
            entries.pop(next(iter(entries)))
        self._entries = entries
        async with self._writing:
            await asyncio.to_thread(
                self._write, _Entries(by_caller=entries).model_dump_json(exclude_none=True, by_alias=True)
            )

    def _read(self) -> dict[str, list[CachedAction]]:
        try:
            return dict(_Entries.model_validate_json(self._path.read_bytes()).by_caller)
        except FileNotFoundError:
            return {}
        except (ValidationError, OSError, json.JSONDecodeError) as error:
            logger.warning("the cache of actions cannot be read and begins anew", extra={"why": str(error)[:300]})
            return {}

    def _write(self, text: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(f".{os.getpid()}.tmp")
        draft.touch(mode=0o600)
        draft.write_text(text)
        draft.replace(self._path)


def locators_of(node: Node, seen: Snapshot) -> tuple[Target, ...]:
    """Return different ways to find `node` again, each of which fits nothing else on the page, the surest first."""
    candidates: list[Target] = []
    if test_id := node.get("testid"):
        candidates.append(Target(test_id=test_id))
    if node.role and node.name and len(node.name) <= 200:
        candidates.append(Target(role=node.role, name=node.name))
    if node.role in FIELD_ROLES and node.name:
        candidates.append(Target(label=node.name))
    if placeholder := node.get("placeholder"):
        candidates.append(Target(placeholder=placeholder))
    if node.own and len(node.own) <= 200:
        candidates.append(Target(text=node.own))
    twins = [each for each in seen.nodes if each.role == node.role and node.role and not each.get("hidden")]
    if len(twins) > 1 and node in twins:
        candidates.append(Target(role=node.role, nth=twins.index(node) + 1))
    return tuple(candidates[:_MAX_LOCATORS])


def _key(caller: str, url: str, step: str) -> str:
    words = " ".join(step.casefold().split())
    return f"{caller} {http.origin_of(url)} {hashlib.blake2s(words.encode(), digest_size=16).hexdigest()}"
