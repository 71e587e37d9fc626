"""Takes addresses and quoted texts out of a request, so that the words around them can be read."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import InvalidRequestError

URL = "\ue000"
QUOTE = "\ue001"
_END = "\ue002"
URL_TOKEN = rf"{URL}(\d+){_END}"
QUOTE_TOKEN = rf"{QUOTE}(\d+){_END}"
_TOKEN = re.compile(rf"([{URL}{QUOTE}])(\d+){_END}")

_MAX_WORDS = 1_990

_PRIVATE = re.compile(r"[\ue000-\uf8ff]")
_WEB_ADDRESS = re.compile(r"https?://[^\s<>\"'“”‘’«»`]+", re.IGNORECASE)
_OTHER_SCHEME = re.compile(
    r"(?<![\w.])(?:(?!https?:)[a-z][a-z0-9+.-]{1,30}://|(?:javascript|data|file|about|chrome|view-source|blob):(?=\S))"
    r"\S*",
    re.IGNORECASE,
)
_QUOTED = re.compile(
    r"\"([^\"\n]+)\"|“([^”\n]+)”|«([^»\n]+)»|‘([^’\n]+)’(?!\w)|`([^`\n]+)`"
    r"|(?<!\w)'((?:[^'\n]|(?<=\w)'(?=\w))+)'(?!\w)"
)
_BARE_ADDRESS = re.compile(
    r"(?<![\w@./:-])"
    r"(?P<host>(?:\d{1,3}\.){3}\d{1,3}|\[[0-9a-f:.]+\]|(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*[a-z](?:[a-z0-9-]*[a-z0-9])?)"
    r"(?P<port>:\d{1,5})?(?P<path>[/?][^\s<>\"'“”‘’«»`]*)?(?![\w@])",
    re.IGNORECASE,
)
_FILE_ENDING = re.compile(
    r"csv|tsv|jsonl?|xml|html?|md|txt|pdf|png|jpe?g|gif|svg|webp|py|js|ts|css|ya?ml|toml|ini|log|docx?|xlsx?|pptx?|"
    r"zip|gz|tar|parquet|sql|sh|exe"
)
_CLOSES_SINGLE = re.compile(r"['‘’\n]")
_CLOSES = re.compile(r"[\"“”«»`\n]")
_BLANKS = re.compile(r"\s+")
_BRACKETS = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True)
class Masked:
    """A request with tokens in place of its addresses and quoted texts."""

    text: str
    urls: tuple[str, ...]
    quotes: tuple[str, ...]

    def unmask(self, text: str) -> str:
        """Return `text`, a piece of the masked request, with what its tokens stand for; quotes lose their marks."""
        return _TOKEN.sub(lambda m: (self.urls if m[1] == URL else self.quotes)[int(m[2])], text).strip()

    def requote(self, text: str) -> str:
        """Return `text` as `unmask` does, but with marks around its quotes, which none of them can close.

        Where that is longer than 2,000 characters, the quotes are cut within their marks.
        """

        def put(match: re.Match[str], longest: int | None = None) -> str:
            if match[1] == URL:
                return self.urls[int(match[2])]
            quote = self.quotes[int(match[2])][:longest]
            return f"'{quote}'" if '"' in quote and not _CLOSES_SINGLE.search(quote) else f'"{_CLOSES.sub(" ", quote)}"'

        words = _TOKEN.sub(put, text).strip()
        if len(words) <= _MAX_WORDS:
            return words
        longest = max(1, (_MAX_WORDS - len(text)) // (len(_TOKEN.findall(text)) or 1))
        return _TOKEN.sub(lambda match: put(match, longest), text).strip()[:_MAX_WORDS]


def addresses(text: str) -> tuple[str, ...]:
    """Return the addresses in a text, each once; what names another scheme than http and https is passed over."""
    return tuple(dict.fromkeys(mask(_OTHER_SCHEME.sub(" ", text)).urls))


def is_address(text: str) -> bool:
    """Tell whether a text is one http or https address and nothing else. Raises: InvalidRequestError for others."""
    if _OTHER_SCHEME.fullmatch(text):
        raise _refusal(text)
    return _WEB_ADDRESS.fullmatch(text) is not None


def set_apart(text: str, places: Sequence[tuple[int, int]]) -> tuple[str, tuple[str, ...]]:
    """Return `text` with a quote's token at each of `places` ([start, end), in order), and what stood there."""
    pieces: list[str] = []
    before = 0
    for number, (start, end) in enumerate(places):
        pieces += [_PRIVATE.sub("", text[before:start]), f"{QUOTE}{number}{_END}"]
        before = end
    said = tuple(_PRIVATE.sub("", text[start:end]).strip() for start, end in places)
    return "".join([*pieces, _PRIVATE.sub("", text[before:])]), said


def with_addresses(text: str, said: Sequence[str]) -> str:
    """Return `text` with the addresses in a quote that was set apart, instead of it, where there are any."""
    return _TOKEN.sub(lambda match: ", ".join(addresses(said[int(match[2])])) or match[0], text)


def mask(text: str, said: Sequence[str] = ()) -> Masked:
    """Put tokens in place of addresses (with scheme anywhere, bare ones outside quotes) and quoted texts.

    `said` are the quotes that stand there as tokens already, as `set_apart` put them. Of blanks between
    the words that are left, one stays: what reads them would take very long for many.
    Raises: InvalidRequestError for an address outside quotes that is neither http nor https.
    """
    urls: list[str] = []
    quotes: list[str] = [*said]
    text = text if said else _PRIVATE.sub("", text)

    def whole(url: str) -> str:
        return _BLANKS.sub("%20", Masked("", (), tuple(quotes)).unmask(url))

    def keep_url(match: re.Match[str]) -> str:
        url, rest = _trim(match[0])
        urls.append(whole(url))
        return f"{URL}{len(urls) - 1}{_END}{rest}"

    def keep_quote(match: re.Match[str]) -> str:
        inside = next(group for group in match.groups() if group is not None).strip()
        if _TOKEN.fullmatch(inside):
            return inside
        quotes.append(Masked("", tuple(urls), tuple(quotes)).unmask(inside))
        return f"{QUOTE}{len(quotes) - 1}{_END}"

    def keep_bare(match: re.Match[str]) -> str:
        if not _is_address(match["host"].lower(), match["port"], match["path"]):
            return match[0]
        url, rest = _trim(match[0])
        is_plain = match["port"] is not None or "." not in match["host"] or match["host"][-1].isdigit()
        urls.append(whole(f"{'http' if is_plain else 'https'}://{url}"))
        return f"{URL}{len(urls) - 1}{_END}{rest}"

    text = _WEB_ADDRESS.sub(keep_url, text)
    text = _QUOTED.sub(keep_quote, text)
    if other := _OTHER_SCHEME.search(text):
        raise _refusal(Masked("", tuple(urls), tuple(quotes)).unmask(other[0]))
    text = _BARE_ADDRESS.sub(keep_bare, text)
    text = _BLANKS.sub(lambda found: "\n" if "\n" in found[0] else " ", text)
    return Masked(text, tuple(urls), tuple(quotes))


def _refusal(address: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"Only http and https addresses can be opened, not {address[:100]!r}. What is to be filled in or looked for "
        "stands in quotes."
    )


def _is_address(host: str, port: str | None, path: str | None) -> bool:
    if host == "localhost" or host.startswith("[") or re.fullmatch(r"(\d+\.){3}\d+", host):
        return True
    if port is not None:
        return True
    ending = host.rpartition(".")[2]
    return "." in host and 2 <= len(ending) <= 24 and (bool(path) or not _FILE_ENDING.fullmatch(ending))


def _trim(url: str) -> tuple[str, str]:
    """Split off the punctuation at the end of `url` that belongs to the sentence around it."""
    end = len(url)
    while end and url[end - 1] in ".,;:!?)]}…":
        last = url[end - 1]
        if last in _BRACKETS and url[:end].count(last) <= url[:end].count(_BRACKETS[last]):
            break
        end -= 1
    return url[:end], url[end:]
