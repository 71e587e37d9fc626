"""Does what plain words ask for that only the page can decide: reply to it, search, the cheapest one, all of them.

No page and no site is known here: a wish names a control, and that is looked for by its name, what it is called
elsewhere, and what stands on its icon; near the thing that is spoken of first, then after opening that thing.
"""

import re
from collections.abc import Awaitable, Callable, Sequence

from browser_service import clauses, collecting, filling, likeness, lookup, masking, pointing
from browser_service.actions import InWords
from browser_service.browser_session import BrowserSession
from browser_service.described import COUNT, number_of
from browser_service.errors import AmbiguousTargetError, ElementNotFoundError, NotUnderstoodError
from browser_service.findings import Findings, PartReading
from browser_service.snapshot import CHECK_ROLES, Node, Snapshot
from browser_service.targets import Target

_I = re.IGNORECASE
_SOON_S = 0.4

# What a control may be called that does what a verb says.
_SYNONYMS: dict[str, tuple[str, ...]] = {
    "delete": ("trash", "remove", "discard", "bin", "erase"),
    "remove": ("delete", "trash", "discard", "−", "-", "×"),
    "close": ("×", "x", "✕", "dismiss", "cancel", "hide", "done"),
    "star": ("important", "favorite", "favourite", "flag", "bookmark"),
    "important": ("star", "flag", "priority", "starred"),
    "expand": ("+", "▸", "show", "open", "more"),
    "collapse": ("-", "−", "▾", "hide", "less"),
    "add": ("+", "plus", "new", "create"),
    "order": ("+", "add", "buy", "plus"),
    "buy": ("add to cart", "purchase", "book", "order", "checkout"),
    "book": ("reserve", "buy", "order", "select"),
    "send": ("submit", "post", "reply", "➤"),
    "share": ("forward", "send"),
    "retweet": ("repost", "share", "boost"),
    "reply": ("respond", "answer", "comment"),
    "search": ("find", "go", "magnifier", "lookup"),
    "like": ("heart", "thumbs up", "love", "favorite"),
    "log in": ("login", "sign in"),
    "sign in": ("login", "log in"),
    "log out": ("logout", "sign out"),
}  # fmt: skip
_UNDOES = re.compile(
    r"(?:delete|remove|discard|erase|trash|buy|order|book|pay|purchase|archive|block|unsubscribe)\b", _I
)
_SUBMITS = (
    "submit", "send", "ok", "done", "save", "apply", "post", "search", "go", "continue", "log in", "login", "sign in",
    "confirm", "next", "create", "sign up", "register", "finish", "place order", "reply", "forward",
)  # fmt: skip


class Wishes:
    """Does `InWords` actions. It is stateless: what "it" means comes with the action, what was noted with findings."""

    async def __call__(self, action: InWords, session: BrowserSession, findings: Findings) -> None:
        """Do what `action` says. Raises: NotUnderstoodError, and all that acting on a page raises."""
        wish = _Wish(action, session, findings)
        for pattern, do in _DONE:
            if match := pattern.fullmatch(wish.text):
                await do(wish, match)
                return
        await _use_control(wish)


class _Wish:
    """One wish, on one page."""

    def __init__(self, action: InWords, session: BrowserSession, findings: Findings) -> None:
        self.masked = masking.mask(" ".join(action.words.split()).strip(" ."))
        self.text = self.masked.text
        self.about = action.about
        self.session = session
        self.findings = findings

    def plain(self, words: str) -> str:
        """Return the quoted text in `words`, else all of it without an article."""
        quoted = re.search(masking.QUOTE_TOKEN, words)
        return (
            self.masked.unmask(quoted[0])
            if quoted
            else re.sub(r"^(?:the|an?)\s+", "", self.masked.unmask(words), flags=_I)
        )

    def target(self, words: str) -> Target:
        """Return the thing that `words` describe."""
        return Target(described=self.masked.requote(words), near=self.about)

    def anchor(self, seen: Snapshot) -> Node | None:
        """Return what is spoken of: the first where there are several and nothing is undone by that; None if it is gone."""
        if self.about is None:
            return None
        try:
            return lookup.find(self.about, seen, "read")
        except AmbiguousTargetError:
            if _UNDOES.match(self.text):
                raise
            return lookup.matches(self.about, seen)[0]
        except ElementNotFoundError:
            return None

    async def look(self) -> Snapshot:
        """Return what is on the page now."""
        return await self.session.elements.look()

    async def click(self, node: Node, seen: Snapshot) -> None:
        """Click."""
        await pointing.click(self.session, node, seen)

    async def put(self, node: Node, value: str) -> None:
        """Fill in."""
        await filling.put(self.session, node, await self.look(), value)


async def _submit(wish: _Wish, _match: re.Match[str]) -> None:
    """Send the form: by the button for it, else by Enter in its field."""
    seen = await wish.look()
    button = _submitter(seen)
    if button is not None:
        await wish.click(button, seen)
    else:
        await wish.session.deadlines.act(wish.session.page.keyboard.press("Enter"), "Enter could not be pressed")
        await wish.session.settle()


async def _tell(wish: _Wish, match: re.Match[str]) -> None:
    """Read what a word names: a message that is shown, the value beside a label, a thing of that name."""
    what = re.sub(
        r"^(?:me\s+)?(?:the|its|their)\s+|\s+(?:of\s+the\s+page|shown|displayed)$", "", match["what"], flags=_I
    )
    seen = await wish.look()
    text = collecting.value_of(seen, wish.plain(what)) if not re.search(masking.QUOTE_TOKEN, what) else ""
    if not text and re.search(
        r"message|result|output|alert|status|error|notice|confirmation|response|answer", what, _I
    ):
        text = collecting.message(seen)
    if not text:
        node = lookup.find(Target(described=wish.masked.requote(what), near=wish.about), seen, "read")
        text = node.get("value") or collecting.beside(seen, node) or node.text
    wish.findings.parts.append(PartReading(wish.plain(what).capitalize(), text, text))


async def _find(wish: _Wish, match: re.Match[str]) -> None:
    """Bring what is spoken of to view, behind tabs and on following pages too."""
    target = Target(described=wish.masked.requote(match["what"]))
    try:
        await pointing.seek(wish.session, target)
    except AmbiguousTargetError as error:  # whoever looks for one of several has found it; that there are more is told
        wish.findings.notes.append(f"The first was taken: {error.detail}")


async def _note_word(wish: _Wish, match: re.Match[str]) -> None:
    """Keep one word of a text for later: "the 3rd word in the paragraph"."""
    place = match["of"] or "paragraph"
    node, _ = await wish.session.elements.find(wish.target(place), "read")
    text = node.get("value") or node.text
    words = [word.strip(".,;:!?\"'()") for word in text.split()]
    number = number_of(match["count"]) or 1
    index = number - 1 if number > 0 else len(words) + number
    if max(len(node.get("value")), len(node.text)) >= 390:
        element = await wish.session.elements.handle(node)
        whole = await wish.session.deadlines.act(
            element.evaluate("(e) => e.value ?? e.innerText"), "The text cannot be read"
        )
        words = [word.strip(".,;:!?\"'()") for word in str(whole).split()]
        index = number - 1 if number > 0 else len(words) + number
    if not 0 <= index < len(words):
        raise ElementNotFoundError(f"The text has {len(words)} words.")
    wish.findings.noted = words[index]


async def _write_noted(wish: _Wish, match: re.Match[str]) -> None:
    """Fill in what was found before."""
    if not wish.findings.noted:
        raise NotUnderstoodError(f"Nothing was found before that {wish.text!r} could mean.")
    node, _ = await wish.session.elements.find(wish.target(match["name"]), "fill")
    await wish.put(node, wish.findings.noted)


async def _write_value_of(wish: _Wish, match: re.Match[str]) -> None:
    """Fill in the value that a table or list shows for a label."""
    seen = await wish.look()
    value = collecting.value_of(seen, wish.plain(match["key"]))
    if not value:
        raise ElementNotFoundError(f"The page shows no value of {wish.plain(match['key'])!r}.")
    node = lookup.find(wish.target(match["name"]), seen, "fill")
    await wish.put(node, value)


async def _write_values(wish: _Wish, _match: re.Match[str]) -> None:
    """Fill each field with the value that a table or list shows for its label."""
    seen = await wish.look()
    done = 0
    for node in _fields(seen):
        label = lookup.name_of(node, seen)
        value = collecting.value_of(seen, label) if label else ""
        if value:
            await wish.put(node, value)
            done += 1
    if not done:
        raise ElementNotFoundError("No field's label stands beside a value on the page.")


async def _fill_all(wish: _Wish, match: re.Match[str]) -> None:
    """Put one value into all fields of a kind."""
    seen = await wish.look()
    kind = re.sub(r"\b(?:both|all(?:\s+of)?|each(?:\s+of)?|every|two|three|the)\b\s*", "", match["name"], flags=_I)
    fields = [node for node in lookup.matches(Target(described=kind), seen, "fill") if node.is_field] or _fields(seen)
    for node in fields:
        await wish.put(node, wish.plain(match["value"]))


async def _set_combination(wish: _Wish, match: re.Match[str]) -> None:
    """Give several sliders or fields one number each, in their order."""
    numbers = re.findall(r"-?\d+(?:\.\d+)?", match["numbers"])
    seen = await wish.look()
    nodes = lookup.matches(Target(described=match["kind"].removesuffix("s")), seen, "fill")
    if len(nodes) != len(numbers):
        raise ElementNotFoundError(f"There are {len(nodes)} of {match['kind']} for {len(numbers)} numbers.")
    for node, number in zip(nodes, numbers, strict=True):
        await wish.put(node, number)


async def _complete(wish: _Wish, match: re.Match[str]) -> None:
    """Choose what a field suggests by its beginning and end."""
    start, end = wish.plain(match["start"]), wish.plain(match["end"]) if match["end"] else ""
    seen = await wish.look()
    node = _fields(seen)[0] if _fields(seen) else lookup.find(Target(role="textbox"), seen, "fill")
    element = await wish.session.elements.handle(node)
    await wish.session.deadlines.act(element.fill(""), "The field takes no text")
    await wish.session.deadlines.act(element.type(start, delay=20), "The field takes no text")
    known = {each.id for each in seen.nodes}

    def suggested(now: Snapshot) -> Node:
        fresh = [
            each for each in now.nodes
            if each.own and (each.id not in known or each.role in {"option", "menuitem"}) and not each.get("hidden")
            and each.own.casefold().startswith(start.casefold()) and each.own.casefold().endswith(end.casefold())
        ]  # fmt: skip
        if not fresh:
            raise ElementNotFoundError(f"The field suggests nothing that starts with {start!r} and ends with {end!r}.")
        return fresh[0]

    chosen, now = await wish.session.elements.wait_for(suggested)
    await wish.click(chosen, now)


async def _search(wish: _Wish, match: re.Match[str]) -> None:
    """Search: one box gets the words; a form of several fields gets what belongs into each."""
    seen = await wish.look()
    fields = _fields(seen)
    query = match["query"] or match["plain"]
    if not fields:
        opener = _control(seen, "search", None)
        if opener is None:
            raise ElementNotFoundError("The page has no field to search in.")
        await wish.click(opener, seen)
        seen = await wish.look()
        fields = _fields(seen)
    single = [node for node in fields if _is_search(node, seen)] or (fields if len(fields) == 1 else [])
    if single:
        await wish.put(single[0], wish.plain(query))
        seen = await wish.look()
        button = _control(seen, "search", single[0])
        if button is not None and button.role in {"button", "link"} and button.id != single[0].id:
            await wish.click(button, seen)
        else:
            element = await wish.session.elements.handle(single[0])
            await wish.session.deadlines.act(element.press("Enter"), "Enter could not be pressed")
            await wish.session.settle()
        return
    values = collecting.assign(wish.masked.unmask(query), {node.id: lookup.name_of(node, seen) for node in fields})
    if not values:
        raise AmbiguousTargetError(f"The page has {len(fields)} fields, and none of them is for a search.")
    for node in fields:
        if value := values.get(node.id):
            await wish.put(node, value)
    await _submit(wish, match)


async def _answer(wish: _Wish, match: re.Match[str]) -> None:
    """Reply to what is spoken of, or forward it: its control, the field that appears, the button that sends."""
    verb = match["verb"].lower()
    await _press_control(wish, verb)
    seen = await wish.look()
    text, to = match["text"], match["to"]
    if to and not re.fullmatch(r"(?:it|them|him|her|that\s+\w+)", to, _I) and verb != "reply":
        field = _field_for(seen, ("to", "recipient", "email", "address", "name")) or _last_empty(seen)
        if field is not None:
            await wish.put(field, wish.plain(to))
    if text:
        body = [node for node in _fields(seen) if node.tag == "textarea" or node.tag not in {"input", "select"}]
        field = (body or [node for node in (_last_empty(seen),) if node])[-1:] or []
        if not field:
            raise ElementNotFoundError("No field to write into appeared.")
        await wish.put(field[0], wish.plain(text))
    seen = await wish.look()
    sender = _control(seen, "send", None) or _submitter(seen)
    if sender is not None and (text or to):
        await wish.click(sender, seen)


async def _for_all(wish: _Wish, match: re.Match[str]) -> None:
    """Click the control of a name in all, or in some, of the items in which a text stands."""
    name, anchor = wish.plain(re.sub(r"\s+button$", "", match["name"], flags=_I)), match["by"]
    seen = await wish.look()
    found = lookup.matches(Target(described=f'"{name}"'), seen, "click") or _named(seen, name)
    if anchor:
        found = [node for node in found if collecting.belongs_to(seen, node, found, wish.plain(anchor))]
    limit = int(match["number"]) if match["number"] else len(found)
    if not found or len(found) < limit:
        raise ElementNotFoundError(
            f"There are {len(found)} {name!r}{f' of {wish.plain(anchor)}' if anchor else ''} to click."
        )
    for node in found[:limit]:
        now = await wish.look()
        await wish.click(now.by_id.get(node.id, node), now)


async def _nth_item(wish: _Wish, match: re.Match[str]) -> None:
    """Click the item of a number in a list that may go on over several pages."""
    left = number_of(match["count"]) or 1
    seen = await wish.look()
    items = collecting.items(seen)
    while left > len(items):
        turner = pointing.next_page(seen)
        if turner is None or not items:
            raise ElementNotFoundError(f"There are only {len(items)} items here, and no further page.")
        left -= len(items)
        await wish.click(turner, seen)
        seen = await wish.look()
        items = collecting.items(seen)
    item = items[left - 1 if left > 0 else left]
    links = [node for node in seen.below(item) if node.role == "link" or node.is_clickable]
    await wish.click(links[0] if links and not item.is_clickable else item, seen)


async def _press_named(wish: _Wish, match: re.Match[str]) -> None:
    """Press the button of this name; where a form has only one button, it may be called otherwise."""
    seen = await wish.look()
    try:
        node = lookup.find(wish.target(match["name"]), seen)
    except ElementNotFoundError:
        node = _submitter(seen)
        if node is None:
            raise
    await wish.click(node, seen)


async def _in_order(wish: _Wish, match: re.Match[str]) -> None:
    """Click all numbers in their order."""
    seen = await wish.look()
    numbers = [
        (float(node.own), node) for node in seen.nodes if re.fullmatch(r"-?\d+(?:\.\d+)?", node.own) and node.is_in_view
    ]
    for _, node in sorted(numbers, key=lambda pair: pair[0], reverse=match["way"].lower().startswith("de")):
        await wish.click(node, seen)


async def _best_of(wish: _Wish, match: re.Match[str]) -> None:
    """Use the control of the item that has the least or the most of something: buy the cheapest.

    Where the words say what to look for, "from: A to: B on D", and there are fields for that, they are filled in first.
    """
    seen = await wish.look()
    fields = {node.id: lookup.name_of(node, seen) for node in _fields(seen)}
    values = collecting.assign(wish.masked.unmask(wish.text), fields) if len(fields) > 1 else {}
    for number, value in values.items():
        now = await wish.look()
        if (node := now.by_id.get(number)) is not None:
            await filling.put(wish.session, node, now, value)
            await _accept_suggestion(wish, now, value)
    if values:
        await _submit(wish, match)
        seen = await wish.look()
    item = collecting.extreme(seen, match["degree"])
    if item is None:
        raise ElementNotFoundError(f"Nothing on the page can be compared for {match['degree']!r}.")
    wanted = [node for node in seen.below(item) if node.is_clickable and node.role in {"button", "link"}]
    await wish.click(wanted[0] if wanted else item, seen)


async def _accept_suggestion(wish: _Wish, before: Snapshot, value: str) -> None:
    """Click what a field suggests for `value`, if it suggests anything."""
    now = await wish.look()
    known = {node.id for node in before.nodes}
    fresh = [
        node
        for node in now.nodes
        if node.id not in known and node.own and not node.get("hidden") and node.box.width > 0
    ]
    fitting = [node for node in fresh if likeness.compare(value, node.own) >= 60]
    if fitting and not _is_calendar(fresh):
        await wish.click(fitting[0], now)


def _is_calendar(fresh: Sequence[Node]) -> bool:
    return sum(node.own.isdigit() for node in fresh) > 20


async def _expand(wish: _Wish, match: re.Match[str]) -> None:
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
            node = _control(seen, match["verb"].lower(), None)
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


async def _move(wish: _Wish, match: re.Match[str]) -> None:
    """Drag an item of a list to another place in it."""
    seen = await wish.look()
    node = lookup.find(wish.target(match["name"]), seen, "drag")
    items = collecting.siblings(seen, node)
    place = next((index for index, item in enumerate(items) if item.id == node.id or seen.is_within(node, item)), None)
    if place is None:
        raise ElementNotFoundError(f"{node.name!r} is not in a list.")
    wanted = collecting.new_place(items, place, match["where"])
    if wanted is None or not 0 <= wanted < len(items):
        raise ElementNotFoundError(f"{node.name!r} cannot be moved {match['where']}: the list has {len(items)} items.")
    if wanted != place:
        await pointing.drag_over(wish.session, items[place], items[wanted])


async def _sort(wish: _Wish, match: re.Match[str]) -> None:
    """Bring the numbers of a list into order by dragging."""
    falling = match["way"].lower().startswith("de")
    for _ in range(30):
        seen = await wish.look()
        items = collecting.numbers(seen)
        wanted = sorted(items, key=lambda node: float(node.text), reverse=falling)
        wrong = next((index for index, node in enumerate(items) if node.text != wanted[index].text), None)
        if wrong is None:
            return
        place = next(index for index in range(wrong, len(items)) if items[index].text == wanted[wrong].text)
        await pointing.drag_over(wish.session, items[place], items[wrong])
    raise ElementNotFoundError("The list does not come into order by dragging.")


async def _style(wish: _Wish, match: re.Match[str]) -> None:
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
    control = _control(seen, style, None)
    if control is None:
        picker = _control(seen, "color", None)
        if picker is None:
            raise ElementNotFoundError(f"The editor has no control for {style!r}.")
        await wish.click(picker, seen)
        seen = await wish.look()
        control = lookup.find(Target(described=f"{style} colored box"), seen)
    await wish.click(control, seen)


async def _each_item(wish: _Wish, match: re.Match[str]) -> None:
    """Use the control of a verb at each thing of a list: order one of each of these."""
    for item in clauses.items(match["items"]):
        near = Target(described=wish.masked.requote(item))
        seen = await wish.look()
        anchor = lookup.find(near, seen, "read")
        control = _control(seen, match["verb"].lower(), anchor)
        if control is None:
            raise ElementNotFoundError(f"There is nothing to {match['verb'].lower()} {wish.plain(item)!r} with.")
        await wish.click(control, seen)


async def _resize(wish: _Wish, match: re.Match[str]) -> None:
    """Drag the corner of a thing."""
    node, _ = await wish.session.elements.find(wish.target(match["what"]), "read")
    by = 30 if re.search(r"large|great|big|tall|wide|long|more|increase", match["how"], _I) else -30
    is_height = bool(re.search(r"height|tall|short", match["how"], _I))
    await pointing.drag_corner(wish.session, node, 0 if is_height else by, by if is_height else 0)


async def _use_control(wish: _Wish) -> None:
    """Use the control that the words name: as they stand, by their verb, near what is spoken of, or after opening it."""
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
    if flagged := re.match(r"(?:it|that|this|them|the\s+\w+|that\s+\w+)?\s*\bas\s+(?P<as>\w+)", rest, _I):
        verb, rest = flagged["as"].lower(), ""
    named = re.sub(r"^(?:it|them|this|that|that\s+\w+|the)\b\s*", "", rest, flags=_I).strip()
    if named and not wish.about:
        wish.about = Target(described=wish.masked.requote(named))
    await _press_control(wish, verb)


async def _press_control(wish: _Wish, verb: str) -> None:
    """Click the control for `verb` near what is spoken of; where there is none, open that first."""
    for attempt in range(2):
        seen = await wish.look()
        anchor = wish.anchor(seen)
        control = _control(seen, verb, anchor)
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


def _control(seen: Snapshot, verb: str, anchor: Node | None) -> Node | None:
    """Return the control named `verb`, or what that is called elsewhere; the closest to `anchor` of several."""
    for name in (verb, *_SYNONYMS.get(verb, ())):
        found = _named(seen, name)
        if found:
            return max(found, key=lambda node: seen.common(node, anchor)) if anchor is not None else found[0]
    return None


def _named(seen: Snapshot, name: str) -> list[Node]:
    """Return what can be clicked and is called `name`, by its text or by its icon."""
    found = [
        (score + (2 if node.is_clickable else 0), node)
        for node in seen.nodes
        if not node.get("hidden") and not node.is_field and not node.is_disabled and node.role not in CHECK_ROLES
        and (score := likeness.likeness(name, node)) >= (56 if node.is_clickable or not node.text else 90)
        and (node.is_clickable or (0 < node.box.width <= 200 and not seen.children.get(node.index)))
    ]  # fmt: skip
    top = max((score for score, _ in found), default=0)
    return [node for score, node in found if score >= top - 4]


def _submitter(seen: Snapshot) -> Node | None:
    buttons = [node for node in seen.nodes if node.is_clickable and not node.is_field and not node.get("hidden")]
    for name in _SUBMITS:
        for node in buttons:
            if node.name.strip().casefold() == name:
                return node
    typed = [
        node
        for node in buttons
        if node.get("type") == "submit" or (node.role == "button" and node.tag in {"button", "input"})
    ]
    return typed[-1] if len(typed) == 1 else None


def _fields(seen: Snapshot) -> list[Node]:
    return [
        node for node in seen.nodes
        if node.is_field and not node.get("hidden") and not node.is_disabled and node.box.width > 0
    ]  # fmt: skip


def _is_search(node: Node, seen: Snapshot) -> bool:
    told = f"{lookup.name_of(node, seen)} {node.get('placeholder')} {node.get('hints')} {node.role}".casefold()
    return "search" in told or "query" in told or re.search(r"\bq\b", told) is not None


def _field_for(seen: Snapshot, names: Sequence[str]) -> Node | None:
    for name in names:
        for node in _fields(seen):
            label = f"{lookup.name_of(node, seen)} {node.get('placeholder')}".casefold()
            if re.search(rf"\b{name}\b", label):
                return node
    return None


def _last_empty(seen: Snapshot) -> Node | None:
    empty = [node for node in _fields(seen) if node.is_editable and not node.get("value")]
    focused = [node for node in empty if node.is_focused]
    return (focused or empty or [None])[0]


_Q = masking.QUOTE_TOKEN.replace("(", "(?:")
_DONE: tuple[tuple[re.Pattern[str], Callable[[_Wish, re.Match[str]], Awaitable[None]]], ...] = tuple(
    (re.compile(pattern, _I), do)
    for pattern, do in (
        (r"submit(?:\s+(?:the\s+form|it|this))?", _submit),
        (
            rf"(?:click|open|select|choose|tap)(?:\s+on)?\s+(?:the\s+)?(?P<count>{COUNT})\s+(?:search\s+)?"
            r"(?:results?|items?|entry|posts?|products?|hits?)",
            _nth_item,
        ),
        (
            r"(?:click|press|hit|tap)(?:\s+on)?\s+(?P<name>(?:the\s+)?(?:log\s?in|sign\s?in|send|ok)(?:\s+button)?)",
            _press_named,
        ),
        (r"tell\s+(?P<what>.+)", _tell),
        (rf"find\s+(?:the\s+)?(?P<count>{COUNT})\s+word(?:\s+(?:in|of)\s+(?:the\s+)?(?P<of>.+))?", _note_word),
        (r"find\s+(?P<what>.+)", _find),
        (
            r"(?:type|enter|write|put|paste|insert)\s+(?:it|that|this|that\s+(?:word|value|number|text)|the\s+(?:word|value|result|answer))\s+"
            r"(?:in(?:to)?|to)\s+(?P<name>.+)",
            _write_noted,
        ),
        (
            r"(?:type|enter|write|put)\s+the\s+values?\s+that\s+correspond.+|fill\s+(?:in|out)\s+.*correspond.+",
            _write_values,
        ),
        (
            r"(?:type|enter|write|put)\s+the\s+value\s+(?:of|for)\s+(?P<key>.+?)\s+(?:in(?:to)?|to)\s+(?P<name>.+)",
            _write_value_of,
        ),
        (
            r"(?:type|enter|write|put|fill)\s+(?P<value>.+?)\s+(?:in(?:to)?|to)\s+(?P<name>(?:both|all|each|every)\b.+)",
            _fill_all,
        ),
        (
            r"set\s+(?:the\s+)?(?P<kind>\w+)\s+to\s+(?:the\s+)?(?:combination|values?|numbers?)\s+(?P<numbers>.+)",
            _set_combination,
        ),
        (
            rf"(?:enter|type|select|choose|pick)\s+(?:an?\s+)?\w+(?:\s+\w+)?\s+(?:that|which)\s+(?:starts?|begins?)\s+with\s+(?P<start>{_Q}|\S+)"
            rf"(?:\s+and\s+(?:that\s+)?ends?\s+(?:with|in)\s+(?P<end>{_Q}|\S+))?",
            _complete,
        ),
        (
            r"(?:search|look)(?:\s+(?:the\s+)?(?:page|site|web|it))?\s+for\s+(?P<query>.+)|search\s+(?P<plain>.+)",
            _search,
        ),
        (
            r"(?P<verb>reply|respond|answer|comment|forward|share|send)(?:\s+(?:it|that\s+\w+|this\s+\w+|the\s+\w+))?"
            r"(?:\s+(?:to|on)\s+(?P<to>.+?))?(?:\s+(?:with|saying|by\s+saying|that\s+says)(?:\s+the)?(?:\s+(?:text|message|words?))?\s+(?P<text>.+))?",
            _answer,
        ),
        (
            r"(?:click|press|tap|hit)(?:\s+on)?\s+(?:the\s+)?(?P<name>.+?)\s+(?:on|for|in|of)\s+(?:(?:all|each|every)(?:\s+of)?|(?P<number>\d+))"
            r"(?:\s+the)?\s+\w+(?:\s+(?:by|from|of|with|named|for)\s+(?P<by>.+))?",
            _for_all,
        ),
        (
            r"(?:click|press|tap|select)(?:\s+on)?\s+.*?\bin\s+(?P<way>ascending|descending|increasing|decreasing)\s+order.*",
            _in_order,
        ),
        (
            r"(?:sort|order|arrange|put)\s+.*?\b(?P<way>ascending|descending|increasing|decreasing)\s+order.*",
            _sort,
        ),
        (
            r"(?:buy|book|order|choose|select|pick|click)\b.*?\b(?P<degree>cheapest|least\s+expensive|most\s+expensive|shortest|longest|"
            r"lowest|highest|smallest|largest|greatest|fastest|slowest|latest|earliest)\b.*",
            _best_of,
        ),
        (r"(?P<verb>expand|collapse|unfold|fold)\s+(?P<what>.+)", _expand),
        (r"(?:drag|move)\s+(?P<name>.+?)\s+(?P<where>(?:up|down|left|right|to|by|into)\b.*)", _move),
        (
            r"(?:give|make|turn|set|change)\s+(?P<text>.+?)\s+(?:the\s+|to\s+)?(?:style|color|colour|format)\s+(?P<style>.+)",
            _style,
        ),
        (r"(?:make)\s+(?P<text>.+?)\s+(?P<style>bold|italics?|underlined?)", _style),
        (r"resize\s+(?P<what>.+?)\s+(?:so\s+that|to\s+be|to\s+make)\s+(?P<how>.+)", _resize),
        (
            r"(?P<verb>order|buy|add|book)\s+(?:(?:one|1|a)\s+of\s+(?:each|these)(?:\s+\w+)?\s*:?\s*)(?P<items>.+)",
            _each_item,
        ),
    )
)
