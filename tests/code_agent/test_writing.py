"""Programs that the model writes: run, repaired once, and shown with their output."""

from code_agent_service.settings import Settings
from shared.agent import File
from tests.code_agent.asking import ask, make_settings
from tests.support.model_server import Failure, ModelServer, Text, model_server


def _settings(model: ModelServer, **changes: object) -> Settings:
    return make_settings(llm_base_url=model.base_url, llm_model="scripted", egress_allow="", **changes)


async def test_a_program_is_written_run_and_handed_over() -> None:
    reply = "Here it is:\n```python\nprint(len(open('words.txt').read().split()))\n```\nHave fun."
    async with model_server(reply) as model:
        outcome = await ask(
            "write a program that counts the words of the file",
            settings=_settings(model),
            skill="write-code",
            files=[File("words.txt", "text/plain", b"one two three")],
        )
        [request] = model.requests

    assert outcome.error is None
    assert outcome.text.startswith("3\n\nThe files:\n\n`main.py`:\n\n```python\nprint(len(")
    assert outcome.files["main.py"].content == b"print(len(open('words.txt').read().split()))\n"
    assert outcome.usage[0].llm_calls == 1
    assert "one two three" in request.prompt.split("<<<data ")[1]


async def test_a_program_that_fails_is_written_once_more() -> None:
    async with model_server("```python\nprint(1 / 0)\n```", "```python\nprint('mended')\n```") as model:
        outcome = await ask("write something", settings=_settings(model), skill="write-code")
        repair = model.requests[1].prompt

    assert outcome.error is None
    assert outcome.data["stdout"] == "mended\n"
    assert "ZeroDivisionError" in repair
    assert len(outcome.usage) == 2
    assert "The program failed; writing it again" in outcome.progress


async def test_a_program_that_fails_twice_fails_the_task() -> None:
    async with model_server("```python\n1 / 0\n```", "```python\nnonsense\n```") as model:
        settings = _settings(model, code_max_repairs=1)
        outcome = await ask("write something", settings=settings, skill="write-code")

    assert outcome.error is not None
    assert "NameError: name 'nonsense' is not defined" in outcome.error.detail
    assert outcome.data["code"] == "nonsense\n"
    assert "mended 1 times (CODE_MAX_REPAIRS)" in outcome.error.detail


async def test_a_model_that_fails_at_the_repair_leaves_the_first_result() -> None:
    async with model_server("```python\n1 / 0\n```", Failure(500)) as model:
        outcome = await ask("write something", settings=_settings(model), skill="write-code")

    assert outcome.error is not None
    assert "ZeroDivisionError" in outcome.error.detail


async def test_a_program_that_was_cut_off_is_not_run() -> None:
    reply = Text("```python\nprint('the first half')\n", finish_reason="length")
    async with model_server(reply) as model:
        outcome = await ask("write something", settings=_settings(model), skill="write-code")

    assert outcome.error is not None
    assert "cut off after its 8,000 tokens" in outcome.error.detail


async def test_after_an_answer_that_was_cut_off_the_model_goes_on_with_what_is_missing() -> None:
    begun = "`ages.py`\n```python\ndef oldest(): return 'Ada'\n```\n`main.py`\n```python\nprint('the first half')\n"
    rest = "`main.py`\n```python\nimport ages\nprint(ages.oldest())\n```"
    async with model_server(Text(begun, finish_reason="length"), rest) as model:
        outcome = await ask("who is the oldest?", settings=_settings(model), skill="write-code")
        asked = model.requests[1].prompt

    assert outcome.error is None
    assert outcome.data["stdout"] == "Ada\n"
    assert sorted(outcome.files) == ["ages.py", "main.py"]
    assert "def oldest()" in asked
    assert "the first half" not in asked


async def test_answers_that_are_cut_off_again_and_again_end_with_what_to_do() -> None:
    reply = Text("`ages.py`\n```python\nx = 1\n```\n`main.py`\n```python\n", finish_reason="length")
    async with model_server(reply, reply, reply) as model:
        outcome = await ask("write it", settings=_settings(model, code_max_repairs=2), skill="write-code")
        calls = len(model.requests)

    assert outcome.error is not None
    assert "Ask for less at once" in outcome.error.detail
    assert calls == 3


async def test_a_model_that_answers_no_program_is_a_clear_error() -> None:
    async with model_server("I would rather talk about the weather.") as model:
        outcome = await ask("write something", settings=_settings(model), skill="write-code")

    assert outcome.error is not None
    assert "holds no program" in outcome.error.detail
    assert outcome.answer is None


async def test_a_word_in_place_of_a_repair_is_not_taken_for_a_program() -> None:
    async with model_server("```python\n1 / 0\n```", "Sorry") as model:
        outcome = await ask("write something", settings=_settings(model), skill="write-code")

    assert outcome.error is not None
    assert "ZeroDivisionError" in outcome.error.detail
    assert outcome.data["code"] == "1 / 0\n"


async def test_with_a_model_words_that_are_no_code_are_written_as_code() -> None:
    async with model_server("```python\nprint('a maze')\n```") as model:
        written = await ask("draw a maze", settings=_settings(model), skill="run-code")
        given = await ask("run: print(1)", settings=_settings(model), skill="run-code")
        calls = len(model.requests)

    assert written.data["stdout"] == "a maze\n"
    assert given.text == "1"
    assert calls == 1


async def test_without_a_model_writing_is_refused_with_what_to_set() -> None:
    outcome = await ask("write a game", skill="write-code")

    assert outcome.error is not None
    assert outcome.error.slug == "not-installed"
    assert "OPENAI_API_KEY" in outcome.error.detail
