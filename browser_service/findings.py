"""What the actions of a task bring: readings, checks, pictures, files; and what a session keeps between actions."""

from dataclasses import dataclass, field

from pydantic import JsonValue

from browser_service.checks import CheckResult
from browser_service.page_content import Content
from browser_service.pictures import Picture
from browser_service.reading import What
from shared.agent import File


@dataclass(frozen=True, slots=True)
class Reading:
    """A page as it was when something of it was asked for."""

    what: What
    content: Content
    status: int | None


@dataclass(frozen=True, slots=True)
class PartReading:
    """What was read off one part of a page: a label, text for people, and the same as JSON."""

    label: str
    text: str
    data: JsonValue


@dataclass(slots=True)
class Findings:
    """What the actions of one task have brought so far. `patience_s` is left for checks that may yet come true.

    `cached`: steps that were done by the cache of actions or by a model, each with "hit", "healed" or "miss".
    `unread`: pieces of the request that were not understood. `notes`: what should be known about the answer. `noted`:
    the text that "it" stands for in plain words.
    """

    patience_s: float
    readings: list[Reading] = field(default_factory=list[Reading])
    parts: list[PartReading] = field(default_factory=list[PartReading])
    checks: list[CheckResult] = field(default_factory=list[CheckResult])
    pictures: list[Picture] = field(default_factory=list[Picture])
    files: list[File] = field(default_factory=list[File])
    cached: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    unread: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    noted: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.readings or self.parts or self.checks or self.pictures or self.files)
