"""What the federation must do, requirement by requirement, and the tests that show it.

`tests/test_requirements.py` fails when one has no test, or names one that does not exist.
"""

from tests.requirements import (
    any_agent,
    browser,
    browser_actions,
    code_agent,
    first_version,
    models_and_research,
    nothing_is_lost,
    teams,
    web_ui,
)
from tests.requirements.requirement import Requirement

REQUIREMENTS: tuple[Requirement, ...] = (
    *first_version.REQUIREMENTS,
    *nothing_is_lost.REQUIREMENTS,
    *any_agent.REQUIREMENTS,
    *browser.REQUIREMENTS,
    *browser_actions.REQUIREMENTS,
    *code_agent.REQUIREMENTS,
    *models_and_research.REQUIREMENTS,
    *teams.REQUIREMENTS,
    *web_ui.REQUIREMENTS,
)
