"""Whether words mean a thing on a page: "login", "Log in" and "sign-in" are the same to a person. Pure."""

import re
from typing import Final

# Words that people use for the same thing. The first letters decide nothing; each is compared without blanks and marks.
_SAME: Final = tuple(
    frozenset(group.split(", "))
    for group in (
        "login, log in, log on, sign in, signin, password",
        "logout, log out, log off, sign out",
        "signup, sign up, register, registration, create account, create an account, join",
        "search, query, find, q",
        "cart, basket, shopping bag",
        "home, homepage, start page",
        "email, e-mail, mail address",
        "phone, telephone, tel",
        "logo, brand",
        "navigation, nav, menu, navbar",
        "contact, contact us",
        "about, about us",
        "settings, preferences, options",
        "user name, username, user",
    )
)
_NOTHING: Final = re.compile(
    r"\b(?:no|0|zero|without)\s+(?:\w+\s+)?(?:results?|suggestions?|match(?:es)?|items?|options?|hits?)\b"
    r"|\bnothing\s+(?:was\s+)?found\b|\bloading\b|\bsearching\b|\bplease\s+wait\b|\bnot\s+found\b",
    re.IGNORECASE,
)


def means(words: str, name: str, hint: str = "") -> bool:
    """Tell whether `words` mean the thing with that visible name, and with what its markup says of it (`hint`)."""
    wanted = _bare(words)
    if not wanted:
        return True
    if is_in(words, name) or (len(wanted) > 3 and wanted in _bare(name)):
        return True
    tokens = set(re.findall(r"[a-z0-9]+", f"{name} {hint}".casefold()))
    run = _bare(f"{name} {hint}")
    return any(each in tokens or (len(each) > 4 and each in run) for each in _synonyms(wanted))


def is_in(quoted: str, text: str) -> bool:
    """Tell whether `quoted` stands in `text`, whatever the letter case and the blanks."""
    return " ".join(quoted.casefold().split()) in " ".join(text.casefold().split())


def says_nothing(text: str) -> bool:
    """Tell whether `text` says that there is nothing, or nothing yet: "No results", "Loading…"."""
    return bool(_NOTHING.search(text))


def _synonyms(wanted: str) -> set[str]:
    found = {wanted}
    for group in _SAME:
        bare = {_bare(each) for each in group}
        if wanted in bare:
            found |= bare
    return found


def _bare(text: str) -> str:
    return re.sub(r"[^a-z0-9\u0080-\uffff]", "", text.casefold())
