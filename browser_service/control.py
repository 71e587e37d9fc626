"""A person takes over a session: its task waits, mouse and keys come from the person, until it is handed back."""

import secrets
from typing import Annotated, Literal, TypeAlias

from playwright.async_api import Error
from pydantic import BaseModel, ConfigDict, Field

from browser_service.session_events import Watched
from shared.errors import ConflictError, FederationError

_Pixels = Annotated[float, Field(ge=0, le=20_000)]
_Delta = Annotated[float, Field(ge=-20_000, le=20_000)]


class NotInControlError(FederationError):
    """Mouse or keys from someone who has not taken over."""

    slug = "not-in-control"
    title = "You have not taken this session over"
    status = 403


class _Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Mouse(_Input):
    """The mouse, in pixels of the viewport."""

    type: Literal["mouse"]
    action: Literal["move", "down", "up", "wheel"]
    x: _Pixels
    y: _Pixels
    button: Literal["left", "middle", "right"] = "left"
    delta_x: _Delta = 0
    delta_y: _Delta = 0


class Key(_Input):
    """A key, as KeyboardEvent.key names it."""

    type: Literal["key"]
    action: Literal["down", "up"]
    key: Annotated[str, Field(min_length=1, max_length=40)]


class Typed(_Input):
    """Text at once, such as from a clipboard."""

    type: Literal["text"]
    text: Annotated[str, Field(min_length=1, max_length=10_000)]


PersonInput: TypeAlias = Annotated[Mouse | Key | Typed, Field(discriminator="type")]


class Control:
    """Who has a session: its task, or the one person who holds the token."""

    def __init__(self, session: Watched) -> None:
        self._session = session
        self._token: str | None = None

    @property
    def is_taken(self) -> bool:
        """Whether a person has the session."""
        return self._token is not None

    def take(self) -> str:
        """Hold the task and return the token. Raises: ConflictError when a person has the session already."""
        if self._token is not None:
            raise ConflictError("Someone has taken this session over already; it can be taken when it is handed back.")
        self._token = secrets.token_urlsafe(24)
        self._session.hold()
        return self._token

    def give_back(self, token: str) -> None:
        """Let the task go on. Raises: NotInControlError."""
        self.require(token)
        self.end()

    def end(self) -> None:
        """Let the task go on, whoever has the session."""
        self._token = None
        self._session.release()

    def require(self, token: str) -> None:
        """Raise NotInControlError unless the token is the one that taking over gave."""
        if self._token is None or not secrets.compare_digest(self._token.encode(), token.encode()):
            raise NotInControlError("Take the session over first: POST …/control gives the token for mouse and keys.")

    async def perform(self, given: PersonInput) -> None:
        """Move the mouse or press keys in the page. What the page does not take is let go."""
        page = self._session.page
        try:
            match given:
                case Mouse(action="move", x=x, y=y):
                    await page.mouse.move(x, y)
                case Mouse(action="wheel", x=x, y=y, delta_x=delta_x, delta_y=delta_y):
                    await page.mouse.move(x, y)
                    await page.mouse.wheel(delta_x, delta_y)
                case Mouse(action="down", x=x, y=y, button=button):
                    await page.mouse.move(x, y)
                    await page.mouse.down(button=button)
                case Mouse(x=x, y=y, button=button):
                    await page.mouse.move(x, y)
                    await page.mouse.up(button=button)
                case Key(action="down", key=key):
                    await page.keyboard.down(key)
                case Key(key=key):
                    await page.keyboard.up(key)
                case Typed(text=text):
                    await page.keyboard.insert_text(text)
        except Error:  # an unknown key, or a page that is gone
            return
