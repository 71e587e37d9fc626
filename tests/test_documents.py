"""The documents say what is so: links resolve, and commands, settings, routes and examples in them exist."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from federation.cli import app as command_line
from federation.services import SETTINGS
from orchestrator_service import main
from orchestrator_service.settings import Settings

_ROOT = Path(__file__).resolve().parents[1]
_DOCUMENTS = sorted(
    path.relative_to(_ROOT).as_posix()
    for path in (*_ROOT.glob("*.md"), *(_ROOT / "docs").rglob("*.md"), *(_ROOT / "benchmarks").rglob("*.md"))
)
_EXAMPLES = ["examples/hello_agent.py", "examples/client.py"]
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)+/?|[\w-]+\.(?:py|md|yml|toml|lock)|Makefile|\.env\.example")
_SETTING = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
_NOT_SETTINGS = {
    "TEST_POSTGRES_URL",
    "TEST_ARGS",
    "POSTGRES_PASSWORD",
    "VITE_API_URL",
    "FEDERATION_FAILPOINT",
    "STREAMING_URL",
}
_OF_A2A = ("TASK_STATE_", "ROLE_")
_ROUTE = re.compile(r"\b(?:GET|POST|PATCH|DELETE)\b|/(?:api|execute|health|ready|metrics)\b[\w/{}-]*")


def read(name: str) -> str:
    return (_ROOT / name).read_text(encoding="utf-8")


def spans(name: str) -> Iterator[str]:
    """Yield what a document shows as code: spans, and lines of blocks."""
    text = read(name)
    yield from _CODE.findall(_BLOCK.sub("", text))
    for block in _BLOCK.findall(text):
        yield from block.splitlines()[1:-1]


def anchors(text: str) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+?) *$", _BLOCK.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", _DOCUMENTS)
def test_every_link_leads_somewhere(name: str) -> None:
    for target in _LINK.findall(_BLOCK.sub("", read(name))):
        if re.match(r"[a-z]+:", target):
            continue
        place, _, anchor = target.partition("#")
        path = (_ROOT / name).parent / place if place else _ROOT / name
        assert path.exists(), f"{name}: {target}"
        assert not anchor or anchor in anchors(path.read_text(encoding="utf-8")), f"{name}: {target}"


@pytest.mark.parametrize("name", _DOCUMENTS)
def test_every_file_and_folder_that_is_named_exists(name: str) -> None:
    tops = {path.name for path in _ROOT.iterdir()} - {"data"}
    for span in _CODE.findall(_BLOCK.sub("", read(name))):
        if _PATH.fullmatch(span) and span.split("/")[0] in tops:
            assert list(_ROOT.glob(span.rstrip("/"))), f"{name}: {span}"


@pytest.mark.parametrize("name", _DOCUMENTS)
def test_every_setting_that_is_named_exists(name: str) -> None:
    known = {setting.upper() for kind in SETTINGS.values() for setting in kind.model_fields} | _NOT_SETTINGS
    named = {word for span in spans(name) for word in _SETTING.findall(span) if not word.startswith(_OF_A2A)}
    assert named <= known, f"{name}: {sorted(named - known)}"


@pytest.mark.parametrize("name", ["docs/configuration.md", "docs/agents.md"])
def test_every_default_that_is_given_is_the_settings_own(name: str) -> None:
    fields = {field.upper(): info for kind in SETTINGS.values() for field, info in kind.model_fields.items()}
    compared = 0
    for row in re.findall(r"^\| (`[A-Z][^|]*) \| ([^|]+) \|", read(name), re.MULTILINE):
        settings, values = _CODE.findall(row[0]), row[1].replace("`", "").split(", ")
        if len(settings) == len(values) and all(re.fullmatch(r"[\w.]+", value) for value in values):
            for setting, value in zip(settings, values, strict=True):
                default = fields[setting].default
                assert value == (f"{default:g}" if isinstance(default, float) else str(default).lower()), setting
                compared += 1
    assert compared > 10


@pytest.mark.parametrize("name", _DOCUMENTS)
def test_every_make_target_that_is_named_exists(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    for span in spans(name):
        for target in re.findall(r"(?:^|[$;&] )make ((?:-s )?[a-z][a-z-]*)", span):
            assert target.removeprefix("-s ") in targets, f"{name}: {span}"


@pytest.mark.parametrize("name", _DOCUMENTS)
def test_every_command_and_option_that_is_shown_exists(name: str) -> None:
    for span in spans(name):
        if shown := re.search(r"(?:^|\$ |/)federation (?P<arguments>[a-z-].*)", span):
            _check_command(shlex.split(shown["arguments"], comments=True))


def _check_command(words: list[str]) -> None:
    command = typer.main.get_command(command_line)
    for word in words:
        if word.startswith("-"):
            options = {
                option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
            }
            assert word in options | {"--help"}, words
        elif isinstance(command, TyperGroup):
            assert word in command.commands, words
            command = command.commands[word]


def test_the_api_document_has_every_route_and_no_other(tmp_path: Path) -> None:
    openapi = main.create(Settings.model_validate({"data_dir": tmp_path})).openapi()
    served = {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path))
        for path, calls in openapi["paths"].items()
        for method in calls
        if path.startswith(("/api", "/execute", "/health", "/ready", "/metrics"))
    }
    described: set[tuple[str, str]] = set()
    for cell in re.findall(r"^\| (`(?:GET|POST|PATCH|DELETE).*?`) \|", read("docs/api.md"), re.MULTILINE):
        methods: list[str] = []
        for word in _ROUTE.findall(cell):
            if word.isupper():
                methods.append(word)
            else:
                described |= {(method, re.sub(r"\{\w+\}", "{}", word)) for method in methods}
                methods = []
    assert described == served


def test_the_readme_shows_the_examples_as_they_are() -> None:
    shown = re.findall(r"^```python\n(.*?)^```", read("README.md"), re.MULTILINE | re.DOTALL)
    assert len(shown) == len(_EXAMPLES)
    for example, code in zip(_EXAMPLES, shown, strict=True):
        assert code in read(example), f"{example} has changed: README.md shows another one."


@pytest.mark.parametrize("name", [*_DOCUMENTS, *_EXAMPLES, "docs/architecture.svg"])
def test_no_path_of_the_machine_it_was_written_on_is_left(name: str) -> None:
    assert not re.search(r"(?<![\w.])/(?:work|tmp|home|root|Users)/", read(name))


def test_the_picture_needs_nothing_from_elsewhere() -> None:
    picture = read("docs/architecture.svg").replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?:|@import|url\((?!#)|<script|<image", picture)


def test_every_benchmark_has_its_place_in_their_document() -> None:
    document = read("benchmarks/README.md")
    scripts = [path.name for path in (_ROOT / "benchmarks").glob("*.py") if path.name != "__init__.py"]
    assert scripts
    for script in scripts:
        assert script in document, script
