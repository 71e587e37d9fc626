"""Reads one clause of plain words as what is to be done on the page. Pure.

Things are kept as they were described: what they mean is decided by what is on the page, when it is done.
"""

import re
from typing import Literal, cast

from browser_service.actions import (
    Action,
    Back,
    Clear,
    Click,
    Dialog,
    DoubleClick,
    Download,
    Drag,
    Fill,
    Hover,
    InWords,
    Press,
    Scroll,
    SelectText,
    SwitchTab,
    Upload,
    WaitFor,
)
from browser_service.described import COUNT, number_of
from browser_service.field_phrases import read_choosing, read_filling
from browser_service.masking import QUOTE_TOKEN
from browser_service.phrase_context import ALL, PRONOUN, Context, in_words
from browser_service.targets import Target

_I = re.IGNORECASE
_Q = QUOTE_TOKEN.replace("(", "(?:")
_KEYS = {
    "enter": "Enter", "return": "Enter", "tab": "Tab", "escape": "Escape", "esc": "Escape", "space": "Space",
    "backspace": "Backspace", "delete": "Delete", "up": "ArrowUp", "down": "ArrowDown", "left": "ArrowLeft",
    "right": "ArrowRight", "page up": "PageUp", "page down": "PageDown", "home": "Home", "end": "End",
}  # fmt: skip
_PRESS = re.compile(
    rf"(?:press|hit|push|use)\s+(?:the\s+)?(?:arrow\s+)?(?P<key>{'|'.join(_KEYS)})(?:\s+(?:arrow|key|bar))*"
    rf"|(?P<alone>enter|return|escape)|(?:press|hit)\s+(?P<combination>(?:(?:ctrl|control|shift|alt|cmd|meta)\s*\+\s*)+\w{{1,12}})",
    _I,
)
_SUBMIT = re.compile(
    r"(?:submit|(?:hit|press|click|tap)\s+submit)(?:\s+(?:the|it|this))?(?:\s+form)?(?:\s+when\s+(?:\w+\s+)?(?:done|finished|ready))?",
    _I,
)
_BACK = re.compile(
    r"(?:go|navigate|return|move)\s+back(?:\s+to\s+(?:the\s+)?(?:previous|last)(?:\s+page)?)?|(?:go|return)\s+to\s+the\s+previous\s+page",
    _I,
)
_WAIT_S = re.compile(
    r"wait\s+(?:for\s+)?(?P<number>\d{1,2}(?:\.\d+)?)\s*(?P<unit>s|secs?|seconds?|ms|milliseconds?)", _I
)
_WAIT = re.compile(
    r"wait\s+(?:for|until|till)\s+(?:the\s+text\s+)?(?P<text>.+?)"
    r"(?:\s+(?:to\s+)?(?:(?P<gone>disappears?|(?:is|be)\s+gone|goes\s+away|vanish(?:es)?)|appears?|shows?(?:\s+up)?|"
    r"is\s+(?:shown|visible|there)|be\s+(?:shown|visible|there)|loads?))?",
    _I,
)
_SCROLL = re.compile(r"scroll\b(?P<where>.*)", _I)
_SCROLLED = re.compile(
    r"(?:(?:the\s+)?(?P<what>(?!down|up|to\b).+?)\s+)?(?:(?:all\s+the\s+way\s+)?(?P<way>down|up)|to\s+(?:the\s+)?(?P<end>bottom|end|top|beginning))"
    r"(?:\s+(?:of|in)\s+(?:the\s+)?(?P<of>.+))?",
    _I,
)
_CLICK = re.compile(r"(?:click|tap|press|push|hit|follow|open|toggle|activate|choose)(?:\s+on)?\s+(?P<name>.+)", _I)
_NTH_ITEM = re.compile(
    rf"(?:click|open|select|choose|tap)(?:\s+on)?\s+(?:the\s+)?{COUNT}\s+(?:search\s+)?(?:results?|items?|entry|posts?|products?|hits?)",
    _I,
)
_LOGIN_BUTTON = re.compile(
    r"(?:click|press|hit|tap)(?:\s+on)?\s+(?:the\s+)?(?:log\s?in|sign\s?in|send|ok)(?:\s+button)?", _I
)
_DOUBLE = re.compile(r"double[\s-]*click(?:\s+on)?\s+(?P<name>.+)", _I)
_HOVER = re.compile(
    r"(?:hover(?:\s+over|\s+on)?|point\s+(?:at|to)|move\s+the\s+mouse\s+(?:over|to|onto))\s+(?P<name>.+)", _I
)
_FOCUS = re.compile(
    r"(?:focus)(?:\s+(?:in|into|on|onto))?\s+(?P<name>.+)|put\s+the\s+(?:cursor|focus)\s+(?:in|into|on)\s+(?P<in>.+)",
    _I,
)
_TEXT_OF = re.compile(
    rf"(?:highlight|select|mark)\s+(?:(?:all\s+(?:of\s+)?)?the\s+text\s+(?:in|of|inside)\s+(?P<name>.+)|(?P<piece>{_Q})\s+in\s+(?P<of>.+))|highlight\s+(?P<whole>.+)",
    _I,
)
_COPY = re.compile(r"copy\s+(?:(?:all\s+)?(?:the\s+)?text\s+(?:in|from|of)\s+)?(?P<name>.+)", _I)
_PASTE = re.compile(
    r"paste\s+(?:it|this|that|the\s+text)?\s*(?:in(?:to)?|to)\s+(?P<name>.+)|paste(?:\s+(?:it|this|that))?", _I
)
_DRAG = re.compile(
    r"(?:drag|move|drop)\s+(?P<name>.+?)\s+(?:(?P<side>before|after|above|below|in\s+front\s+of|behind)|onto|into|inside|over|to|on|in)\s+(?P<to>.+)",
    _I,
)
_POSITION = re.compile(
    rf"\b(?:{COUNT})\s+(?:position|place|spot)|\bposition\b|\bby\s+(?:one|two|three|\d+)\b|\b(?:up|down|left|right)\b",
    _I,
)
_UPLOAD = re.compile(
    r"(?:upload|attach)\s+(?:the\s+)?(?:file\s+)?(?P<file>.+?)(?:\s+(?:to|in|into|as|with)\s+(?P<name>.+))?", _I
)
_DOWNLOAD = re.compile(r"download\s+(?P<name>.+)", _I)
_CLEAR = re.compile(r"(?:clear|empty)\s+(?P<name>.+)", _I)
_DIALOG = re.compile(
    r"(?P<verb>accept|confirm|dismiss|cancel|close)\s+(?:the\s+)?(?:browser\s+)?(?:(?:alert|confirm(?:ation)?|prompt|javascript)(?:\s+(?:dialog|box))?)"
    r"(?:\s+with\s+(?P<text>.+))?",
    _I,
)
_WINDOW = re.compile(
    r"(?:switch|go|change|move)\s+(?:back\s+)?to\s+(?:the\s+)?(?:(?P<which>new|other|latest|"
    + COUNT
    + r")\s+)(?:browser\s+)?(?:window|tab)",
    _I,
)
_WINDOW_NAMED = re.compile(r"(?:switch|go|change)\s+to\s+(?:the\s+)?(?:window|browser\s+tab)\s+(?P<name>.+)", _I)
_BETWEEN_TABS = re.compile(
    r"(?:switch|flip|go|navigate|look)\s+(?:between|through)\s+(?:the\s+)?(?:\w+\s+)?(?:tabs|sections|pages|tree|menus?|list|folders).*|(?:expand|open)\s+(?:all\s+)?(?:the\s+)?sections(?:\s+below)?",
    _I,
)
_GO_TO = re.compile(
    r"(?:go|navigate|switch|get|change)\s+to\s+(?:the\s+)?(?P<name>.+)|visit\s+(?:the\s+)?(?P<visited>.+)", _I
)
_FIND = re.compile(r"(?:find|locate|look\s+for)(?:\s+(?P<name>.+))?", _I)
_FOR = re.compile(r"(?:for|on|in|within|inside|under|at)\s+(?:the\s+)?(?P<name>.+?)\s*,\s*(?P<rest>\w.+)", _I)
_FOR_ONLY = re.compile(r"for\s+(?:the\s+)?(?:(?:user|row|item|person|entry|post)\s+)?(?P<name>.+)", _I)
_USE = re.compile(r"(?:use|using)\s+(?:the\s+)?(?P<name>.+)", _I)
_LIVE = re.compile(
    r"(?:expand|collapse|close|hide|reply|respond|answer|forward|delete|remove|mark|star|archive|like|share|retweet|buy|book|order|add|create|"
    r"resize|sort|give|make|set\s+the\s+sliders|comment|send|save|cancel|log\s*out|sign\s*out|log\s*in|sign\s*in|rate|follow|unfollow|accept|agree|decline|show|hide|sign)\b.*",
    _I,
)


def read(text: str, context: Context) -> list[Action] | None:
    """Return the actions that the clause `text` asks for; nothing to do is an empty list, None what is not read."""
    for reader in _READERS:
        found = reader(text, context)
        if found is not None:
            return found
    return None


def _keys(text: str, _context: Context) -> list[Action] | None:
    match = _PRESS.fullmatch(text)
    if match is None:
        return None
    if match["combination"]:
        names = {"ctrl": "Control", "control": "Control", "shift": "Shift", "alt": "Alt", "cmd": "Meta", "meta": "Meta"}
        parts = [part.strip() for part in match["combination"].split("+")]
        return [Press(key="+".join(names.get(part.lower(), part if len(part) > 1 else part.upper()) for part in parts))]
    return [Press(key=_KEYS[" ".join((match["key"] or match["alone"]).lower().split())])]


def _moving(text: str, context: Context) -> list[Action] | None:
    """Read what moves between pages, windows and parts of a page."""
    if _BACK.fullmatch(text):
        return [Back()]
    if match := _WINDOW.fullmatch(text):
        number = number_of(match["which"])
        return [SwitchTab(number=number)] if number else [SwitchTab(number=-1)]
    if match := _WINDOW_NAMED.fullmatch(text):
        return [SwitchTab(titled=context.plain(match["name"]))]
    if _BETWEEN_TABS.fullmatch(text):
        context.seek = True
        return []
    if match := _SCROLL.fullmatch(text):
        return _scroll(match["where"].strip(), context)
    if match := _WAIT_S.fullmatch(text):
        seconds = float(match["number"]) / (1000 if match["unit"].lower().startswith("m") else 1)
        return [WaitFor(seconds=min(seconds, 60))]
    if match := _WAIT.fullmatch(text):
        name = context.plain(match["text"])
        is_page = name.lower() in {"page", "it", "page to load"}
        return [] if is_page else [WaitFor(text=name, gone=bool(match["gone"]))]
    if match := _GO_TO.fullmatch(text):
        name = re.sub(r"\s+(?:page|section)$", "", match["name"] or match["visited"], flags=_I)
        return [Click(target=context.target(name), seek=True)]
    return None


def _scroll(where: str, context: Context) -> list[Action]:
    match = _SCROLLED.fullmatch(where) if where else None
    if match is None:
        name = re.sub(r"^(?:down\s+)?(?:to\s+)?", "", where, flags=_I)
        return [Scroll(to="into_view", target=context.target(name))] if name else [Scroll()]
    end = (match["end"] or "").lower()
    to = {"end": "bottom", "beginning": "top"}.get(end, end) or match["way"].lower()
    name = match["what"] or match["of"]
    target = (
        None if not name or re.fullmatch(r"(?:the\s+)?(?:page|text|screen|window)", name, _I) else context.target(name)
    )
    return [Scroll(to=cast("Literal['down', 'up', 'bottom', 'top']", to), target=target)]


def _special(text: str, context: Context) -> list[Action] | None:
    """Read what has a word of its own: dialogs, files, copying, marking, dragging."""
    if match := _DIALOG.fullmatch(text):
        accept = match["verb"].lower() in {"accept", "confirm"}
        return [Dialog(accept=accept, text=context.plain(match["text"]) if match["text"] else "")]
    if (match := _UPLOAD.fullmatch(text)) is not None:
        return [
            Upload(
                files=[context.plain(match["file"])], target=context.target(match["name"]) if match["name"] else None
            )
        ]
    if match := _DOWNLOAD.fullmatch(text):
        return [Download(target=context.target(match["name"]))]
    if match := _CLEAR.fullmatch(text):
        return [Clear(target=context.target(match["name"]))]
    if match := _TEXT_OF.fullmatch(text):
        named = match["name"] or match["of"] or match["whole"]
        piece = context.plain(match["piece"]) if match["piece"] else None
        return [SelectText(target=context.target(named), piece=piece)]
    if match := _COPY.fullmatch(text):
        context.copied = context.target(match["name"])
        return []
    if (match := _PASTE.fullmatch(text)) and context.copied is not None:
        return [Fill(target=context.target(match["name"]) if match["name"] else None, copy_of=context.copied)]
    if match := _DOUBLE.fullmatch(text):
        return [DoubleClick(target=context.target(match["name"]))]
    if match := _HOVER.fullmatch(text):
        return [Hover(target=context.target(match["name"]))]
    if match := _FOCUS.fullmatch(text):
        return [Click(target=context.target(match["name"] or match["in"]))]
    if text.lower().startswith(("drag", "drop", "move")):
        match = _DRAG.fullmatch(text)
        if match is None or _POSITION.search(text) or ALL.search(text):
            return [in_words(text, context)]
        side = (match["side"] or "onto").lower()
        where = "before" if side in {"before", "above", "in front of"} else "onto" if side == "onto" else "after"
        return [
            Drag(
                target=context.target(match["name"]),
                to=context.target(match["to"]),
                side=where,
            )
        ]
    return None


def _finding(text: str, context: Context) -> list[Action] | None:
    """Read what later clauses are about."""
    if match := _FIND.fullmatch(text):
        context.seek = True
        if not match["name"] or re.search(r"\bword\b", match["name"], _I):
            return [in_words(text, context)] if match["name"] else []
        context.subject = Target(described=context.masked.requote(match["name"]))
        return [InWords(words=f"find {context.masked.requote(match['name'])}")]
    if match := _FOR.fullmatch(text):
        context.subject = Target(
            described=context.masked.requote(re.sub(r"^(?:user|row|item|person|entry)\s+", "", match["name"], flags=_I))
        )
        return read(match["rest"], context)
    if match := _FOR_ONLY.fullmatch(text):
        context.subject = Target(described=context.masked.requote(match["name"]))
        return []
    if (match := _USE.fullmatch(text)) and not match["name"].lower().startswith("browser"):
        name = re.sub(r"\s+(?:below|above)$", "", match["name"], flags=_I)
        context.tool = Target(described=context.masked.requote(name))
        return []
    return None


def _clicking(text: str, context: Context) -> list[Action] | None:
    if _SUBMIT.fullmatch(text):
        return [InWords(words="submit")]
    if _NTH_ITEM.fullmatch(text) or _LOGIN_BUTTON.fullmatch(text):
        return [in_words(text, context)]
    if match := _CLICK.fullmatch(text):
        if ALL.search(re.sub(_Q, "", match["name"])):
            return [in_words(text, context)]
        name = re.sub(r"\s+to\s+(?:open|see|view|go|mark|delete|confirm|continue)\b.*$", "", match["name"], flags=_I)
        name = re.sub(r"^(?:close|exit)\s+the\s+.*?\s+by\s+clicking\s+", "", name, flags=_I)
        if PRONOUN.fullmatch(name) and context.subject is not None:
            return [Click(target=context.subject, seek=context.seek)]
        target = context.target(name)
        return [Click(target=target, seek=context.seek)]
    if match := re.fullmatch(
        r"(?:close|exit|dismiss|delete|remove|confirm)\b.*?\s+by\s+(?:clicking|pressing|tapping)(?:\s+on)?\s+(?P<name>.+)",
        text,
        _I,
    ):
        return [Click(target=context.target(match["name"]))]
    return [in_words(text, context)] if _LIVE.fullmatch(text) else None


_READERS = (_keys, _special, read_filling, _finding, _moving, read_choosing, _clicking)
