"""Prints `.env.example`: every setting of every service, from the settings themselves.

python -m federation.env_example > .env.example
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic.fields import FieldInfo

from federation.services import SETTINGS
from shared.settings import FederationSettings

_HEAD = """\
# Settings of Agent Federation, each with its default. Copy this file to .env and change what you need.
# Written by `make env-example` from the services' settings.
"""
_COMPOSE = """\
# ---- docker-compose.yml only ----

# Password of the PostgreSQL that is started along: letters and digits.
# POSTGRES_PASSWORD=
"""


def render() -> str:
    """Return the text of `.env.example`."""
    common = FederationSettings.model_fields
    parts = [_HEAD, *_section("Common to the services", common)]
    for name, kind in SETTINGS.items():
        own = {field: info for field, info in kind.model_fields.items() if field not in common}
        if own:
            parts += _section(f"The {name} service only", own)
    parts += [_COMPOSE]
    return "\n".join(parts)


def _section(title: str, fields: dict[str, FieldInfo]) -> Iterator[str]:
    yield f"# ---- {title} ----\n"
    for name, info in fields.items():
        yield f"# {info.description}\n# {name.upper()}={_show(info.get_default(call_default_factory=False))}\n"


def _show(default: object) -> str:
    match default:
        case None:
            return ""
        case bool():
            return str(default).lower()
        case tuple() | list():
            return ",".join(map(str, default))  # pyright: ignore[reportUnknownArgumentType] - a setting's own default
        case float():
            return f"{default:g}"
        case Path():
            return default.as_posix()
        case _:
            return str(default)


if __name__ == "__main__":
    sys.stdout.write(render())
