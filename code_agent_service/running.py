"""The skill `run-code`: runs the program that is given, or computes what is asked for in words."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from code_agent_service import presentation, programs, writing
from code_agent_service.bench import Bench, Finished, Given, ProgramFailedError, merge
from code_agent_service.runs import Program
from code_agent_service.wheels import Wheels, find_wanted
from shared.agent import JsonObject, Progress, Update
from shared.errors import InvalidRequestError


async def run(given: Given, bench: Bench, wheels: Wheels) -> AsyncGenerator[Update | Finished]:
    """Run the program that is given. Words that are no program are written as one, where there is a model; without,
    what can be computed of them is, and the answer says which parts are not answered.

    Raises: InvalidRequestError (nothing to run; packages that are not allowed), and as `Bench.run`.
    """
    program = await asyncio.to_thread(programs.find_program, given.text, given.data, given.files, given.kept)
    if (program is None or program.unread) and bench.model is not None:
        async with aclosing(writing.write(given, bench, bench.model)) as updates:
            async for update in updates:
                yield update
        return
    if program is None:
        raise InvalidRequestError(f"There is nothing here that can be run. {programs.HOW_TO_ASK}")
    if wanted := find_wanted(program, given.data):
        program = replace(program, mounts=await asyncio.to_thread(wheels.find, wanted))
    yield Progress(bench.announce(f"Running {program.main} in the sandbox"))
    went = await bench.run(program)
    error = None
    if went.exit_code != 0:
        words = presentation.tail(went.stderr)
        reason = presentation.explain(went, bench.sandbox.limits)
        error = ProgramFailedError(f"{reason}\n{words}" if words else reason, stopped_by=went.stopped_by)
    text = "\n\n".join(filter(None, [presentation.to_text(went, bench.sandbox.limits), _tell_unread(program)]))
    folder = merge(given.kept, given.files, went.files)
    data: JsonObject = {**presentation.to_data(went, program.code), "unread": list(program.unread)}
    yield Finished(text, data, went.files, folder, error, is_archived=bool(went.files))


def _tell_unread(program: Program) -> str:
    if not program.unread:
        return ""
    parts = ", ".join(f'"{part}"' for part in program.unread)
    return (
        f"Not answered, for it was not understood: {parts}. Ask for it by itself, with all its numbers, or set a "
        "language model: OPENAI_API_KEY, GROQ_API_KEY or LLM_BASE_URL."
    )
