"""Agent templates: YAML files, strictly checked, read again when they change.

    name: translator
    description: Translates texts.
    skills:
      - {id: translate, name: Translate, description: Translates a text., tags: [translate, language]}
    prompt: You translate what you are given.
    tools: {mcp: [{server: glossary, allow: [look_up]}], skills: [research]}

A file that is no good keeps what it said before; what is wrong with it stands in `problems`.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from shared import yaml_models
from shared.agent import JsonObject
from shared.llm import Role
from shared.yaml_models import Fault

logger = logging.getLogger(__name__)

SHIPPED: Final = Path(__file__).parent / "agents"

_SUFFIXES: Final = frozenset({".yaml", ".yml"})
_MOST_FILES: Final = 500

Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Words = Annotated[str, StringConstraints(min_length=1, max_length=2_000, strip_whitespace=True)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TemplateSkill(_Strict):
    """A skill that the agent offers; the registry ranks by all of its texts."""

    id: Id
    name: Words
    description: Words
    tags: Annotated[list[Words], Field(min_length=1, max_length=50)]
    examples: list[Words] = Field(default_factory=list[str], max_length=20)


class McpTools(_Strict):
    """Tools of a server in MCP_SERVERS: those that are named here and allowed there; without names all allowed ones."""

    server: Id
    allow: list[Words] | None = Field(default=None, max_length=200)


class Tools(_Strict):
    """What the agent may use: tools of MCP servers, and skills of other agents of the federation."""

    mcp: list[McpTools] = Field(default_factory=list[McpTools], max_length=16)
    skills: list[Id] = Field(default_factory=list[str], max_length=32)


class Template(_Strict):
    """An agent: what it can do, what it is told, which model it asks (of a `role`, or by its name), what it may use."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,26}$")]
    title: Words | None = None
    description: Words
    skills: Annotated[list[TemplateSkill], Field(min_length=1, max_length=20)]
    prompt: Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
    role: Role = "summarize"
    model: Words | None = None
    tools: Tools = Tools()
    max_tokens: Annotated[int, Field(ge=64, le=32_000)] = 4_096

    @model_validator(mode="after")
    def _has_each_skill_once(self) -> "Template":
        ids = [skill.id for skill in self.skills]
        if len(set(ids)) < len(ids):
            raise ValueError("two skills have the same id")
        if set(ids) & set(self.tools.skills):
            raise ValueError("an agent cannot use its own skill as a tool")
        return self


@dataclass(frozen=True, slots=True)
class Problem:
    """A template that cannot be used as it is."""

    file: str
    fault: Fault

    def to_json(self) -> JsonObject:
        """Return it as the host shows it."""
        return {"file": self.file, **self.fault.to_json()}


class Templates:
    """The templates of folders; of two with the same name the one of the later folder holds."""

    def __init__(self, *folders: Path) -> None:
        self._folders = folders
        self._digests: dict[Path, bytes] = {}
        self._read: dict[Path, Template] = {}
        self._problems: dict[Path, list[Problem]] = {}

    @property
    def problems(self) -> list[Problem]:
        """What is wrong with files, by file and line."""
        return [problem for path in sorted(self._problems) for problem in self._problems[path]]

    def load(self) -> Mapping[str, Template]:
        """Return the templates as the files say now, by name. Only files that changed are parsed."""
        paths = [path for folder in self._folders for path in _files(folder)][:_MOST_FILES]
        for known in (self._read, self._digests, self._problems):
            for path in [path for path in known if path not in paths]:
                del known[path]
        for path in paths:
            self._look(path)
        return {self._read[path].name: self._read[path] for path in paths if path in self._read}

    def _look(self, path: Path) -> None:
        try:
            content = path.read_bytes()
        except OSError as error:
            self._digests.pop(path, None)
            self._problems[path] = [Problem(path.name, Fault(1, 1, "", f"it cannot be read: {error.strerror}"))]
            return
        digest = hashlib.sha256(content).digest()
        if self._digests.get(path) == digest:
            return
        self._digests[path] = digest
        try:
            self._read[path] = yaml_models.read(content, Template)
        except yaml_models.YamlModelError as error:
            self._problems[path] = [Problem(path.name, fault) for fault in error.faults]
            logger.warning("an agent template is not followed", extra={"file": path.name, "reason": str(error)[:1_000]})
        else:
            self._problems.pop(path, None)


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES and path.is_file())
