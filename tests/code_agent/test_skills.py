"""Testing, reviewing and documenting code: what is reported, with a model and without, whatever is given."""

import io
import zipfile
from typing import cast

import pytest

from code_agent_service import archives
from code_agent_service.runs import WorkFile
from code_agent_service.settings import Settings
from shared.agent import File, JsonObject
from tests.code_agent.asking import Outcome, ask, make_settings, python
from tests.support.model_server import Failure, Fixed, ModelServer, model_server

_STATS = '''
def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def label(value: int) -> str:
    return value


def pick(path: "Path") -> str:
    """Pick.

    >>> pick("x")
    'X'
    """
    return path.upper()
'''
_TESTS = """
import pytest
from stats import mean

def test_mean():
    assert mean([1, 2, 3]) == 2

def test_wrong():
    assert mean([1, 2]) == 1, "it is not one"

@pytest.mark.skip
def test_later():
    pass
"""


def _settings(model: ModelServer | None = None, **changes: object) -> Settings:
    limits: dict[str, object] = {"sandbox_memory_mb": 512, "sandbox_processes": 64, "sandbox_output_kb": 128}
    chosen = {} if model is None else {"llm_base_url": model.base_url, "llm_model": "scripted"}
    return make_settings(**(limits | chosen | changes))


async def _ask(
    skill: str, *files: File, text: str = "do it", model: ModelServer | None = None, **more: object
) -> Outcome:
    return await ask(text, skill=skill, files=files, settings=_settings(model, **more))


def _zip(files: dict[str, str]) -> File:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as opened:
        for name, text in files.items():
            opened.writestr(name, text)
    return File("project.zip", "application/zip", target.getvalue())


async def test_tests_that_come_along_are_run_and_counted_with_the_lines_they_cover() -> None:
    outcome = await _ask("test-code", python("stats.py", _STATS), python("test_stats.py", _TESTS))

    data = outcome.data
    assert (data["passed"], data["failed"], data["skipped"], data["errors"]) == (1, 1, 1, 0)
    assert data["written_by"] == "given"
    assert "it is not one" in outcome.text
    [file] = cast("list[JsonObject]", cast("JsonObject", data["coverage"])["files"])
    assert (file["file"], file["missing"]) == ("stats.py", [7, 16])
    assert outcome.error is None
    assert outcome.rows("ran")[0]["sandbox"] == "bubblewrap"


async def test_without_a_model_tests_are_made_from_signatures_and_say_what_they_do_not_check() -> None:
    outcome = await _ask("test-code", python("stats.py", _STATS))

    failed = {str(test["name"]) for test in outcome.rows("tests") if test["outcome"] == "failed"}
    assert any("mean" in name for name in failed)  # the mean of nothing
    assert any("label" in name for name in failed)  # no str comes back
    assert any("doctest" in str(test) or "stats.pick" in str(test) for test in outcome.rows("tests"))
    assert outcome.data["not_checked"] == ["stats.py: pick: no values are known for 'path', which is 'Path'"]
    assert "not that its results are right" in outcome.text
    assert outcome.files["test_smoke.py"].media_type == "text/x-python"


async def test_a_project_in_an_archive_is_tested_as_it_is() -> None:
    tests = "from pkg.core import f\n\ndef test_f():\n    assert f() == 1\n"
    code = "def f() -> int:\n    return 1\n"
    project = _zip({"pkg/__init__.py": "", "pkg/core.py": code, "tests/test_core.py": tests})
    outcome = await _ask("test-code", project)

    assert (outcome.data["passed"], outcome.data["failed"]) == (1, 0)
    assert outcome.archive is not None
    unpacked = archives.unpack(WorkFile("files.zip", outcome.archive.content or b""), 10_000)
    assert [file.name for file in unpacked] == ["pkg/__init__.py", "pkg/core.py", "tests/test_core.py"]


async def test_the_model_writes_tests_and_mends_those_that_cannot_run() -> None:
    broken = "`test_stats.py`\n```python\nfrom nowhere import x\n\ndef test_x(): pass\n```"
    good = "`test_stats.py`\n```python\nfrom stats import mean\n\ndef test_x():\n    assert mean([1]) == 1\n```"
    async with model_server(broken, good) as model:
        outcome = await _ask("test-code", python("stats.py", _STATS), model=model)
        repair = model.requests[1].prompt

    assert (outcome.data["written_by"], outcome.data["passed"], outcome.data["errors"]) == ("model", 1, 0)
    assert "No module named 'nowhere'" in repair
    assert outcome.files["test_stats.py"].content == good.split("```python\n")[1].removesuffix("```").encode()


async def test_the_model_cannot_change_the_code_that_it_tests() -> None:
    reply = "`stats.py`\n```python\ndef mean(values): return 2\n```\n`test_a.py`\n```python\ndef test_a(): pass\n```"
    async with model_server(reply) as model:
        outcome = await _ask("test-code", python("stats.py", _STATS), model=model)

    assert set(outcome.files) == {"test_a.py"}


@pytest.mark.parametrize("reply", [Failure(500), "I would rather not."])
async def test_a_model_that_writes_no_tests_leaves_those_from_signatures(reply: Fixed) -> None:
    async with model_server(otherwise=reply) as model:
        outcome = await _ask(
            "test-code", python("stats.py", "def one() -> int:\n    return 1\n"), model=model, code_max_repairs=0
        )

    assert (outcome.data["written_by"], outcome.data["failed"]) == ("signatures", 0)
    assert "made from signatures" in outcome.text


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            "import time\ndef test_x(): time.sleep(60)",
            "it ran longer than 4 s (SANDBOX_TIMEOUT_S)",
        ),
        ("import os\ndef test_x(): os._exit(0)", "the code ended the process before the tests were done"),
        ("x = 1", "pytest found no test"),
    ],
)
async def test_tests_that_bring_no_result_fail_the_task_with_why(code: str, words: str) -> None:
    outcome = await _ask("test-code", python("test_x.py", code), sandbox_timeout_s=4 if "sleep" in code else 20)

    assert outcome.error is not None
    assert words in outcome.error.detail


async def test_a_test_file_that_cannot_be_read_is_an_error_in_the_results() -> None:
    outcome = await _ask(
        "test-code", python("test_x.py", "def test_x(: pass"), python("test_y.py", "def test_y(): pass")
    )

    assert (outcome.data["errors"], outcome.data["passed"]) == (1, 1)
    assert "SyntaxError" in outcome.text


async def test_a_review_names_file_line_severity_and_rule() -> None:
    code = "import os\nfrom subprocess import call\n\ndef f(x):\n    call(x, shell=True)\n\ndef g():\n    return y\n"
    outcome = await _ask("review-code", python("pkg/a.py", code))

    found = {
        (each["file"], each["line"], each["rule"], each["severity"], each["source"])
        for each in outcome.rows("findings")
    }
    assert ("pkg/a.py", 5, "B602", "high", "bandit") in found
    assert ("pkg/a.py", 8, "F821", "high", "ruff") in found
    assert ("pkg/a.py", 1, "F401", "medium", "ruff") in found
    assert "no language model is configured" in outcome.text
    assert outcome.files["REVIEW.md"].media_type == "text/markdown"


async def test_code_with_nothing_to_mend_has_no_findings() -> None:
    outcome = await _ask(
        "review-code", python("a.py", '"""A."""\n\n\ndef one() -> int:\n    """Return one."""\n    return 1\n')
    )

    assert outcome.rows("findings") == []
    assert "Nothing was found." in outcome.text


async def test_a_review_without_the_model_still_has_what_the_tools_found() -> None:
    async with model_server(otherwise=Failure(500)) as model:
        outcome = await _ask("review-code", python("a.py", "import os\n"), model=model)

    assert outcome.data["checked_by"] == ["ruff", "bandit"]
    assert "The model could not review the code" in outcome.text


async def test_configuration_in_the_code_does_not_silence_the_review() -> None:
    config = File("pyproject.toml", "text/plain", b"[tool.ruff.lint]\nignore = ['ALL']\n")
    outcome = await _ask("review-code", python("a.py", "import os\n"), config)

    assert [each["rule"] for each in outcome.rows("findings")] == ["F401"]


async def test_other_languages_are_reviewed_by_the_model_alone() -> None:
    script = File("a.js", "text/javascript", b"let x = 1\n")
    async with model_server({"summary": "Fine.", "findings": []}) as model:
        reviewed = await _ask("review-code", script, model=model)
    refused = await _ask("review-code", script)

    assert reviewed.data["checked_by"] == ["model"]
    assert refused.error is not None
    assert "only Python can be reviewed" in refused.error.detail


async def test_documenting_adds_docstrings_and_a_readme_and_changes_nothing_else() -> None:
    outcome = await _ask("document-code", python("stats.py", _STATS))

    content = (outcome.files["stats.py"].content or b"").decode()
    assert '    """Mean.\n\n    Args:\n        values (list[float])\n\n    Returns:\n        float\n    """' in content
    assert content.count('"""Pick.') == 1
    assert outcome.data["docstrings_added"] == 3
    readme = (outcome.files["README.md"].content or b"").decode()
    assert "- `label(value: int) -> str`: Label." in readme


async def test_the_model_cannot_change_the_code_that_it_documents() -> None:
    evil: JsonObject = {"file": "stats.py", "name": "mean", "docstring": 'It is """ + evil() + """ fine.\\'}
    async with model_server({"docstrings": [evil], "readme": "# Stats"}) as model:
        outcome = await _ask("document-code", python("stats.py", "def mean(x):\n    return x\n"), model=model)

    code = (outcome.files["stats.py"].content or b"").decode()
    names: dict[str, object] = {}
    exec(code, names)
    assert "evil" not in names
    assert names["mean"].__doc__ == 'It is """ + evil() + """ fine.\\'


async def test_code_in_another_encoding_is_left_as_it_is_and_named() -> None:
    latin = File("latin.py", "text/x-python", "# coding: latin-1\ndef f():\n    return 'é'\n".encode("latin-1"))
    outcome = await _ask("document-code", latin, python("a.py", "def g():\n    return 1\n"))

    assert "latin.py" not in outcome.files
    assert outcome.data["not_documented"] == ["latin.py"]


async def test_a_readme_that_is_there_stays() -> None:
    given = File("README.md", "text/markdown", b"# Mine\n")
    outcome = await _ask("document-code", python("a.py", "def f() -> int:\n    return 1\n"), given)

    assert outcome.data["document"] == "API.md"
    assert "README.md" not in outcome.files


@pytest.mark.parametrize("skill", ["test-code", "review-code", "document-code"])
async def test_without_any_code_the_error_says_how_to_give_some(skill: str) -> None:
    outcome = await _ask(skill, File("data.csv", "text/csv", b"a,b"), text="please do it")

    assert outcome.error is not None
    assert outcome.error.slug == "invalid-request"
    assert "```python block" in outcome.error.detail


@pytest.mark.parametrize("skill", ["test-code", "document-code", "review-code"])
async def test_code_nested_beyond_reason_breaks_nothing(skill: str) -> None:
    deep = ("+".join(["1"] * 900), "list[" * 90 + "int" + "]" * 90, "-" * 900 + "1", " | ".join(["int"] * 900))
    code = [f"def f(x: {each} = 1) -> None: ...\n\n\nraise_it = {each}\n" for each in deep]
    outcome = await _ask(skill, *(python(f"deep{number}.py", text) for number, text in enumerate(code)))

    assert outcome.error is None or outcome.error.slug in {"invalid-request", "program-failed"}, outcome.error


_RUBBISH = (b"\x7fELF\x00\xff\xfe" * 50, b"", b"\xef\xbb\xbfx = 1\n", "é = 'ü'\n".encode("latin-1"))


@pytest.mark.parametrize("skill", ["test-code", "review-code", "document-code"])
async def test_binary_rubbish_as_code_is_an_answer_or_a_clear_error(skill: str) -> None:
    files = [File(f"odd{number}.py", "text/x-python", content) for number, content in enumerate(_RUBBISH)]
    outcome = await _ask(skill, *files)

    assert outcome.error is None or outcome.error.slug in {"invalid-request", "program-failed"}, outcome.error
    assert outcome.error is None or len(outcome.error.detail) > 20


@pytest.mark.parametrize("content", _RUBBISH)
async def test_binary_rubbish_as_a_program_is_run_or_fails_clearly(content: bytes) -> None:
    outcome = await _ask("run-code", File("odd.py", "text/x-python", content))

    assert outcome.error is None or outcome.error.slug == "program-failed", outcome.error


async def test_a_direct_message_is_done_by_the_skill_that_its_words_mean() -> None:
    code = "```python\nimport os\n```"
    reviewed = await ask(f"Please review this:\n{code}", skill=None, settings=_settings())
    documented = await ask("document this: def f(): return 1", skill=None, settings=_settings())

    assert reviewed.data["checked_by"] == ["ruff", "bandit"]
    assert documented.data["written_by"] == "signatures"
