"""Finds skills for a need in plain words, without a model: full-text search recalls, a small weighing ranks.

Recall is the database's (FTS5 on SQLite, tsvector on PostgreSQL); the weighing is the same on both, so that a plan does
not depend on the database: each word of the need counts by where it was found and by how few skills have it.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from a2a.types import AgentCard
from sqlalchemy import Connection, delete, insert, select, text

from orchestrator_service.models import Agent, AgentSkill
from orchestrator_service.planning.plan import Match, Offer
from shared.auth import Caller
from shared.documents import keywords

_RECALL: Final = 60
_WEIGHTS: Final = {"id": 3.0, "name": 3.0, "tags": 3.0, "agent": 2.0, "examples": 1.5, "description": 1.0}
_ENDINGS: Final = ("izations", "ization", "ations", "ation", "ings", "ing", "ies", "ed", "es", "s", "e", "y")


def index(connection: Connection, agent_id: str, agent_name: str, card: AgentCard) -> None:
    """Make the agent's skills findable, in place of those it had."""
    forget(connection, agent_id)
    rows = [
        {
            "agent_id": agent_id,
            "skill_id": skill.id,
            "name": skill.name,
            "description": skill.description,
            "tags": "\n".join(skill.tags),
            "examples": "\n".join(skill.examples),
        }
        for skill in {skill.id: skill for skill in card.skills}.values()
    ]
    if not rows:
        return
    connection.execute(insert(AgentSkill), rows)
    if connection.dialect.name != "sqlite":
        return  # a generated column holds the words
    connection.execute(
        text(
            "INSERT INTO agent_search (rowid, words) SELECT id, skill_id || ' ' || name || ' ' || tags || ' ' ||"
            " description || ' ' || examples || ' ' || :agent_name FROM agent_skills WHERE agent_id = :agent_id"
        ),
        {"agent_id": agent_id, "agent_name": agent_name},
    )


def forget(connection: Connection, agent_id: str) -> None:
    """Take the agent's skills out of the search."""
    if connection.dialect.name == "sqlite":
        connection.execute(
            text("DELETE FROM agent_search WHERE rowid IN (SELECT id FROM agent_skills WHERE agent_id = :agent_id)"),
            {"agent_id": agent_id},
        )
    connection.execute(delete(AgentSkill).where(AgentSkill.agent_id == agent_id))


def offers(connection: Connection, caller: Caller, *, with_away: bool = False) -> list[Offer]:
    """Return every skill of every agent that may be chosen now; `with_away`: also of those that are not reachable."""
    return _offers(connection, caller, None, with_away=with_away)


def rank(connection: Connection, caller: Caller, need: str, limit: int, *, with_away: bool = False) -> list[Match]:
    """Return the skills that fit the need, best first; of agents that may be chosen now, or as in `offers`."""
    words = _words_by_stem(need)
    if not words:
        return []
    recalled = _recall(connection, need)
    found = _offers(connection, caller, recalled, with_away=with_away)
    fields = {id(offer): _fields(offer) for offer in found}
    spread = Counter(word for offer in found for word in set[str]().union(*fields[id(offer)].values()))
    matches = [
        match for offer in found if (match := _weigh(offer, words, fields[id(offer)], spread, len(found))) is not None
    ]
    return sorted(matches, key=lambda match: (-match.score, match.offer.agent_id, match.offer.skill_id))[:limit]


def matching_agents(connection: Connection, need: str) -> set[str]:
    """Return the ids of agents with a skill that shares a word with the need."""
    query = select(AgentSkill.agent_id).where(AgentSkill.id.in_(_recall(connection, need)))
    return set(connection.execute(query).scalars())


def _recall(connection: Connection, need: str) -> list[int]:
    words = [word for word in keywords(need)[:40] if word.isalnum()]
    if not words:
        return []
    if connection.dialect.name == "sqlite":
        query = text("SELECT rowid FROM agent_search WHERE agent_search MATCH :words ORDER BY rank LIMIT :limit")
        joined = " OR ".join(f'"{word}"' for word in words)
    else:
        query = text(
            "SELECT id FROM agent_skills, to_tsquery('english', :words) AS need WHERE search @@ need"
            " ORDER BY ts_rank_cd(search, need) DESC LIMIT :limit"
        )
        joined = " | ".join(words)
    return list(connection.execute(query, {"words": joined, "limit": _RECALL}).scalars())


def _offers(
    connection: Connection, caller: Caller, skill_rows: Sequence[int] | None, *, with_away: bool
) -> list[Offer]:
    query = (
        select(
            Agent.id,
            Agent.name.label("agent_name"),
            AgentSkill.skill_id,
            AgentSkill.name,
            AgentSkill.description,
            AgentSkill.tags,
            AgentSkill.examples,
        )
        .join(AgentSkill, AgentSkill.agent_id == Agent.id)
        .where(Agent.tenant_id == caller.tenant_id, Agent.status.in_(("active", "error") if with_away else ("active",)))
        .order_by(AgentSkill.id)
    )
    if skill_rows is not None:
        query = query.where(AgentSkill.id.in_(skill_rows))
    return [
        Offer(
            agent_id=row.id,
            agent_name=row.agent_name,
            skill_id=row.skill_id,
            skill_name=row.name,
            description=row.description,
            tags=tuple(filter(None, row.tags.split("\n"))),
            examples=tuple(filter(None, row.examples.split("\n"))),
        )
        for row in connection.execute(query)
    ]


def _fields(offer: Offer) -> dict[str, set[str]]:
    return {
        "id": _stems(offer.skill_id),
        "name": _stems(offer.skill_name),
        "tags": _stems(" ".join(offer.tags)),
        "agent": _stems(offer.agent_name),
        "examples": _stems(" ".join(offer.examples)),
        "description": _stems(offer.description),
    }


def _weigh(
    offer: Offer, words: Mapping[str, str], fields: Mapping[str, set[str]], spread: Mapping[str, int], total: int
) -> Match | None:
    score = 0.0
    where: dict[str, list[str]] = {}
    for word, said in sorted(words.items()):
        field = max((name for name in fields if word in fields[name]), key=_WEIGHTS.__getitem__, default=None)
        if field is None:
            continue
        rarity = math.log(1 + total / spread[word])
        score += _WEIGHTS[field] * rarity
        where.setdefault(field, []).append(said)
    if not score:
        return None
    why = "; ".join(f"{', '.join(found)} in its {field}" for field, found in where.items())
    return Match(offer, round(score, 3), why)


def _stems(text_: str) -> set[str]:
    return set(_words_by_stem(text_))


def _words_by_stem(text_: str) -> dict[str, str]:
    """Return the stems of a text's words, each with the word as it is written there first."""
    found: dict[str, str] = {}
    for word in keywords(re.sub(r"[-_./]", " ", text_)):
        found.setdefault(_stem(word), word)
    return found


def _stem(word: str) -> str:
    """Return the word without a common English ending, so that "prices", "price" and "pricing" meet."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
