"""Does actions on a session's page, whatever they ask for."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from playwright.async_api import ElementHandle, FileChooser

from browser_service import (
    actions,
    checks,
    choosing,
    extracting,
    filling,
    labels,
    lookup,
    navigation,
    pictures,
    pointing,
)
from browser_service.actions import (
    Action,
    Assert,
    Back,
    CallTool,
    Clear,
    Click,
    Dialog,
    DoubleClick,
    Download,
    Drag,
    Extract,
    Fill,
    Hover,
    InWords,
    Navigate,
    Press,
    Screenshot,
    Scroll,
    Select,
    SelectText,
    SwitchTab,
    Tick,
    Uncheck,
    Upload,
    WaitFor,
)
from browser_service.browser_session import BrowserSession
from browser_service.checks import Check, CheckResult
from browser_service.dialogs import ANSWER
from browser_service.errors import AmbiguousTargetError, ElementNotFoundError, PageEmptyError
from browser_service.findings import Findings, Reading
from browser_service.page_content import Content
from browser_service.snapshot import Node, Snapshot
from browser_service.targets import Target
from shared.errors import InvalidRequestError

_POLL_S = 0.2
_WHOLE_PAGE = frozenset({"markdown", "attribute", "data", "value"})


class WordsPerformer(Protocol):
    """Does what plain words say; it comes to the other actions itself."""

    async def __call__(self, action: InWords, session: BrowserSession, findings: Findings) -> None:
        """Do what `action` says. Raises: FederationError."""
        ...


async def perform_all(
    todo: Sequence[Action], session: BrowserSession, findings: Findings, in_words: WordsPerformer
) -> None:
    """Do `todo` one after the other; the first failure ends it.

    A page that comes with an error status is one, unless something is claimed in `todo`, which then judges it.
    """
    claims = any(isinstance(action, Assert) for action in todo)
    for index, action in enumerate(todo):
        before = session.url, session.status
        await perform(action, session, findings, in_words, following=todo[index + 1] if index + 1 < len(todo) else None)
        came = isinstance(action, Navigate) or (session.url, session.status) != before
        if came and not claims and session.status is not None and session.status >= 400:
            raise navigation.explain_status(session.url, session.status)


async def perform(
    action: Action,
    session: BrowserSession,
    findings: Findings,
    in_words: WordsPerformer,
    *,
    following: Action | None = None,
) -> None:
    """Do `action`, tell the watchers, and add what it brings to `findings`. Raises: FederationError.

    A dialog that `following` is about, or may be, is answered as that says.
    """
    answer = _answer(following)
    if answer is not None and not isinstance(action, Dialog):
        session.dialogs.expect_ahead(accept=answer.accept, text=answer.text)
    async with session.action(actions.describe(action)):
        await do(action, session, findings, in_words)


def _answer(following: Action | None) -> Dialog | None:
    """Return how a dialog is to be answered that comes now: as the next action says, or "accept it" means."""
    if isinstance(following, InWords) and (match := ANSWER.fullmatch(following.words)):
        return Dialog(accept=match["accept"] is not None)
    return following if isinstance(following, Dialog) else None


async def do(action: Action, session: BrowserSession, findings: Findings, in_words: WordsPerformer) -> None:
    """Do `action` without telling the watchers: it is a part of something that is told. Raises: FederationError."""
    if isinstance(action, InWords):
        await in_words(action, session, findings)
    else:
        await _do(action, session, findings)


async def _do(action: Action, session: BrowserSession, findings: Findings) -> None:
    match action:
        case Navigate(url=url):
            await session.open_url(url)
        case Back():
            await session.back()
        case Click(target=target, seek=seek):
            node, seen = await _find_to_click(session, target, seek=seek)
            await pointing.click(session, labels.labelled(node, seen), seen)
        case DoubleClick(target=target):
            node, seen = await session.elements.find(target)
            await pointing.click(session, node, seen, count=2)
        case Hover(target=target):
            node, _ = await session.elements.find(target)
            await pointing.hover(session, node)
        case Fill():
            await _fill(action, session)
        case Clear(target=target):
            await filling.clear(session, target)
        case Press(key=key, target=target):
            await _press(session, key, target)
        case Select(options=options, target=target):
            await choosing.choose(session, options, target)
        case Tick(target=target) | Uncheck(target=target):
            node, seen = await session.elements.find(target, "check")
            await filling.tick(session, node, seen, on=isinstance(action, Tick))
        case Upload(files=files, target=target):
            await _upload(session, files, target)
        case Download(target=target):
            findings.files.append(await _download(session, target))
        case Drag():
            await pointing.drag(session, action)
        case Scroll():
            await pointing.scroll(session, action)
        case WaitFor():
            await _wait(action, session)
        case SwitchTab():
            await _switch(action, session)
        case Dialog(accept=accept, text=text):
            session.dialogs.expect(accept=accept, text=text)
        case SelectText(target=target, piece=piece):
            await pointing.select_text(session, target, piece)
        case Extract(what=what, target=target):
            if target is not None or what in _WHOLE_PAGE:
                findings.parts.append(await extracting.extract(action, session, session.max_text_chars))
            else:
                findings.readings.append(Reading(what, await read_page(session), session.status))  # pyright: ignore[reportArgumentType]
        case Screenshot(full_page=full_page, target=target):
            findings.pictures.append(await _screenshot(session, target, full_page=full_page))
        case Assert(check=check):
            findings.checks.append(await _verify(check, session, findings))
        case CallTool():
            findings.parts.append(await session.page_tools.call(action.tool, action.arguments, action.origin))
        case InWords():
            raise InvalidRequestError("Words come to actions before they are done.")


async def read_page(session: BrowserSession) -> Content:
    """Return what the page shows. Raises: PageEmptyError when that is nothing at all."""
    content = await session.read()
    if content.is_empty:
        raise PageEmptyError(f"{session.url} is an empty page: it has no title, no text, no picture and no control.")
    return content


async def _find_to_click(session: BrowserSession, target: Target, *, seek: bool) -> tuple[Node, Snapshot]:
    """Return what is to be clicked; what plain words name is looked for in what is closed, too."""
    if seek:
        return await pointing.seek(session, target)
    try:
        return await session.elements.find(target)
    except AmbiguousTargetError:
        raise
    except ElementNotFoundError:
        if target.described is None or not await pointing.is_hidden(session, target):
            raise
        return await pointing.seek(session, target)


async def _fill(action: Fill, session: BrowserSession) -> None:
    value = action.value
    if action.copy_of is not None:
        source, _ = await session.elements.find(action.copy_of, "read")
        source_element = await session.elements.handle(source)
        script = "(e) => 'value' in e && typeof e.value === 'string' ? e.value : e.innerText ?? e.textContent"
        value = str(await session.deadlines.act(source_element.evaluate(script), "The text could not be copied"))
    if action.credential is not None:
        value = session.secret(action.credential)
    if action.target is None:
        seen = await session.elements.look()
        node = _only_field(seen)
    else:
        node, seen = await session.elements.find(action.target, "fill")
    if action.credential is not None:  # in a picture of the page nobody reads it either
        field_element = await session.elements.handle(node)
        masking = field_element.evaluate("(e) => e.style.setProperty('-webkit-text-security', 'disc', 'important')")
        await session.deadlines.act(masking, "The field could not be masked")
    await filling.put(session, node, seen, value)


def _only_field(seen: Snapshot) -> Node:
    """Return the field that is meant when none is named: the focused one, else the only one that takes a value."""
    fields = [node for node in seen.nodes if node.is_field and not node.get("hidden") and not node.is_disabled]
    focused = [node for node in fields if node.is_focused]
    typed = [node for node in fields if node.is_editable and not node.is_readonly] or fields
    candidates = focused or typed
    if not candidates:
        raise ElementNotFoundError("The page has no field to fill in.")
    if len(candidates) > 1:
        names = ", ".join(repr(labels.name_of(node, seen) or node.ref) for node in candidates[:8])
        raise AmbiguousTargetError(f"The page has {len(candidates)} fields: {names}. Say which is meant.")
    return candidates[0]


async def _press(session: BrowserSession, key: str, target: Target | None) -> None:
    failure = f"The key {key!r} could not be pressed"
    async with session.following():
        if target is None:
            await session.deadlines.act(session.page.keyboard.press(key), failure)
        else:
            node, _ = await session.elements.find(target, "fill")
            element = await session.elements.handle(node)
            await session.deadlines.act(element.press(key, timeout=session.deadlines.action_timeout_s * 1000), failure)


async def _upload(session: BrowserSession, names: list[str], target: Target | None) -> None:
    paths = [session.files.path_of(name) for name in names]
    node, seen = await session.elements.find(target or Target(role="file"), "upload")
    if target is None and len(fields := lookup.names_for("upload", seen)) > 1:
        names_there = ", ".join(map(repr, fields))
        raise AmbiguousTargetError(f"The page has {len(fields)} file fields: {names_there}. Say which takes the file.")
    element = await session.elements.handle(node)
    refused = f"{node.name or node.ref!r} takes no such files"
    if node.role == "file":
        await session.deadlines.act(element.set_input_files(paths), refused)
    else:
        chooser = await _choose_files(session, node, element)
        await session.deadlines.act(chooser.set_files(paths), refused)
    await session.settle()


async def _choose_files(session: BrowserSession, node: Node, element: ElementHandle) -> FileChooser:
    """Return the choice of files that a click on `element` opens. Raises: ElementNotFoundError when it opens none."""
    page, name = session.page, node.name or node.ref
    opened: list[FileChooser] = []

    def take(chooser: FileChooser) -> None:
        opened.append(chooser)

    page.on("filechooser", take)
    try:
        click = element.click(timeout=session.deadlines.action_timeout_s * 1000)
        await session.deadlines.act(click, f"{name!r} could not be clicked")
        await session.settle()
    finally:
        page.remove_listener("filechooser", take)
    if opened:
        return opened[0]
    fields = ", ".join(map(repr, lookup.names_for("upload", await session.elements.look())))
    there = f"has the file fields: {fields}" if fields else "has no file field"
    raise ElementNotFoundError(
        f"A click on {name!r} opened no choice of files. The page {there}. Say which field or button takes the file, "
        "and what is to be clicked before to get there."
    )


async def _download(session: BrowserSession, target: Target):
    node, seen = await session.elements.find(target)
    download = await session.wait_for_download(pointing.click(session, node, seen))
    return await session.deadlines.bound(
        session.files.keep(download), session.deadlines.action_timeout_s * 10, "The download does not end"
    )


async def _wait(action: WaitFor, session: BrowserSession) -> None:
    if action.seconds:
        await session.deadlines.bound(asyncio.sleep(action.seconds), action.seconds + 1)
    if (url := action.url) is not None:
        await _until(session, lambda: _at(session, url), f"The address is {session.url} and has no {url!r} in it")
    if (text := action.text) is not None:
        state = f"{text!r} {'is still' if action.gone else 'did not appear'} on the page"
        await _until(session, lambda: _shows(session, text, gone=action.gone), state)
    if (target := action.target) is not None and action.gone:
        await _until(session, lambda: _is_gone(session, target), f"{target} is still there")
    elif target is not None:
        await session.elements.find(target, "read")


async def _until(session: BrowserSession, holds: Callable[[], Awaitable[bool]], otherwise: str) -> None:
    """Wait until `holds`. Raises: ElementNotFoundError with what is there instead, after BROWSER_ACTION_TIMEOUT_S."""
    limit_s = session.deadlines.action_timeout_s
    deadline = asyncio.get_running_loop().time() + limit_s
    while not await holds():
        if asyncio.get_running_loop().time() >= deadline:
            headings = [repr(heading.text) for heading in (await session.read()).headings[:8]]
            raise ElementNotFoundError(
                f"{otherwise} within {limit_s:g} s. Its headings are: {', '.join(headings) or 'none'}."
            )
        await asyncio.sleep(_POLL_S)


async def _at(session: BrowserSession, url: str) -> bool:
    return url in session.url


async def _shows(session: BrowserSession, text: str, *, gone: bool) -> bool:
    shown = " ".join((await session.read()).text.casefold().split())
    return (" ".join(text.casefold().split()) in shown) != gone


async def _is_gone(session: BrowserSession, target: Target) -> bool:
    return not lookup.matches(target, await session.elements.look())


async def _switch(action: SwitchTab, session: BrowserSession) -> None:
    pages = session.context.pages
    titles = [await session.deadlines.bound(page.title()) for page in pages]
    if action.titled is not None:
        wanted = action.titled.casefold()
        found = [page for page, title in zip(pages, titles, strict=True) if wanted in f"{title} {page.url}".casefold()]
    else:
        number = action.number or -1
        place = number - 1 if number > 0 else len(pages) + number
        found = [pages[place]] if 0 <= place < len(pages) else []
    if not found:
        there = "; ".join(
            f"{index}: {title or page.url}" for index, (page, title) in enumerate(zip(pages, titles, strict=True), 1)
        )
        raise ElementNotFoundError(f"There is no such window. There is: {there}.")
    await session.switch_to(found[0])


async def _screenshot(session: BrowserSession, target: Target | None, *, full_page: bool) -> pictures.Picture:
    if target is None:
        return await session.take_screenshot(full_page=full_page)
    node, _ = await session.elements.find(target, "read")
    element = await session.elements.handle(node)
    return await pictures.take_element(element, session.deadlines, str(target))


async def _verify(check: Check, session: BrowserSession, findings: Findings) -> CheckResult:
    """Judge `check`, again and again while there is patience: a page may show something a moment later."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while True:
        result = checks.judge(check, await session.read(), session.status)
        waited_s = loop.time() - began
        if result.passed or check.subject in {"loads", "status"} or waited_s >= findings.patience_s:
            findings.patience_s -= waited_s
            return result
        await asyncio.sleep(_POLL_S)
