"""Finds skills for a need in plain words: full-text search recalls, a small weighing ranks; a model is not needed.

Recall is the database's (FTS5 on SQLite, tsvector on PostgreSQL); the weighing is the same on both, so that a plan does
not depend on the database: each word of the need counts by where it was found and by how few skills have it. How an
agent's calls went counts too, where that is known, and what the words mean (`meaning`), where there is a model for it.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Final

from a2a.types import AgentCard
from sqlalchemy import Boolean, Connection, Text, bindparam, delete, exists, insert, select, text

from orchestrator_service import statistics
from orchestrator_service.meaning import Near, digest_of, text_of
from orchestrator_service.planning.plan import Match, Offer
from orchestrator_service.planning.words import stem
from orchestrator_service.registry_models import Agent, AgentCapability, AgentSkill
from orchestrator_service.statistics import Record
from shared.auth import Caller
from shared.prepared import prepared
from shared.words import keywords

_RECALL: Final = 60
_ENOUGH: Final = 20
_LOOKED_AT: Final = 600
_LIMITS: Final = {"looked_at": _LOOKED_AT, "limit": _RECALL}
_MOST_WORDS: Final = 40
_MOST_PAIRED: Final = 10
_WEIGHTS: Final = {"id": 3.0, "name": 3.0, "tags": 3.0, "agent": 2.0, "examples": 1.5, "description": 1.0}
_FOR_MEANING: Final = 12.0
_MOST_FOR_TIME: Final = 0.1
_MOST_FOR_MONEY: Final = 0.1
_MOST_FOR_SCORE: Final = 0.3
_USUAL_SCORE: Final = 0.8
_FEW_SCORES: Final = 3
_SLOW_S: Final = 30.0
_DEAR_USD: Final = 0.1
_NOTHING: Final[Mapping[str, Near]] = {}


@dataclass(frozen=True, slots=True)
class Among:
    """Whose agents are looked at, and which of them: of any of the statuses, with the capability; None: all."""

    tenant_id: str
    statuses: Sequence[str] | None = None
    capability: str | None = None

    def named(self) -> dict[str, object]:
        """Return it by the names that the statements have for it."""
        return {
            "of_tenant": self.tenant_id,
            "any_status": self.statuses is None,
            "of_statuses": list(self.statuses or ("",)),
            "capable": self.capability,
        }


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
            "agent_name": agent_name,
        }
        for skill in {skill.id: skill for skill in card.skills}.values()
    ]
    for row in rows:
        row["digest"] = digest_of(text_of(row["name"], row["description"], row["tags"], row["examples"]))
    if not rows:
        return
    connection.execute(insert(AgentSkill), rows)
    if connection.dialect.name != "sqlite":
        return  # a generated column holds the words
    connection.execute(
        text(
            "INSERT INTO agent_search (rowid, words) SELECT id, skill_id || ' ' || name || ' ' || tags || ' ' ||"
            " description || ' ' || examples || ' ' || agent_name FROM agent_skills WHERE agent_id = :agent_id"
        ),
        {"agent_id": agent_id},
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


def is_offered(connection: Connection, caller: Caller, skill_id: str) -> bool:
    """Tell whether an agent that may be chosen now has the skill."""
    found = _ONE.where(Agent.tenant_id == caller.tenant_id, AgentSkill.skill_id == skill_id)
    return connection.execute(found.where(Agent.status.in_(_may_be_chosen(with_away=False)))).first() is not None


def rank(
    connection: Connection,
    caller: Caller,
    need: str,
    limit: int,
    near: Mapping[str, Near] = _NOTHING,
    *,
    with_away: bool = False,
) -> list[Match]:
    """Return the skills that fit the need, best first; of agents that may be chosen now, or as in `offers`.

    `near`: what is near to the need by its meaning.
    """
    words = _words_by_stem(need)
    if not words and not near:
        return []
    among = Among(caller.tenant_id, _may_be_chosen(with_away=with_away))
    alike = _alike(connection, near, among)
    recalled = [*dict.fromkeys([*_recall(connection, need, among), *(row for row, _ in alike.values())])]
    found = _offers(connection, caller, recalled, with_away=with_away)
    records = statistics.read(connection, {offer.agent_id for offer in found})
    fields = {id(offer): _fields(offer) for offer in found}
    spread = Counter(word for offer in found for word in frozenset[str]().union(*fields[id(offer)].values()))
    matches = [
        _favour(match, records.get(offer.agent_id))
        for offer in found
        if (
            match := _add_meaning(
                _weigh(offer, words, fields[id(offer)], spread, len(found)), alike.get((offer.agent_id, offer.skill_id))
            )
        )
    ]
    return sorted(matches, key=lambda match: (-match.score, match.offer.agent_id, match.offer.skill_id))[:limit]


def with_others(found: Sequence[Match], others: Sequence[Offer], need: str) -> list[Match]:
    """Return the matches, and those of `others` (which are not registered) that fit the need better, best first."""
    words = _words_by_stem(need)
    if not words or not others:
        return [*found]
    every = [*(match.offer for match in found), *others]
    fields = {id(offer): _fields(offer) for offer in every}
    spread = Counter(word for offer in every for word in frozenset[str]().union(*fields[id(offer)].values()))
    weighed = [_weigh(offer, words, fields[id(offer)], spread, len(every)) for offer in every]
    known = {id(offer) for offer in others}
    best = max((match.score for match in weighed if id(match.offer) not in known), default=0.0)
    better = [match for match in weighed if id(match.offer) in known and match.score > best]
    return [*sorted(better, key=lambda match: -match.score), *found]


def matching_agents(connection: Connection, need: str, among: Among, near: Mapping[str, Near] = _NOTHING) -> set[str]:
    """Return the ids of the agents among those with a skill that shares a word with the need, or is `near` to it."""
    query = select(AgentSkill.agent_id).where(AgentSkill.id.in_(_recall(connection, need, among)))
    return {*connection.execute(query).scalars(), *(agent_id for agent_id, _ in _alike(connection, near, among))}


def _alike(connection: Connection, near: Mapping[str, Near], among: Among) -> dict[tuple[str, str], tuple[int, Near]]:
    """Return the rows of the skills that are near, by agent and skill."""
    if not near:
        return {}
    rows = connection.execute(_NEAR, {"of_digests": list(near), **_LIMITS, **among.named()})
    return {(row.agent_id, row.skill_id): (row.id, near[row.digest]) for row in rows}


def _recall(connection: Connection, need: str, among: Among) -> list[int]:
    """Return the rows of skills worth weighing: those that share two words with the need, else those that share one.

    Of very many only some are looked at, so that a word that everyone uses costs no more than others.
    """
    words = [word for word in keywords(need)[:_MOST_WORDS] if word.isalnum()]
    if not words:
        return []
    ask = _ask_sqlite if connection.dialect.name == "sqlite" else _ask_postgresql
    found = ask(connection, list(combinations(words[:_MOST_PAIRED], 2)), among) if len(words) > 1 else []
    if len(found) >= _ENOUGH:
        return found
    return [*dict.fromkeys([*found, *ask(connection, [(word,) for word in words], among)])]


def _ask_sqlite(connection: Connection, together: Sequence[tuple[str, ...]], among: Among) -> list[int]:
    joined = " OR ".join("(" + " AND ".join(f'"{word}"' for word in words) + ")" for words in together)
    return list(connection.execute(_RECALL_SQLITE, {"words": joined, **_LIMITS, **among.named()}).scalars())


def _ask_postgresql(connection: Connection, together: Sequence[tuple[str, ...]], among: Among) -> list[int]:
    joined = [" & ".join(words) for words in together]
    return list(connection.execute(_RECALL_POSTGRESQL, {"together": joined, **_LIMITS, **among.named()}).scalars())


def _offers(
    connection: Connection, caller: Caller, skill_rows: Sequence[int] | None, *, with_away: bool
) -> list[Offer]:
    statuses = _may_be_chosen(with_away=with_away)
    if skill_rows is None:
        rows = connection.execute(_ALL, {"of_tenant": caller.tenant_id})
    else:
        rows = connection.execute(_SOME, {"of_rows": skill_rows})
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
        for row in rows
        if row.status in statuses and row.tenant_id == caller.tenant_id
    ]


def _may_be_chosen(*, with_away: bool) -> tuple[str, ...]:
    return ("active", "error") if with_away else ("active",)


def _fields(offer: Offer) -> dict[str, frozenset[str]]:
    return {
        "id": _stems(offer.skill_id),
        "name": _stems(offer.skill_name),
        "tags": _stems(" ".join(offer.tags)),
        "agent": _stems(offer.agent_name),
        "examples": _stems(" ".join(offer.examples)),
        "description": _stems(offer.description),
    }


def _weigh(
    offer: Offer, words: Mapping[str, str], fields: Mapping[str, frozenset[str]], spread: Mapping[str, int], total: int
) -> Match:
    """Return the match by words; its score is 0 if there are none."""
    score = 0.0
    where: dict[str, list[str]] = {}
    for word, said in sorted(words.items()):
        field = max((name for name in fields if word in fields[name]), key=_WEIGHTS.__getitem__, default=None)
        if field is None:
            continue
        rarity = math.log(1 + total / spread[word])
        score += _WEIGHTS[field] * rarity
        where.setdefault(field, []).append(said)
    why = "; ".join(f"{', '.join(found)} in its {field}" for field, found in where.items())
    return Match(offer, round(score, 3), why)


def _add_meaning(match: Match, found: tuple[int, Near] | None) -> Match | None:
    """Return the match with its meaning counted; None if neither words nor meaning fit."""
    if found is None:
        return match if match.score else None
    _, near = found
    why = f"{match.why}; " if match.why else ""
    score = round(match.score + _FOR_MEANING * near.closeness, 3)
    return Match(match.offer, score, f"{why}meaning {near.similarity:.2f}")


def _favour(match: Match, record: Record | None) -> Match:
    """Let an agent's record count: one that fails, is slow or dear falls back; one without a record stays as it is."""
    if record is None:
        return match
    record = record.of(match.offer.skill_id)
    duration_s = record.duration_ms / 1000
    reliable = (1 + record.success_rate) / (1 + Record(0, 0, 0, 0).success_rate)
    quick = 1 - _MOST_FOR_TIME * min(duration_s / _SLOW_S, 1)
    cheap = 1 - _MOST_FOR_MONEY * min(record.cost_usd / _DEAR_USD, 1)
    score = _USUAL_SCORE if record.score is None else record.score
    trust = record.scored / (record.scored + _FEW_SCORES)
    judged = 1 + _MOST_FOR_SCORE * (score - _USUAL_SCORE) * trust
    told = f"{record.calls - record.failures} of its last {record.calls} calls succeeded, in {duration_s:.1f} s"
    cost = f" for ${record.cost_usd:.4f}" if record.cost_usd else ""
    worth = "" if record.score is None else f"; {record.scored} answers were judged, at {record.score:.2f}"
    return Match(
        match.offer, round(match.score * reliable * quick * cheap * judged, 3), f"{match.why}; {told}{cost}{worth}"
    )


@lru_cache(maxsize=8_192)
def _stems(text_: str) -> frozenset[str]:
    return frozenset(_words_by_stem(text_))


def _words_by_stem(text_: str) -> dict[str, str]:
    """Return the stems of a text's words, each with the word as it is written there first."""
    found: dict[str, str] = {}
    for word in keywords(re.sub(r"[-_./]", " ", text_)):
        found.setdefault(stem(word), word)
    return found


# The words come first, the agent of each row found second: a tenant may have very many agents.
_FITS: Final = (
    " a.tenant_id = :of_tenant AND (:any_status OR a.status IN :of_statuses) AND (CAST(:capable AS text) IS NULL"
    " OR EXISTS (SELECT 1 FROM agent_capabilities c WHERE c.capability = CAST(:capable AS text) AND c.agent_id = a.id))"
)
_RECALL_SQLITE: Final = text(
    "SELECT rowid FROM (SELECT agent_search.rowid AS rowid, rank FROM agent_search"  # noqa: S608 - our own
    " CROSS JOIN agent_skills s ON s.id = agent_search.rowid CROSS JOIN agents a ON a.id = s.agent_id"
    f" WHERE agent_search MATCH :words AND{_FITS} LIMIT :looked_at) ORDER BY rank LIMIT :limit"
).bindparams(bindparam("of_statuses", expanding=True))
# One look at the index for each: all of them as one query cost many times as much.
_RECALL_POSTGRESQL: Final = text(
    "SELECT id FROM unnest(CAST(:together AS text[])) AS words CROSS JOIN LATERAL"  # noqa: S608 - our own
    " (SELECT s.id FROM agent_skills s JOIN agents a ON a.id = s.agent_id"
    f" WHERE s.search @@ to_tsquery('english', words) AND{_FITS} LIMIT :looked_at) AS found"
    " GROUP BY id ORDER BY count(*) DESC, id LIMIT :limit"
).bindparams(bindparam("of_statuses", expanding=True))
_OFFERS: Final = (
    select(
        Agent.id,
        Agent.tenant_id,
        Agent.status,
        Agent.name.label("agent_name"),
        AgentSkill.skill_id,
        AgentSkill.name,
        AgentSkill.description,
        AgentSkill.tags,
        AgentSkill.examples,
    )
    .join(AgentSkill, AgentSkill.agent_id == Agent.id)
    .order_by(AgentSkill.id)
)
_NEAR: Final = (
    select(AgentSkill.id, AgentSkill.agent_id, AgentSkill.skill_id, AgentSkill.digest)
    .join(Agent, Agent.id == AgentSkill.agent_id)
    .where(
        AgentSkill.digest.in_(bindparam("of_digests", expanding=True)),
        Agent.tenant_id == bindparam("of_tenant"),
        bindparam("any_status", type_=Boolean()) | Agent.status.in_(bindparam("of_statuses", expanding=True)),
        bindparam("capable", type_=Text()).is_(None)
        | exists().where(AgentCapability.agent_id == Agent.id, AgentCapability.capability == bindparam("capable")),
    )
    .order_by(AgentSkill.id)
    .limit(bindparam("limit"))
)
_ONE: Final = select(AgentSkill.id).join(Agent, Agent.id == AgentSkill.agent_id).limit(1)
_ALL: Final = prepared(_OFFERS.where(Agent.tenant_id == bindparam("of_tenant")))
# No word of the tenant here: the database would begin with all of its agents instead of with the few rows.
_SOME: Final = _OFFERS.where(AgentSkill.id.in_(bindparam("of_rows", expanding=True)))
