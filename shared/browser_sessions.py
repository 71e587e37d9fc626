"""What the browser service tells of its sessions, to the orchestrator and to those who watch."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class BrowserStep(_Part):
    """An action of a session, and how it went. `thumbnail`: there is a picture of the page after it."""

    number: int
    description: str
    status: Literal["running", "passed", "failed"] = "running"
    url: str = ""
    started_at: datetime
    duration_ms: int | None = None
    error: str | None = None
    thumbnail: bool = False


class KeptFile(_Part):
    """A file that is kept: what it is, and how large."""

    media_type: str
    size_bytes: int


class Viewport(_Part):
    """How large a session's page is, in CSS pixels."""

    width: int = 1280
    height: int = 800


class SessionInfo(_Part):
    """A session. `remote_task_id` is the A2A task that it works for; `held`: a person has taken over."""

    id: str
    remote_task_id: str
    status: Literal["open", "closed"] = "open"
    held: bool = False
    title: str = ""
    url: str = ""
    viewport: Viewport = Viewport()
    opened_at: datetime
    closed_at: datetime | None = None
    expires_at: datetime | None = None
    steps: tuple[BrowserStep, ...] = ()
    recording: KeptFile | None = None
    trace: KeptFile | None = None


class Control(_Part):
    """What mouse and keys are accepted with from who has taken a session over."""

    token: str
