"""The content words of a text: what it is about, in whatever script, without the words that every text has."""

import re
import unicodedata

_SIGNS = (  # vowel signs and accents, which belong to their words, with the letters of their scripts
    "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed"
    "\u0900-\u0963\u0966-\u096f\u0971-\u0df3\u0e01-\u0e3e\u0e40-\u0e4e\u0e50-\u0e59\u0e80-\u0eff"
    "\u1000-\u1049\u1050-\u109f\u1780-\u17d3\u200c\u200d"
)
TOTAL = (
    r"(?:(?:grand |overall |in )?totals?|(?:grand |overall )?sums?|(?:gesamt)?summe|gesamt|insgesamt|totale|totaal"
    r"|total général|somme|suma|soma|Σ)"
)
"""What tables call their last row, as a regular expression to be matched without case."""

_WORD = re.compile(rf"[^\W_](?:[^\W_]|[{_SIGNS}])*(?:['’](?:[^\W_]|[{_SIGNS}])+)*")
_STOP_WORDS_TEXT = """
    a about above after again against all also am an and any are as at be because been before being below between
    both but by ca can cannot could did do does doing down during each either every else few for from further get
    gets give given had has have having he her here hers him his how however i if in into is it its itself just let
    many me might more most much must my near no nor not now of off on once one only onto or other our out over own
    per same several shall she should so some such than that the their them then there these they this those through
    thus to too under until up upon us very via was we were what when where whether which while who whom whose why
    will with within without wo would yes yet you your yours der die das und oder ist ein eine einer eines den dem
    des im zu mit von für auf nicht wie wer wann wo warum
    welche welcher welches le la les un une et est des du en el los las es una y de que quel quelle
    quels quelles combien quand pourquoi qué cuál cuáles cómo cuánto cuánta cuántos cuántas cuándo dónde quién according
    ما ماذا هي هو هم هل كم متي اين كيف لماذا من في علي الي عن مع او ان هذا هذه ذلك التي الذي لدي يكون
"""
_ARABIC = str.maketrans("أإآٱىیةک", "ااااييهك", "\u0640\u064b\u064c\u064d\u064e\u064f\u0650\u0651\u0652")
"""Letters that Arabic and Persian write in several ways; the line that draws words out, and vowels, are left out."""

_STOP_WORDS = frozenset(_STOP_WORDS_TEXT.split())


def folded(text: str) -> str:
    """Return a text in lower case, with letters written in one way that texts write in several."""
    return unicodedata.normalize("NFC", text.lower()).translate(_ARABIC)


def keywords(text: str) -> list[str]:
    """Return the content words of a text, lower-cased, in order, repeats kept: no stop words, no single letters."""
    words = (re.sub(r"(?:n['’]t|['’](?:s|re|ve|ll|d|m))$", "", word) for word in _WORD.findall(folded(text)))
    return [word for word in words if (len(word) > 1 or word.isdigit()) and word not in _STOP_WORDS]
