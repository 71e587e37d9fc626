"""Does what plain words ask for that only the page can decide: reply to it, search, the cheapest one, all of them.

No page and no site is known here: a wish names a control, and that is looked for by its name, what it is called
elsewhere, and what stands on its icon; near the thing that is spoken of first, then after opening that thing.
"""

import re
from collections.abc import Awaitable, Callable

from browser_service import (
    collecting,
    described,
    labels,
    likeness,
    lookup,
    masking,
    pointing,
    wishes_for_controls,
    wishes_for_fields,
    wishes_for_lists,
)
from browser_service.actions import InWords
from browser_service.browser_session import BrowserSession
from browser_service.described import COUNT
from browser_service.dialogs import ANSWER
from browser_service.errors import AmbiguousTargetError, ElementNotFoundError
from browser_service.findings import Findings, PartReading
from browser_service.snapshot import Node
from browser_service.targets import Target
from browser_service.wish import Wish

_I = re.IGNORECASE


class Wishes:
    """Does `InWords` actions. It is stateless: what "it" means comes with the action, what was noted with findings."""

    async def __call__(self, action: InWords, session: BrowserSession, findings: Findings) -> None:
        """Do what `action` says. Raises: NotUnderstoodError, and all that acting on a page raises."""
        wish = Wish(action, session, findings)
        if (match := _CLICK.fullmatch(wish.text)) and await wishes_for_controls.click_called(wish, match["name"]):
            return
        for pattern, do in _DONE:
            if match := pattern.fullmatch(wish.text):
                await do(wish, match)
                return
        await wishes_for_controls.use_control(wish)


async def _tell(wish: Wish, match: re.Match[str]) -> None:
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
    of = _OF.fullmatch(what)
    if not text and of:
        text = collecting.cell_of(seen, wish.plain(of["what"]), wish.plain(of["whom"]))
    if not text:
        target = Target(described=wish.masked.requote(what), near=wish.about)
        node = lookup.find(target, seen, "read")
        text = node.get("value") or collecting.beside(seen, node) or node.text
        asked, called = wish.plain(of["what"] if of else what), labels.name_of(node, seen)
        is_label = likeness.folded(text) == likeness.folded(asked)
        if of and (is_label or not _is_said(asked, node, text)):
            raise ElementNotFoundError(f"The page shows {wish.plain(of['whom'])!r}, but not its {of['what']}.")
        if is_label:
            raise ElementNotFoundError(f"The page shows {text!r}, but no value beside it.")
        if text != node.text and likeness.likeness(wish.plain(what), node) < _SAME:
            wish.findings.notes.append(f"This stands beside {called[:80]!r}.")
    wish.findings.parts.append(PartReading(wish.plain(what).capitalize(), text, text))


def _is_said(what: str, node: Node, text: str) -> bool:
    """Tell whether what was found for "the colour of X" is that, or only what happens to stand beside X."""
    is_named = likeness.likeness(what, node) > 0 or described.kind_of(what) is not None
    return is_named or (re.search(r"\b(?:price|cost)", what, _I) is not None and collecting.is_price(text))


async def _find(wish: Wish, match: re.Match[str]) -> None:
    """Bring what is spoken of to view, behind tabs and on following pages too."""
    target = Target(described=wish.masked.requote(match["what"]))
    try:
        await pointing.seek(wish.session, target)
    except AmbiguousTargetError as error:  # whoever looks for one of several has found it; that there are more is told
        wish.findings.notes.append(f"The first was taken: {error.detail}")


_CLICK = re.compile(r"(?:click|tap|press|push|hit|open|follow)(?:\s+on)?\s+(?P<name>.+)", _I)
_SAME = 84.0  # from here on a name is what was asked for
_OF = re.compile(r"(?P<what>.+?)\s+(?:of|for)\s+(?P<whom>.+)", _I)
_Q = masking.QUOTE_TOKEN.replace("(", "(?:")
_DONE: tuple[tuple[re.Pattern[str], Callable[[Wish, re.Match[str]], Awaitable[None]]], ...] = tuple(
    (re.compile(pattern, _I), do)
    for pattern, do in (
        (r"submit(?:\s+(?:the\s+form|it|this))?", wishes_for_controls.submit),
        (
            rf"(?:click|open|select|choose|tap)(?:\s+on)?\s+(?:the\s+)?(?P<count>{COUNT})\s+(?:search\s+)?"
            r"(?:results?|items?|entry|posts?|products?|hits?)",
            wishes_for_lists.nth_item,
        ),
        (
            r"(?:click|press|hit|tap)(?:\s+on)?\s+(?P<name>(?:the\s+)?(?:log\s?in|sign\s?in|send|ok)(?:\s+button)?)",
            wishes_for_controls.press_named,
        ),
        (ANSWER.pattern, wishes_for_controls.answer_dialog),
        (r"check\s+(?:off\s+)?(?P<names>.+)", wishes_for_controls.tick),
        (r"tell\s+(?P<what>.+)", _tell),
        (
            rf"find\s+(?:the\s+)?(?P<count>{COUNT})\s+word(?:\s+(?:in|of)\s+(?:the\s+)?(?P<of>.+))?",
            wishes_for_fields.note_word,
        ),
        (r"find\s+(?P<what>.+)", _find),
        (
            r"(?:type|enter|write|put|paste|insert)\s+(?:it|that|this|that\s+(?:word|value|number|text)|the\s+(?:word|value|result|answer))\s+"
            r"(?:in(?:to)?|to)\s+(?P<name>.+)",
            wishes_for_fields.write_noted,
        ),
        (
            r"(?:type|enter|write|put)\s+the\s+values?\s+that\s+correspond.+|fill\s+(?:in|out)\s+.*correspond.+",
            wishes_for_fields.write_values,
        ),
        (
            r"(?:type|enter|write|put)\s+the\s+value\s+(?:of|for)\s+(?P<key>.+?)\s+(?:in(?:to)?|to)\s+(?P<name>.+)",
            wishes_for_fields.write_value_of,
        ),
        (
            r"(?:type|enter|write|put|fill)\s+(?P<value>.+?)\s+(?:in(?:to)?|to)\s+(?P<name>(?:both|all|each|every)\b.+)",
            wishes_for_fields.fill_all,
        ),
        (
            r"set\s+(?:the\s+)?(?P<kind>\w+)\s+to\s+(?:the\s+)?(?:combination|values?|numbers?)\s+(?P<numbers>.+)",
            wishes_for_fields.set_combination,
        ),
        (
            rf"(?:enter|type|select|choose|pick)\s+(?:an?\s+)?\w+(?:\s+\w+)?\s+(?:that|which)\s+(?:starts?|begins?)\s+with\s+(?P<start>{_Q}|\S+)"
            rf"(?:\s+and\s+(?:that\s+)?ends?\s+(?:with|in)\s+(?P<end>{_Q}|\S+))?",
            wishes_for_fields.complete,
        ),
        (
            r"(?:search|look)(?:\s+(?:the\s+)?(?:page|site|web|it))?\s+for\s+(?P<query>.+)|search\s+(?P<plain>.+)",
            wishes_for_fields.search,
        ),
        (
            r"(?P<verb>reply|respond|answer|comment|forward|share|send)(?:\s+(?:it|that\s+\w+|this\s+\w+|the\s+\w+))?"
            r"(?:\s+(?:to|on)\s+(?P<to>.+?))?(?:\s+(?:with|saying|by\s+saying|that\s+says)(?:\s+the)?(?:\s+(?:text|message|words?))?\s+(?P<text>.+))?",
            wishes_for_controls.answer,
        ),
        (
            r"(?:click|press|tap|hit)(?:\s+on)?\s+(?:the\s+)?(?P<name>.+?)\s+(?:on|for|in|of)\s+(?:(?:all|each|every)(?:\s+of)?|(?P<number>\d+))"
            r"(?:\s+the)?\s+\w+(?:\s+(?:by|from|of|with|named|for)\s+(?P<by>.+))?",
            wishes_for_lists.for_all,
        ),
        (
            r"(?:click|press|tap|select)(?:\s+on)?\s+.*?\bin\s+(?P<way>ascending|descending|increasing|decreasing)\s+order.*",
            wishes_for_lists.in_order,
        ),
        (
            r"(?:sort|order|arrange|put)\s+.*?\b(?P<way>ascending|descending|increasing|decreasing)\s+order.*",
            wishes_for_lists.sort,
        ),
        (
            r"(?:buy|book|order|choose|select|pick|click)\b.*?\b(?P<degree>cheapest|least\s+expensive|most\s+expensive|shortest|longest|"
            r"lowest|highest|smallest|largest|greatest|fastest|slowest|latest|earliest)\b.*",
            wishes_for_lists.best_of,
        ),
        (r"(?P<verb>expand|collapse|unfold|fold)\s+(?P<what>.+)", wishes_for_controls.expand),
        (r"(?:drag|move)\s+(?P<name>.+?)\s+(?P<where>(?:up|down|left|right|to|by|into)\b.*)", wishes_for_lists.move),
        (
            r"(?:give|make|turn|set|change)\s+(?P<text>.+?)\s+(?:the\s+|to\s+)?(?:style|color|colour|format)\s+(?P<style>.+)",
            wishes_for_controls.style,
        ),
        (r"(?:make)\s+(?P<text>.+?)\s+(?P<style>bold|italics?|underlined?)", wishes_for_controls.style),
        (r"resize\s+(?P<what>.+?)\s+(?:so\s+that|to\s+be|to\s+make)\s+(?P<how>.+)", wishes_for_controls.resize),
        (
            r"(?:fill|complete)(?:\s+(?:in|out))?\s+(?:the\s+|this\s+)?(?:\w+\s+)?form\s*(?:with\b|:)\s*(?P<values>.+)",
            wishes_for_fields.fill_form,
        ),
        (
            r"(?:select|choose|pick)\s+(?P<whole>(?P<options>.+?)\s+(?:from|in|with|using|on|out\s+of|for|as)\s+(?P<name>.+))",
            wishes_for_fields.choose_in,
        ),
        (
            r"(?P<verb>order|buy|add|book)\s+(?:(?:one|1|a)\s+of\s+(?:each|these)(?:\s+\w+)?\s*:?\s*)(?P<items>.+)",
            wishes_for_lists.each_item,
        ),
    )
)
