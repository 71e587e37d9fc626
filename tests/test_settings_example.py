"""`.env.example` says what the services' settings say."""

import re
from pathlib import Path

from federation import env_example
from federation.services import SETTINGS

_ROOT = Path(__file__).resolve().parents[1]


def test_the_example_is_what_the_settings_say() -> None:
    written = (_ROOT / ".env.example").read_text(encoding="utf-8")
    assert written == env_example.render(), "Settings have changed: run `make env-example`."


def test_every_setting_of_every_service_is_in_the_example_with_a_description() -> None:
    lines = env_example.render().splitlines()
    for kind in SETTINGS.values():
        for name in kind.model_fields:
            place = next(place for place, line in enumerate(lines) if re.match(rf"# {name.upper()}=", line))
            assert len(lines[place - 1]) > len("# None")


def test_the_example_as_it_stands_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(env_example.render(), encoding="utf-8")
    uncommented = tmp_path / "uncommented.env"
    uncommented.write_text(re.sub(r"(?m)^# ([A-Z0-9_]+=)", r"\1", env_example.render()), encoding="utf-8")
    for kind in SETTINGS.values():
        default = kind(_env_file=None)  # pyright: ignore[reportCallIssue]
        assert kind(_env_file=path) == default  # pyright: ignore[reportCallIssue]
        assert kind(_env_file=uncommented) == default  # pyright: ignore[reportCallIssue]
