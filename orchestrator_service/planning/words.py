"""The words the rules planner goes by: which words begin a request, and which belong to what kind of work."""

import re
from functools import lru_cache
from typing import Final


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


REQUEST_VERBS: Final = _set(
    """
    add analyse analyze annotate answer apply ask assert average browse build calculate call capture categorize
    classify clean click collect combine compare compose compute confirm convert copy correct correlate create debug
    define delete describe detect determine develop display download draft draw edit email enter estimate evaluate
    examine execute explain explore export extract fetch fill filter find fix format gather generate get give go
    grab group highlight identify implement import improve inspect install investigate join load locate log look
    make map measure merge navigate note open organize outline parse perform pick post predict prepare press print
    produce proofread provide publish pull put query quote read recommend record rephrase remove rename render
    replace retrieve return rewrite save scan scrape scroll select send show simplify simulate solve split store
    submit suggest summarise summarize take tell transform translate try turn type update upload validate verify
    visit visualise visualize wait write
    """
)
"""Words that begin a request wherever a clause may begin."""

DOUBTFUL_VERBS: Final = _set(
    """
    book chart check close code count document graph hover list match name order paraphrase plan plot profile rank
    report research review run sample say score screenshot search sort start sum tap test time use watch
    """
)
"""Words that begin a request only where what follows shows it: they are nouns as well."""

ACTING_VERBS: Final = _set(
    """
    bake buy cancel delete deploy erase hire install invite notify pay publish purchase reboot remind rename reply
    reserve restart sell send sing subscribe translate tweet uninstall unsubscribe upload
    """
)
"""Words that ask for an act that is more than an answer; an agent that can do it says so."""

ACTING_NOUNS: Final = _set(
    """
    book call charge commit drop email e-mail mail message move order phone play post push refund schedule share ship
    switch text transfer turn update
    """
)
"""Words that ask for such an act where what follows shows it: they are nouns as well, or say other things, too."""

MAKING_VERBS: Final = _set("compose create draft draw generate make paint write")
"""Words that ask for something new, whatever it is."""

DONE_VERBS: Final = {
    "tested": "test",
    "reviewed": "review",
    "documented": "document",
    "checked": "check",
    "executed": "execute",
    "summarized": "summarize",
    "summarised": "summarise",
    "translated": "translate",
    "formatted": "format",
}
"""What one has done to something, as "have it reviewed", and the word that asks for it."""

QUESTION_WORDS: Final = _set("what who whom whose where when why how which is are does do did was were")

TRANSFORMING_VERBS: Final = _set(
    """
    analyse analyze answer check classify combine compare condense convert correct count debug describe evaluate
    explain extract fix format improve list merge outline paraphrase plot profile proofread rank rephrase report
    review rewrite run save send shorten simplify sort store sum summarise summarize test transform translate turn
    use validate verify visualise visualize write
    """
)
"""Words that begin a request about something that must be there already."""

PAGE_VERBS: Final = _set(
    """
    click press tap type fill enter select scroll wait hover submit log login sign screenshot capture take navigate
    go verify check confirm assert make close
    """
)

HANDLING_VERBS: Final = _set("click press tap type fill enter scroll hover submit navigate")
"""Words that begin a request about the page at hand, whatever else is said."""

READING_VERBS: Final = _set(
    """
    get extract read list show tell give return find count copy report grab fetch note collect print see scrape
    """
)

PAGE_WORDS: Final = _set(
    """
    page pages title titles heading headings headline headlines h1 h2 link links url urls button buttons form forms
    field fields input inputs menu table tables image images screenshot screenshots text texts website site web
    browser content contents element elements cookie banner login footer header navigation navbar tab paragraph
    paragraphs
    """
)

DATA_WORDS: Final = _set(
    """
    average averages mean median sum total totals maximum minimum max min column columns row rows chart charts plot
    histogram correlation correlations missing outlier outliers distribution distributions csv dataset dataframe
    table statistics stats percentile quantile std deviation variance trend trends group groups schema parquet
    spreadsheet profile aggregate per by top
    """
)

CODE_WORDS: Final = _set(
    """
    code script program function python snippet algorithm class module factorial fibonacci prime primes sandbox
    expression compute calculate
    """
)

DOCUMENT_WORDS: Final = _set(
    """
    document documents docs documentation article articles paper papers sources literature notes handbook wiki
    """
)

PLACE_WORDS: Final = DOCUMENT_WORDS | _set("file files folder handbooks manual manuals wikis web internet online")
"""Words for where an answer is to be found."""

_CITING_WORDS: Final = _set(
    "cite cites cited citing citation citations quote quotes reference references source sources"
)
_HINT_WORDS: Final = (
    PLACE_WORDS
    | _CITING_WORDS
    | _set(
        """
        a add all also always an and answer answers any as at attached available base based be by can carefully check
        company consult do each every exact exactly find first for from get give given go here if in include inline
        internal into internet it its just kindly list local look make mention must my name need of on only or our own
        page pages please provide provided put read refer rely search searching see should show stick sure take that
        the their them there these this those through thoroughly to too up uploaded use using want well where with you
        your
        """
    )
)
_HINT_LENGTH: Final = 20

_STOP: Final = _set(
    """
    a an and are as at be by can do does for from get give has have how i in into is it its me my of on or our
    please show so tell that the their them then there these this those to up us was were what when where which who
    will with you your
    """
)
_WORD: Final = re.compile(r"([^\W_]+(?:['’](?!s\b)[^\W_]+)?)(?:['’]s\b)?", re.IGNORECASE)
_FORMS: Final = r"(?:e?s|(?:e|o)rs?|ings?|(?:at|icat)?ions?|ments?|ies)?"
_ENDING: Final = re.compile(r"(?<=\w{3})(?:i[sz]ations?|ations?|i[sz](?:ing|e[sd]?)|ings?|ies|e[sd]?|s|y)\Z")


def words(text: str) -> list[str]:
    """Return the words of a text, lower-cased, in order; "what's" is "what"."""
    return [found[1].lower() for found in _WORD.finditer(text)]


def says_only_where(text: str) -> bool:
    """Tell whether a text asks nothing itself, but says where to look or to cite: "Search the documents, cite them"."""
    said = words(text)
    return (
        0 < len(said) <= _HINT_LENGTH
        and _HINT_WORDS.issuperset(said)
        and not (PLACE_WORDS | _CITING_WORDS).isdisjoint(said)
    )


def stems(text: str) -> set[str]:
    """Return the content words of a text without their endings, so that "prices" and "price" are one."""
    return {stem(word) for word in words(text) if word not in _STOP and not word.isdigit() and len(word) > 1}


def forms_of(verb: str) -> str:
    """Return a pattern for the words by which one says that one does it: for "send" also "sends" and "sending"."""
    return rf"(?:{re.escape(verb)}|{re.escape(stem(verb))}){re.escape(verb[-1])}?{_FORMS}\b"


@lru_cache(maxsize=16_384)
def stem(word: str) -> str:
    """Return the word without a common English ending, so that "prices", "price" and "pricing" meet."""
    return _ENDING.sub("", word)
