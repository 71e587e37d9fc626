"""The browser agent: reads the request as actions, performs them one after another, tells what they brought."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Annotated

from pydantic import BaseModel, Field, JsonValue, ValidationError

from browser_service import actions, answers, card, instructions, navigation, page_testing, performing, terms, tinyfish
from browser_service.actions import ACTIONS, MAX_ACTIONS, Action, InWords, Navigate
from browser_service.browser import Browser, open_browser
from browser_service.browser_session import BrowserSession
from browser_service.checks import CheckResult
from browser_service.credentials import Credentials
from browser_service.errors import ElementNotFoundError, NotUnderstoodError
from browser_service.findings import Findings
from browser_service.instructions import Instructions
from browser_service.page_testing import PageTester
from browser_service.session_events import Owner, SessionWatcher
from browser_service.settings import Settings
from browser_service.tinyfish import TinyFish
from browser_service.wishes import Wishes
from shared import http
from shared.agent import AgentRequest, OpenAgent, Progress, Update
from shared.errors import InvalidRequestError
from shared.llm import MODEL_ERRORS, Model, fence, open_model, spent

_SYSTEM = (
    "You turn a request about a web page into actions for a browser, in order. Use only addresses that the request "
    "names. Ask with `extract` for everything the request wants to know; claims it wants checked become `assert`. "
    "Describe buttons, links and fields as they are labelled on the page."
)


class _Plan(BaseModel):
    """The model's answer."""

    actions: Annotated[list[Action], Field(min_length=1, max_length=MAX_ACTIONS)]


class BrowserAgent:
    """Answers requests with a browser, and a model where the rules leave something unread."""

    def __init__(
        self, settings: Settings, browser: Browser, model: Model | None, elsewhere: TinyFish | None = None
    ) -> None:
        self._settings = settings
        self._browser = browser
        self._model = model
        self._credentials = Credentials(settings)
        self._wishes = Wishes()
        self._tester = PageTester(settings, browser, model, elsewhere)

    async def answer(self, request: AgentRequest) -> AsyncGenerator[Update]:
        """Do what `request` asks on a page of its own."""
        if (wanted := page_testing.requested(request)) is not None:
            async with aclosing(self._tester.run(wanted, lambda: self._open_session(request))) as updates:
                async for update in updates:
                    yield update
            return
        read = _read(request)
        if read.unread and self._model is not None:
            yield Progress("Working out what is asked")
            try:
                plan, usage = await self._model.serving(request).structured(
                    fence("request", request.text), _Plan, system=_SYSTEM, verify=lambda plan: _check_plan(plan, read)
                )
                yield usage
                read = Instructions(tuple(plan.actions), (), read.urls)
            except MODEL_ERRORS as error:
                yield spent(error)  # the rules' reading stands
        is_verification = request.skill == card.VERIFY or any(action.do == "assert" for action in read.actions)
        if is_verification and read.unread:
            raise InvalidRequestError(
                f"This could not be read as a check: {read.unread[0][:200]!r}. Say for example: verify that URL shows "
                "'Welcome', has a link 'Docs', the title is 'Home'."
            )
        if self._browser.is_full:
            yield Progress(f"Waiting for a free page; all {self._settings.browser_max_pages} are in use")
        findings = Findings(patience_s=self._settings.browser_action_timeout_s)
        async with self._open_session(request) as session:
            for file in request.files:
                await session.files.add(file)
            for index, action in enumerate(read.actions):
                yield Progress(actions.describe(action))
                following = read.actions[index + 1] if index + 1 < len(read.actions) else None
                if not await self._perform(action, session, findings, following, is_verification=is_verification):
                    break
            told = answers.Told(read.urls[0], session.url, session.status, session.is_settled, tuple(findings.unread))
        for update in answers.compose(findings, told, is_verification=is_verification):
            yield update

    @asynccontextmanager
    async def _open_session(self, request: AgentRequest) -> AsyncGenerator[BrowserSession]:
        """Open a session for the request, on the terms that it names. Raises: as `Browser.open_session`."""
        given = terms.read(request.data)
        async with self._browser.open_session(Owner(request.task_id, request.context_id), given.rules) as session:
            session.credentials = lambda name, url: self._credentials.give(name, url, given.credentials)
            yield session

    async def _perform(
        self,
        action: Action,
        session: BrowserSession,
        findings: Findings,
        following: Action | None,
        *,
        is_verification: bool,
    ) -> bool:
        """Do `action` and say whether to go on. In a verification, what does not work on the page is a failed check."""
        try:
            await performing.perform(action, session, findings, self._wishes, following=following)
        except NotUnderstoodError:
            findings.unread.append(action.words if isinstance(action, InWords) else actions.describe(action))
        except ElementNotFoundError as error:
            if not is_verification:
                raise
            findings.checks.append(CheckResult(actions.describe(action), passed=False, details=error.detail))
            return False
        if session.status is not None and session.status >= 400 and not is_verification:
            raise navigation.explain_status(session.url, session.status)
        return True


@asynccontextmanager
async def open_agent(settings: Settings, watchers: Sequence[SessionWatcher] = ()) -> AsyncGenerator[OpenAgent]:
    """Open the browser, which starts in the background, and the model if one is configured."""
    async with (
        open_browser(settings, watchers) as browser,
        open_model(settings, "planner") as model,
        http.open_client(settings) as client,
    ):
        elsewhere = tinyfish.create(settings, client)
        yield OpenAgent(BrowserAgent(settings, browser, model, elsewhere).answer, browser.problems)


def _read(request: AgentRequest) -> Instructions:
    """Return what is asked: the actions of a JSON part, else the words. Raises: InvalidRequestError."""
    for part in request.data:
        if isinstance(part, dict) and "actions" in part:
            given = _given(part["actions"])
            urls = tuple(dict.fromkeys(action.url for action in given if isinstance(action, Navigate)))
            if not isinstance(given[0], Navigate):
                raise InvalidRequestError("The first action must be `navigate`: a task begins on a blank page.")
            return Instructions(tuple(given), (), urls)
    return instructions.parse(request.text, request.skill, _named_url(request.data))


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


def _check_plan(plan: _Plan, read: Instructions) -> None:
    """Refuse a model's plan that opens what the request does not name. Raises: InvalidRequestError."""
    opened = [action.url for action in plan.actions if isinstance(action, Navigate)]
    if not isinstance(plan.actions[0], Navigate):
        raise InvalidRequestError("The first action must open an address.")
    if strange := [url for url in opened if url not in read.urls]:
        raise InvalidRequestError(f"{strange[0][:200]!r} is not an address of the request; it names {list(read.urls)}.")
