"""Opens sessions on the terms of a request: which hosts, which credentials, which profile."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from playwright.async_api import Error

from browser_service.browser import Browser
from browser_service.browser_session import BrowserSession
from browser_service.credentials import Credentials
from browser_service.profiles import Profiles
from browser_service.session_events import Owner
from browser_service.settings import Settings
from browser_service.terms import Terms


class Rooms:
    """Hands out sessions on terms."""

    def __init__(self, settings: Settings, browser: Browser) -> None:
        self.profiles = Profiles(settings)
        self._browser = browser
        self._credentials = Credentials(settings)

    @asynccontextmanager
    async def open(
        self, owner: Owner, given: Terms, *, patience_s: float | None = None
    ) -> AsyncGenerator[BrowserSession]:
        """Open a session for `owner`; what it leaves is kept in the profile that `given` names.

        Raises: as `Browser.open_session`; TooLargeError when the profile cannot be kept.
        """
        state = await self.profiles.load(given.profile) if given.profile else None
        async with self._browser.open_session(
            owner, given.rules, storage_state=state, patience_s=patience_s
        ) as session:
            session.credentials = lambda name, url: self._credentials.give(name, url, given.credentials)
            yield session
            if given.profile:
                with suppress(Error):  # the browser is gone, and what it had with it
                    await self.profiles.save(given.profile, session.context)
