"""The browser agent: reads the request as actions, performs them one after another, tells what they brought."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from itertools import zip_longest

from pydantic import JsonValue, TypeAdapter, ValidationError

from browser_service import (
    actions,
    answers,
    card,
    instructions,
    last_look,
    navigation,
    page_testing,
    performing,
    terms,
    tinyfish,
)
from browser_service.actions import ACTIONS, Action, InWords, Navigate
from browser_service.browser import Browser, open_browser
from browser_service.browser_session import BrowserSession
from browser_service.checks import CheckResult
from browser_service.driving import Allowance, Driver
from browser_service.errors import BrowserGoneError, ElementNotFoundError, NotUnderstoodError
from browser_service.findings import Findings, Reading
from browser_service.held_sessions import HeldSessions
from browser_service.instructions import Instructions
from browser_service.page_testing import PageTester
from browser_service.rooms import Rooms
from browser_service.session_events import Owner, SessionWatcher
from browser_service.settings import Settings
from browser_service.tinyfish import TinyFish
from browser_service.wishes import Wishes
from shared import http
from shared.agent import METADATA_KEY, AgentRequest, OpenAgent, Produced, Progress, Update
from shared.background import background
from shared.errors import FederationError, InvalidRequestError
from shared.llm import MODEL_ERRORS, Model, open_model

_PLACES = TypeAdapter(list[tuple[int, int]])
_HARMLESS = frozenset({"navigate", "back", "extract", "assert", "screenshot", "wait_for", "scroll", "hover"})


class BrowserAgent:
    """Answers requests with a browser, and a model for the steps that the grammar leaves unread."""

    def __init__(
        self,
        settings: Settings,
        browser: Browser,
        rooms: Rooms,
        model: Model | None,
        elsewhere: TinyFish | None = None,
    ) -> None:
        self._settings = settings
        self._browser = browser
        self._model = model
        self._rooms = rooms
        self._wishes = Wishes()
        self._driver = Driver(settings, self._wishes)
        self._tester = PageTester(settings, browser, model, elsewhere)

    async def answer(self, request: AgentRequest) -> AsyncGenerator[Update]:
        """Do what `request` asks on a page of its own; once more if the browser dies before anything was changed."""
        if (wanted := page_testing.requested(request)) is not None:
            async with aclosing(self._tester.run(wanted, lambda: self._open_session(request))) as updates:
                async for update in updates:
                    yield update
            return
        read = _read(request)
        is_verification = request.skill == card.VERIFY or any(action.do == "assert" for action in read.actions)
        if is_verification and read.unread:
            raise InvalidRequestError(
                f"This could not be read as a check: {read.unread[0][:200]!r}. Say for example: verify that URL shows "
                "'Welcome', has a link 'Docs', the title is 'Home'."
            )
        if self._browser.is_full:
            yield Progress(f"Waiting for a free page; all {self._settings.browser_max_pages} are in use")
        for attempt in range(2):
            findings = Findings(patience_s=self._settings.browser_action_timeout_s)
            done: list[Action] = []
            try:
                async with self._open_session(request) as session:
                    try:
                        work = self._work(request, read, session, findings, done, is_verification)
                        async with aclosing(work) as updates:
                            async for update in updates:
                                yield update
                    except FederationError as error:
                        if (picture := await last_look.take(session, error)) is not None:
                            yield Produced(picture)
                        raise
                break
            except BrowserGoneError:
                if attempt or any(action.do not in _HARMLESS for action in done):
                    raise
                yield Progress("The browser died and is started again; beginning anew")

    async def _work(
        self,
        request: AgentRequest,
        read: Instructions,
        session: BrowserSession,
        findings: Findings,
        done: list[Action],
        is_verification: bool,
    ) -> AsyncGenerator[Update]:
        """Do the actions one after the other, and tell what they brought. `done` gets each action as it begins."""
        allowance = _allowance(self._settings, request)
        model = self._model.serving(request) if self._model is not None else None
        for file in request.files:
            await session.files.add(file)
        for action, following in zip_longest(read.actions, read.actions[1:]):
            assert action is not None  # noqa: S101 - only the second one may be missing
            yield Progress(actions.describe(action))
            done.append(action)
            step = ""
            failure: ElementNotFoundError | None = None
            try:
                await performing.perform(action, session, findings, self._wishes, following=following)
            except NotUnderstoodError:
                step = action.words if isinstance(action, InWords) else actions.describe(action)
            except ElementNotFoundError as error:
                if is_verification:
                    # In a verification, what does not work on the page is a failed check.
                    findings.checks.append(CheckResult(actions.describe(action), passed=False, details=error.detail))
                    break
                if self._model is None or action.do in {"assert", "wait_for"}:
                    raise
                failure = error
                step = action.words if isinstance(action, InWords) else actions.describe(action)
            if step:
                driving = self._drive(step, session, findings, allowance, read.urls, model, failure)
                async with aclosing(driving) as updates:
                    async for update in updates:
                        yield update
            if session.status is not None and session.status >= 400 and not is_verification:
                raise navigation.explain_status(session.url, session.status)
        if not is_verification and findings.is_empty:  # what was asked was not understood: at least what is there
            content = await performing.read_page(session)
            findings.readings += [Reading(what, content, session.status) for what in ("title", "heading", "text")]
        told = answers.Told(read.urls[0], session.url, session.status, session.is_settled, tuple(findings.unread))
        for update in answers.compose(findings, told, is_verification=is_verification):
            yield update

    def _open_session(self, request: AgentRequest) -> AbstractAsyncContextManager[BrowserSession]:
        """Open a session for the request, on the terms that it names. Raises: as `Rooms.open`."""
        return self._rooms.open(Owner(request.task_id, request.context_id, request.caller), terms.read(request.data))

    async def _drive(
        self,
        step: str,
        session: BrowserSession,
        findings: Findings,
        allowance: Allowance,
        urls: tuple[str, ...],
        model: Model | None,
        failure: ElementNotFoundError | None,
    ) -> AsyncGenerator[Update]:
        """Do a step that the grammar could not; what nobody can do fails with its `failure`, else is not understood."""
        try:
            async for update in self._driver.do(step, session, findings, allowance, urls, model):
                yield update
        except (NotUnderstoodError, *MODEL_ERRORS) as error:
            if failure is not None:
                raise failure from error
            findings.unread.append(step)


@asynccontextmanager
async def open_agent(
    settings: Settings, watchers: Sequence[SessionWatcher] = (), held: HeldSessions | None = None
) -> AsyncGenerator[OpenAgent]:
    """Open the browser, which starts in the background, and the model if one is configured; `held` has sessions too."""
    async with (
        open_browser(settings, watchers) as browser,
        open_model(settings, "planner") as model,
        http.open_client(settings) as client,
    ):
        elsewhere = tinyfish.create(settings, client)
        rooms, held = Rooms(settings, browser), held or HeldSessions(settings)
        held.begin(browser, rooms)
        async with background("idle browser sessions", held.close_idle()):
            try:
                yield OpenAgent(BrowserAgent(settings, browser, rooms, model, elsewhere).answer, browser.problems)
            finally:
                await held.end()


def _read(request: AgentRequest) -> Instructions:
    """Return what is asked: the actions of a JSON part, else the words. Raises: InvalidRequestError."""
    for part in request.data:
        if isinstance(part, dict) and "actions" in part:
            given = _given(part["actions"])
            urls = tuple(dict.fromkeys(action.url for action in given if isinstance(action, Navigate)))
            if not isinstance(given[0], Navigate):
                raise InvalidRequestError("The first action must be `navigate`: a task begins on a blank page.")
            return Instructions(tuple(given), (), urls)
    return instructions.parse(request.text, request.skill, _named_url(request.data), peer_text=_peer_text(request))


def _given(raw: JsonValue) -> list[Action]:
    try:
        return ACTIONS.validate_python(raw)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        place = "/".join(str(step) for step in wrong["loc"])
        raise InvalidRequestError(f"`actions` is not a list of actions: {place}: {wrong['msg']}.") from error


def _named_url(data: tuple[JsonValue, ...]) -> str | None:
    for part in data:
        if isinstance(part, dict) and isinstance(url := part.get("url"), str):
            return url
    return None


def _peer_text(request: AgentRequest) -> list[tuple[int, int]]:
    """Return where in the request's text stands what other agents said. Raises: InvalidRequestError."""
    call = request.metadata.get(METADATA_KEY)
    try:
        places = _PLACES.validate_python(call.get("peer_text", ()) if isinstance(call, dict) else ())
    except ValidationError as error:
        raise InvalidRequestError("`peer_text` is not a list of places [start, end] in the text.") from error
    ends = [0, *(end for place in places for end in place), len(request.text)]
    if ends != sorted(ends):
        raise InvalidRequestError("The places of `peer_text` are not in the text, or not in their order.")
    return places


def _allowance(settings: Settings, request: AgentRequest) -> Allowance:
    """Return what the task may spend: the settings' limit, or what is left of the request's budget if that is less."""
    call = request.metadata.get(METADATA_KEY)
    budget = call.get("budget") if isinstance(call, dict) else None
    left = budget.get("cost_usd") if isinstance(budget, dict) else None
    limits = [each for each in (settings.browser_max_cost_usd, left) if isinstance(each, int | float)]
    return Allowance(settings.browser_max_steps, min(limits) if limits else None)
