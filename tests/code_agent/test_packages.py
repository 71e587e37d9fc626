"""Packages beyond the standard library: those of one folder of wheels, and JavaScript where Node is."""

import asyncio
import base64
import hashlib
import shutil
import zipfile
from pathlib import Path

import pytest

from shared.agent import File
from shared.errors import InvalidRequestError
from tests.code_agent.asking import ask, make_settings

_SCRIPT = '# /// script\n# dependencies = ["{wanted}"]\n# ///\nimport {module}\nprint({module}.answer())\n'


def _wheel(folder: Path, name: str, version: str, code: str, requires: str = "") -> None:
    """Write a wheel with one module."""
    info = f"{name}-{version}.dist-info"
    needed = f"Requires-Dist: {requires}\n" if requires else ""
    files = {
        f"{name}/__init__.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"../{name}-escaped.py": "outside",
        "evil.pth": "import os",
    }
    record = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()},{len(text)}"
        for path, text in files.items()
    ]
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in (files | {f"{info}/RECORD": "\n".join(record)}).items():
            wheel.writestr(path, text)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """Return a folder of wheels: adder, which needs helper in a version."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    _wheel(folder, "adder", "1.0", "import helper\ndef answer(): return helper.answer() + 1\n", "helper (<2)")
    _wheel(folder, "helper", "1.5", "def answer(): return 41\n")
    _wheel(folder, "helper", "2.0", "def answer(): return 0\n")
    (folder / "adder-9.0-cp27-cp27m-win32.whl").write_bytes(b"")
    (folder / "not a wheel.whl").write_bytes(b"")
    return folder


async def test_a_program_has_the_packages_it_names_and_what_they_need(tmp_path: Path, shelf: Path) -> None:
    settings = make_settings(data_dir=tmp_path, sandbox_wheels=shelf)
    code = _SCRIPT.format(wanted="adder>=1", module="adder")
    inline = await ask(f"```python\n{code}```", settings=settings)
    asked = await ask(
        "", settings=settings, data=[{"code": "import helper; print(helper.answer())", "packages": ["helper"]}]
    )
    attached = await ask("run it", settings=settings, files=[File("go.py", "text/x-python", code.encode())])

    assert (inline.text, asked.text, attached.text) == ("42", "0", "42")
    assert await asyncio.to_thread(lambda: list(tmp_path.rglob("*-escaped.py"))) == []


async def test_packages_are_not_seen_by_programs_that_do_not_ask(tmp_path: Path, shelf: Path) -> None:
    settings = make_settings(data_dir=tmp_path, sandbox_wheels=shelf)
    outcome = await ask("run: import helper", settings=settings)

    assert outcome.error is not None
    assert "No module named 'helper'" in outcome.error.detail


async def test_packages_cannot_be_changed_by_a_program(tmp_path: Path, shelf: Path) -> None:
    settings = make_settings(data_dir=tmp_path, sandbox_wheels=shelf)
    code = "import helper; open(helper.__file__, 'a').write('x')"
    outcome = await ask("", settings=settings, data=[{"code": code, "packages": ["helper"]}])

    assert outcome.error is not None
    assert any(words in outcome.error.detail for words in ("Read-only file system", "Permission denied"))


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("requests", "may not be used here. Those that may (SANDBOX_WHEELS): adder 1.0; helper 1.5, 2.0"),
        ("helper>3", "'helper>3' may not be used here"),
        ("not a name!", "is not the name of a package"),
        ("x @ https://example.org/x.whl", "may not be used here"),
    ],
)
async def test_other_packages_are_refused_with_those_that_may(
    tmp_path: Path, shelf: Path, wanted: str, words: str
) -> None:
    settings = make_settings(data_dir=tmp_path, sandbox_wheels=shelf)
    outcome = await ask("", settings=settings, data=[{"code": "pass", "packages": [wanted]}])

    assert outcome.error is not None
    assert outcome.error.slug == "invalid-request"
    assert words in outcome.error.detail


@pytest.mark.parametrize(
    "wanted",
    ["adder; python_full_version ~= 'abc'", "adder; '1' in '2'", f"adder; {'(' * 5_000}", f'", {"[" * 5_000}, "'],
    ids=["comparison", "name", "deep", "deep list"],
)
async def test_a_package_under_a_condition_that_means_nothing_is_refused(shelf: Path, wanted: str) -> None:
    script = _SCRIPT.format(wanted=wanted, module="adder")
    outcome = await ask(f"```python\n{script}```", settings=make_settings(sandbox_wheels=shelf))

    assert isinstance(outcome.error, InvalidRequestError)


async def test_without_a_folder_of_wheels_the_error_says_how_to_allow_some() -> None:
    outcome = await ask("", data=[{"code": "pass", "packages": ["numpy"]}])

    assert outcome.error is not None
    assert "SANDBOX_WHEELS" in outcome.error.detail


async def test_a_broken_wheel_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken-1.0-py3-none-any.whl").write_bytes(b"rubbish")
    settings = make_settings(data_dir=tmp_path / "data", sandbox_wheels=tmp_path)
    outcome = await ask("", settings=settings, data=[{"code": "pass", "packages": ["broken"]}])

    assert outcome.error is not None
    assert "broken-1.0-py3-none-any.whl" in outcome.error.detail


async def test_javascript_runs_where_node_is_and_is_refused_where_not(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "```js\nrequire('fs').writeFileSync('a.json', '[1]'); console.log(6 * 7)\n```"
    if shutil.which("node"):
        found = await ask(text, settings=make_settings(sandbox_memory_mb=256))
        hungry = await ask("```js\nlet x = []; while (true) x.push('y'.repeat(1000) + x.length)\n```")

        assert (found.text.split("\n")[0], set(found.files)) == ("42", {"a.json"})
        assert hungry.error is not None
        assert "SANDBOX_MEMORY_MB" in hungry.error.detail
    monkeypatch.setenv("PATH", "/nowhere")
    refused = await ask(text, settings=make_settings(sandbox_bwrap="/usr/bin/bwrap"))

    assert refused.error is not None
    assert "apt install nodejs" in refused.error.detail
