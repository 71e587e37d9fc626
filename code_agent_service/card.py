"""The code agent's card: what it can do, with words by which that is found."""

from typing import Final

from a2a.types import AgentCard

from code_agent_service.settings import Settings
from shared import cards
from shared.cards import Skill

RUN_CODE: Final = Skill(
    id="run-code",
    name="Run code",
    description=(
        "Runs Python, or JavaScript where Node is installed, in a sandbox without network, with limits on time, memory "
        "and processes, and answers with its output and the files it made. Computes arithmetic, percentages, sums, "
        "averages and primes asked for in words."
    ),
    tags=("code", "python", "run", "execute", "compute", "calculate", "math", "sandbox", "program", "script"),
    examples=(
        "run: print(sum(range(101)))",
        "compute 15% of 80 with code in the sandbox",
        "calculate 2**100 in Python",
        "what is the average of 3, 5 and 8?",
        "compute the first 10 prime numbers",
        "run the attached script on the attached file",
    ),
)
WRITE_CODE: Final = Skill(
    id="write-code",
    name="Write code",
    description=(
        "Writes Python programs and functions for a task in plain words: plans, writes files, checks included, "
        "runs them in the sandbox and mends them until they work. Needs a language model."
    ),
    tags=("code", "python", "write", "program", "generate", "implement", "script"),
    examples=(
        "write a program that counts the words of the attached text",
        "write Python code that draws a random maze as text",
        "write a parser for durations in Python",
        "write a script that merges two CSV files",
    ),
)
TEST_CODE: Final = Skill(
    id="test-code",
    name="Test code",
    description=(
        "Tests Python code: runs its tests with pytest in the sandbox, or makes some where there are none, and "
        "reports what passed and failed and how much of the code was covered."
    ),
    tags=("code", "python", "test", "tests", "pytest", "coverage", "qa"),
    examples=(
        "test the attached module and report the coverage",
        "run the tests of the attached project",
        "add unit tests to this module and run them",
    ),
)
REVIEW_CODE: Final = Skill(
    id="review-code",
    name="Review code",
    description=(
        "Reviews source code for errors, security problems and style, with ruff, bandit and, where there is one, a "
        "language model: findings with file, line, severity and rule."
    ),
    tags=("code", "python", "review", "lint", "security", "quality", "bugs"),
    examples=(
        "review the attached code",
        "find bugs and security problems in this module",
        "check the attached script with a linter",
    ),
)
DOCUMENT_CODE: Final = Skill(
    id="document-code",
    name="Document code",
    description="Documents source code: adds docstrings where there are none, and a README, by what it does.",
    tags=("code", "python", "document", "documentation", "docstrings", "readme"),
    examples=(
        "document the attached module",
        "add docstrings to this code",
        "make a README for the attached project",
    ),
)
SKILLS: Final = {skill.id: skill for skill in (RUN_CODE, WRITE_CODE, TEST_CODE, REVIEW_CODE, DOCUMENT_CODE)}


def build(settings: Settings) -> AgentCard:
    """Return the card. Where programs may be confined less tightly, it says so."""
    confined = "in a sandbox"
    if settings.sandbox_allow_weak:
        confined = "in a sandbox (a weaker one, where bubblewrap does not work: SANDBOX_ALLOW_WEAK is set)"
    return cards.build(
        settings,
        "code",
        name="Code agent",
        description=f"A software engineer: runs code {confined}, writes, tests, reviews and documents it.",
        skills=tuple(SKILLS.values()),
        input_modes=("text/plain", "text/x-python", "application/json", "application/zip", "application/octet-stream"),
        output_modes=("text/plain", "application/json", "application/zip", "application/octet-stream"),
    )
