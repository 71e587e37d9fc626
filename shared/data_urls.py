"""Reads `data:` URLs, which hold what others only point to. Pure. Source: https://www.rfc-editor.org/rfc/rfc2397"""

import base64
import binascii
from urllib.parse import unquote_to_bytes


def read(url: str) -> tuple[str, bytes] | None:
    """Return the media type that `url` names ("" if none) and the bytes that it holds; None if it holds none."""
    scheme, _, rest = url.partition(":")
    head, comma, encoded = rest.partition(",")
    if scheme.lower() != "data" or not comma:
        return None
    content = unquote_to_bytes(encoded)
    if head.lower().endswith(";base64"):
        try:
            content = base64.b64decode(content, validate=True)
        except binascii.Error:
            return None
    return head.partition(";")[0].strip(), content
