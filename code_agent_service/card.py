"""The code agent's card: only skills that work with what is configured are on it."""

from a2a.types import AgentCard

from code_agent_service.settings import Settings
from shared import cards, llm
from shared.cards import Skill

RUN_CODE = Skill(
    id="run-code",
    name="Run code",
    description=(
        "Runs Python in a sandbox without network, with limits on time, memory and processes, and answers with its "
        "output and the files it made. Computes arithmetic, percentages, sums, averages and primes asked for in words."
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
WRITE_CODE = Skill(
    id="write-code",
    name="Write code",
    description="Writes a Python program for a task in plain words, runs it in the sandbox, and answers with both.",
    tags=("code", "python", "write", "program", "generate", "implement", "script"),
    examples=(
        "write a program that counts the words of the attached text",
        "write Python code that draws a random maze as text",
        "write a script that merges two CSV files",
    ),
)


def build(settings: Settings) -> AgentCard:
    """Return the card; `write-code` is on it when a language model can be used."""
    return cards.build(
        settings,
        "code",
        name="Code agent",
        description="A software engineer that runs Python in a sandbox, and writes it where a model is configured.",
        skills=[RUN_CODE, WRITE_CODE] if _has_model(settings) else [RUN_CODE],
        input_modes=("text/plain", "text/x-python", "application/json", "application/octet-stream"),
        output_modes=("text/plain", "application/json", "application/octet-stream"),
    )


def _has_model(settings: Settings) -> bool:
    model = llm.choose(settings)
    return model is not None and not model.missing
