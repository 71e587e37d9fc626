"""Settings from the environment and `.env`, with sentences for what is wrong in them."""

import logging
from pathlib import Path
from typing import Final, TypeVar

from pydantic import ValidationError

from shared.errors import InvalidRequestError
from shared.settings import FederationSettings

_FILE = Path(".env")
_said: Final[set[tuple[object, ...]]] = set()
_Settings = TypeVar("_Settings", bound=FederationSettings)


def read(kind: type[_Settings]) -> _Settings:
    """Return settings from the environment and `.env`. Raises: InvalidRequestError, which names each that is wrong."""
    logging.getLogger("dotenv.main").addFilter(_name_the_file)
    try:
        return kind()  # pyright: ignore[reportCallIssue] - every setting has a default
    except ValidationError as error:
        raise InvalidRequestError("\n".join(_sentences(kind, error))) from None
    except UnicodeDecodeError as error:
        raise InvalidRequestError(
            f"{_FILE.resolve()} is not written in UTF-8 (byte {error.start + 1} is {error.object[error.start]:#04x}). "
            "Save it as UTF-8, or take it away."
        ) from None
    except OSError as error:
        raise InvalidRequestError(f"{_FILE.resolve()} cannot be read ({error.strerror}). Make it readable.") from None


def _name_the_file(record: logging.LogRecord) -> bool:
    """Let python-dotenv's only warning, of a line that is no setting, say where the line is, and once."""
    line = record.args[0] if isinstance(record.args, tuple) and record.args else ""
    record.msg = "%s: what begins at line %s is no setting (NAME=value), and is left out."
    record.args = (_FILE.resolve(), line)
    is_news = record.args not in _said
    _said.add(record.args)
    return is_news


def _sentences(kind: type[FederationSettings], error: ValidationError) -> list[str]:
    found: list[str] = []
    for fault in error.errors(include_url=False):
        name = str(fault["loc"][0]) if fault["loc"] else ""
        field = kind.model_fields.get(name)
        secret = field is None or "SecretStr" in str(field.annotation)
        given = "" if secret else f" (it is {str(fault['input'])!r})"
        why = fault["msg"].removeprefix("Value error, ")
        found.append(f"{name.upper()}{given}: {why}. Correct it in the environment or in .env.")
    return found
