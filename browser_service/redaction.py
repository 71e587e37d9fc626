"""Takes secrets out of what is kept: wherever they stand, in whatever way they were written down."""

import base64
import html
import json
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

INSTEAD = "********"

_MIN_CHARS = 3  # a secret of one letter cannot be told from letters
_MAX_MEMBER_BYTES = 200_000_000


def redact(text: str, secrets: Collection[str]) -> str:
    """Return `text` without the secrets."""
    if not secrets:
        return text
    return redact_bytes(text.encode("utf-8", "surrogatepass"), secrets).decode("utf-8", "surrogatepass")


def redact_bytes(content: bytes, secrets: Collection[str]) -> bytes:
    """Return `content` without the secrets: plain, in JSON, HTML, addresses, form bodies, Base64 and UTF-16."""
    for form in _forms(secrets):
        content = content.replace(form, INSTEAD.encode())
    return content


def redact_archive(path: Path, secrets: Collection[str]) -> None:
    """Write the ZIP archive at `path` anew without the secrets, in the names of its members too. Blocks."""
    if not any(len(secret) >= _MIN_CHARS for secret in secrets):
        return
    clean = path.with_suffix(".clean")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(clean, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        for member in source.infolist():
            if member.file_size <= _MAX_MEMBER_BYTES:  # what cannot be looked through is not kept
                target.writestr(redact(member.filename, secrets), redact_bytes(source.read(member), secrets))
    clean.replace(path)


def _forms(secrets: Collection[str]) -> Iterator[bytes]:
    """Yield every way in which a secret may be written; the longest first, so that none leaves a rest of another."""
    forms: set[bytes] = set()
    cased = {form for secret in secrets for form in (secret, secret.lower(), secret.upper(), " ".join(secret.split()))}
    for secret in cased:
        if len(secret) < _MIN_CHARS:
            continue
        texts = {
            secret,
            json.dumps(secret)[1:-1],
            json.dumps(secret, ensure_ascii=False)[1:-1],
            json.dumps(json.dumps(secret)[1:-1])[1:-1],
            html.escape(secret),
            html.escape(secret, quote=False),
            quote(secret, safe=""),
            quote(secret),
            quote_plus(secret),
        }
        forms |= {text.encode("utf-8", "surrogatepass") for text in texts}
        forms |= {text.encode("utf-8", "surrogatepass").lower() for text in texts if "%" in text}
        forms |= {secret.encode("utf-16-le", "surrogatepass"), secret.encode("utf-16-be", "surrogatepass")}
        forms |= set(_base64_forms(secret.encode("utf-8", "surrogatepass")))
    yield from sorted(forms, key=len, reverse=True)


def _base64_forms(secret: bytes) -> Iterator[bytes]:
    """Yield what any Base64 that has the secret in it holds: it depends on where in its group of three it begins."""
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + secret)
        first = -(-shift * 8 // 6)  # characters that what is before has a part in
        last = len(encoded) - (4 if encoded.endswith(b"=") else 0)
        if last - first >= 6:
            yield encoded[first:last]
            yield encoded[first:last].replace(b"+", b"-").replace(b"/", b"_")
