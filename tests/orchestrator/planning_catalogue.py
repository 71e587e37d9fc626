"""A catalogue for planning tests: the skills of the bundled agents' own cards, ranked by shared words."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from a2a.types import AgentCard

from a2a_agent_service import card as research_card
from a2a_agent_service import settings as research_settings
from api_agent_service import card as api_card
from api_agent_service import settings as api_settings
from browser_service import card as browser_card
from browser_service import settings as browser_settings
from code_agent_service import card as code_card
from code_agent_service import settings as code_settings
from orchestrator_service.planning.plan import Goal, Match, Offer, Plan, PlanStep, check
from orchestrator_service.planning.rules_planner import RulesPlanner
from orchestrator_service.planning.words import stems


@dataclass(frozen=True, slots=True)
class ListCatalogue:
    """Offers in a list. `rank` weighs shared words by how few offers have them, ids, names and tags thrice."""

    listed: Sequence[Offer]

    async def offers(self) -> list[Offer]:
        """Return the list."""
        return list(self.listed)

    async def rank(self, need: str, limit: int = 5) -> list[Match]:
        """Return the offers that share words with the need, best first."""
        loud = [stems(" ".join([*offer.skill_id.split("-"), offer.skill_name, *offer.tags])) for offer in self.listed]
        quiet = [stems(" ".join([offer.description, *offer.examples, offer.agent_name])) for offer in self.listed]
        wanted = stems(need)
        matches: list[Match] = []
        for offer, front, back in zip(self.listed, loud, quiet, strict=True):
            score = 0.0
            for word in wanted & (front | back):
                having = sum(word in one | other for one, other in zip(loud, quiet, strict=True))
                score += (3 if word in front else 1) * math.log(1 + len(self.listed) / having)
            if score:
                matches.append(Match(offer, score, ", ".join(sorted(wanted & (front | back)))))
        return sorted(matches, key=lambda match: -match.score)[:limit]


def offers_of(card: AgentCard) -> list[Offer]:
    """Return what a card offers, under an id made from its name."""
    agent_id = f"id-of-{card.name.split()[0].lower()}"
    return [
        Offer(agent_id, card.name, skill.id, skill.name, skill.description, tuple(skill.tags), tuple(skill.examples))
        for skill in card.skills
    ]


def bundled(*, with_model: bool = False) -> list[Offer]:
    """Return what the four bundled agents offer, without a model or with one."""
    code = code_settings.Settings.model_construct(llm_base_url="http://127.0.0.1:1/v1" if with_model else None)
    return [
        *offers_of(research_card.build(research_settings.Settings.model_construct())),
        *offers_of(api_card.build(api_settings.Settings.model_construct())),
        *offers_of(browser_card.build(browser_settings.Settings.model_construct())),
        *offers_of(code_card.build(code)),
    ]


BUNDLED = ListCatalogue(bundled())


async def plan(text: str, catalogue: ListCatalogue = BUNDLED, **more: object) -> Plan:
    """Plan and check, as the orchestrator does."""
    goal = Goal(text, **more)  # pyright: ignore[reportArgumentType]  tests name the fields
    offers = await catalogue.offers()
    planned = await RulesPlanner().plan(goal, catalogue)
    assert planned.strategy == "rules"
    return check(planned, skills={offer.skill_id for offer in offers}, inputs=goal.inputs)


def shape(planned: Plan) -> list[tuple[str | None, list[int]]]:
    """Return each step's skill and the numbers of the steps it waits for."""
    numbers = {step.id: step.step_number for step in planned.steps}
    return [(step.skill, sorted(numbers[needed] for needed in step.depends_on)) for step in planned.steps]


def takes(step: PlanStep) -> list[str]:
    """Return the ids of the steps whose output is handed to a step."""
    return re.findall(r"\{\{ steps\.([\w-]+)\.output \}\}", step.instruction)
