"""Questions that go on from an earlier one: "and how long does it take?" is about what was spoken of before. Pure."""

import re
from dataclasses import replace
from typing import Final

from a2a_agent_service.question import Question, search_words

_POINTS_BACK: Final = re.compile(
    r"^\W*(?:and|but|so|also|then|what about|how about)\b"
    r"|\b(?:it|its|they|them|their|those|these|this|that|there|same)\b",
    re.IGNORECASE,
)
_FEW_WORDS: Final = 3
_MOST_WORDS: Final = 6


def completed(question: Question, earlier: str) -> Question:
    """Return the question with the words of the earlier one that it leaves out; itself if it stands on its own.

    It goes on from there if it points back and names little. A question with sources of its own stands on its own.
    """
    names_sources = bool(question.urls or question.material or question.subjects)
    own = {word for part in question.parts for word in part.split()}
    if names_sources or len(own) > _FEW_WORDS or not _POINTS_BACK.search(question.text):
        return question
    missing = [word for word in search_words(earlier).split() if word not in own][:_MOST_WORDS]
    if not missing:
        return question
    first = " ".join([*(question.parts[:1] or ()), *missing])
    return replace(question, queries=tuple(dict.fromkeys((first, *question.queries))), parts=question.parts or (first,))
