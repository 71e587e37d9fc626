"""Fulfils wishes by the control that does it: send, reply, expand, style; or whatever the words themselves name."""

import re

from browser_service import clauses, controls, described, filling, likeness, lookup, pointing
from browser_service.errors import ElementNotFoundError, NotUnderstoodError
from browser_service.phrase_context import ALL
from browser_service.snapshot import CHECK_ROLES, Snapshot
from browser_service.targets import Target
from browser_service.wish import Wish

_I = re.IGNORECASE
_CLICKS = frozenset({"click", "tap", "press", "push", "hit"})


async def submit(wish: Wish, _match: re.Match[str]) -> None:
    """Send the form: by the button for it, else by Enter in its field."""
    seen = await wish.look()
    button = controls.submitter(seen)
    if button is not None:
        await wish.click(button, seen)
    else:
        async with wish.session.following():
            await wish.session.deadlines.act(wish.session.page.keyboard.press("Enter"), "Enter could not be pressed")


async def press_named(wish: Wish, match: re.Match[str]) -> None:
    """Press the button of this name; where a form has only one button, it may be called otherwise."""
    seen = await wish.look()
    try:
        node = lookup.find(wish.target(match["name"]), seen)
    except ElementNotFoundError:
        node = controls.submitter(seen)
        if node is None:
            raise
    await wish.click(node, seen)


async def click_called(wish: Wish, words: str) -> bool:
    """Click what is called as the words say, "Accept all" or "Lowest price"; tell whether anything is."""
    target = wish.target(words)
    seen = await wish.look()
    names = {likeness.folded(each.name) for each in described.interpret(wish.masked.requote(words))}
    called = [
        node
        for node in lookup.matches(target, seen, "click")
        if node.is_clickable and ALL.search(node.name) and likeness.folded(node.name) in names
    ]
    if called:
        await wish.click(lookup.find(target, seen), seen)
    return bool(called)


async def answer_dialog(wish: Wish, _match: re.Match[str]) -> None:
    """Do nothing where the browser's own dialog came, which has been answered; else use the control of that name."""
    if not wish.session.dialogs.was_ahead():
        await use_control(wish)


async def answer(wish: Wish, match: re.Match[str]) -> None:
    """Reply to what is spoken of, or forward it: its control, the field that appears, the button that sends."""
    verb = match["verb"].lower()
    await press_control(wish, verb)
    seen = await wish.look()
    text, to = match["text"], match["to"]
    if to and not re.fullmatch(r"(?:it|them|him|her|that\s+\w+)", to, _I) and verb != "reply":
        field = controls.field_for(seen, ("to", "recipient", "email", "address", "name")) or controls.last_empty(seen)
        if field is not None:
            await wish.put(field, wish.plain(to))
    if text:
        body = [node for node in controls.fields(seen) if node.tag == "textarea" or node.tag not in {"input", "select"}]
        field = (body or [node for node in (controls.last_empty(seen),) if node])[-1:] or []
        if not field:
            raise ElementNotFoundError("No field to write into appeared.")
        await wish.put(field[0], wish.plain(text))
    seen = await wish.look()
    sender = controls.control(seen, "send", None) or controls.submitter(seen)
    if sender is not None and (text or to):
        await wish.click(sender, seen)


async def tick(wish: Wish, match: re.Match[str]) -> None:
    """Tick the boxes of these names: one that is called so as a whole, else each that is listed."""
    seen = await wish.look()
    names = [match["names"]] if _is_box(wish, match["names"], seen) else clauses.items(match["names"])
    if not all(_is_box(wish, name, seen) for name in names):
        raise NotUnderstoodError(f"{wish.masked.requote(wish.text)!r} was not understood: no box is called so.")
    for name in names:
        node, now = await wish.session.elements.find(wish.target(name), "check")
        await filling.tick(wish.session, node, now, on=True)


def _is_box(wish: Wish, name: str, seen: Snapshot) -> bool:
    return any(node.role in CHECK_ROLES for node in lookup.matches(wish.target(name), seen, "check"))


async def expand(wish: Wish, match: re.Match[str]) -> None:
    """Open or close sections, panels and menus."""
    name = wish.plain(
        re.sub(r"\b(?:all(?:\s+of)?|sections?|panels?|below|the|accordions?)\b\s*", "", match["what"], flags=_I)
    ).strip()
    opening = match["verb"].lower() in {"expand", "open", "show", "unfold"}
    seen = await wish.look()
    if name:
        try:
            node = lookup.find(wish.target(match["what"]), seen)
        except ElementNotFoundError:
            node = controls.control(seen, match["verb"].lower(), None)
            if node is None:
                raise
        await wish.click(node, seen)
        return
    found = [
        node
        for node in seen.nodes
        if node.expanded is (not opening) and not node.get("hidden") and node.role != "combobox"
    ]
    if not found:
        found = lookup.matches(Target(described="section"), seen, "click") or lookup.matches(
            Target(described="heading"), seen
        )
        found = found[:1]
    if not found:
        raise ElementNotFoundError("The page has no section that can be opened.")
    for node in found if re.search(r"\ball\b|sections\b", match["what"], _I) else found[:1]:
        await wish.click(node, seen)


async def style(wish: Wish, match: re.Match[str]) -> None:
    """Give text in an editor a style: mark it, then use the editor's control of that name."""
    seen = await wish.look()
    editors = [node for node in seen.nodes if node.role == "textbox" and node.tag not in {"input", "textarea"}]
    if not editors:
        raise ElementNotFoundError("The page has no editor whose text can be given a style.")
    whole = re.fullmatch(
        r"(?:everything|all(?:\s+(?:of\s+)?the\s+text)?|the\s+(?:whole\s+)?text)", match["text"].strip(), _I
    )
    piece = None if whole else wish.plain(re.sub(r"^the\s+(?:text|word)\s+", "", match["text"], flags=_I))
    target = Target(ref=editors[0].ref)
    await pointing.select_text(wish.session, target, piece)
    style = (
        wish.plain(match["style"]).removesuffix("d")
        if wish.plain(match["style"]).endswith("ined")
        else wish.plain(match["style"])
    )
    seen = await wish.look()
    control = controls.control(seen, style, None)
    if control is None:
        picker = controls.control(seen, "color", None)
        if picker is None:
            raise ElementNotFoundError(f"The editor has no control for {style!r}.")
        await wish.click(picker, seen)
        seen = await wish.look()
        control = lookup.find(Target(described=f"{style} colored box"), seen)
    await wish.click(control, seen)


async def resize(wish: Wish, match: re.Match[str]) -> None:
    """Drag the corner of a thing."""
    node, _ = await wish.session.elements.find(wish.target(match["what"]), "read")
    by = 30 if re.search(r"large|great|big|tall|wide|long|more|increase", match["how"], _I) else -30
    is_height = bool(re.search(r"height|tall|short", match["how"], _I))
    await pointing.drag_corner(wish.session, node, 0 if is_height else by, by if is_height else 0)


async def use_control(wish: Wish) -> None:
    """Use the control that the words name: as they stand, or by their verb near what is spoken of, opened or not."""
    words = wish.masked.requote(wish.text)
    seen = await wish.look()
    try:
        node = lookup.find(Target(described=words), seen)
        if node.is_clickable and likeness.likeness(words, node) >= 80:
            await wish.click(node, seen)
            return
    except ElementNotFoundError:
        pass
    match = re.match(r"(?P<verb>(?:log|sign)\s+(?:in|out)|[\w-]+)\s*(?P<rest>.*)", wish.text, _I)
    if match is None:
        raise NotUnderstoodError(f"{words!r} was not understood.")
    verb, rest = match["verb"].lower(), match["rest"]
    if verb in _CLICKS:
        raise NotUnderstoodError(f"{words!r} was not understood: nothing is called so.")
    if flagged := re.match(r"(?:it|that|this|them|the\s+\w+|that\s+\w+)?\s*\bas\s+(?P<as>\w+)", rest, _I):
        verb, rest = flagged["as"].lower(), ""
    named = re.sub(r"^(?:it|them|this|that|that\s+\w+|the)\b\s*", "", rest, flags=_I).strip()
    if named and not wish.about:
        wish.about = Target(described=wish.masked.requote(named))
    await press_control(wish, verb)


async def press_control(wish: Wish, verb: str) -> None:
    """Click the control for `verb` near what is spoken of; where there is none, open that first."""
    for attempt in range(2):
        seen = await wish.look()
        anchor = wish.anchor(seen)
        control = controls.control(seen, verb, anchor)
        if control is not None:
            await wish.click(control, seen)
            return
        if attempt == 0 and anchor is not None:
            await wish.click(anchor, seen)
        else:
            break
    raise NotUnderstoodError(
        f"{wish.masked.requote(wish.text)!r} was not understood: the page has no control {verb!r}."
    )
