"""What texts mean, as vectors, by an OpenAI-compatible `/embeddings` address: a provider's, or a local model's.

    embeddings = open_embeddings(settings, client)
    if embeddings is not None:
        [vector] = await embeddings.embed(["Summarize this."])

Without EMBEDDING_MODEL there are none, and whoever searches does without. The address is reached by the guarded client
of `shared.http`, so a private one has to be allowed. Source: https://platform.openai.com/docs/api-reference/embeddings
"""

import asyncio
import math
from collections.abc import Sequence
from typing import Final

import httpx
import orjson
from pydantic import JsonValue

from shared import http, strict_json
from shared.errors import FederationError, ModelAnswerError, ModelRefusedError, ModelUnavailableError, TooLargeError
from shared.settings import FederationSettings

EMBEDDING_ERRORS = (ModelUnavailableError, ModelRefusedError, ModelAnswerError)
"""What a call can raise, for those who can do without it."""

_OPENAI_URL: Final = "https://api.openai.com/v1"
_MOST_AT_ONCE: Final = 64
_MOST_CHARS: Final = 8_000
_MOST_DIMENSIONS: Final = 8_192
_BYTES_PER_NUMBER: Final = 32
_PASSES: Final = frozenset({408, 409, 425, 429})


class Embeddings:
    """An embedding model that is configured. Vectors of the same `model` can be compared, and no others."""

    def __init__(self, client: http.Client, url: str, model: str, key: str | None, timeout_s: float) -> None:
        self.model = model
        self._client = client
        self._url = http.parse_url(f"{url.rstrip('/')}/embeddings")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._timeout_s = timeout_s

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text, in their order, each of length 1; of a long text its first 8,000 characters.

        EMBEDDING_TIMEOUT_S bounds the wait for each 64 texts. Nothing is tried twice.
        Raises: one of EMBEDDING_ERRORS, AddressRefusedError.
        """
        vectors: list[list[float]] = []
        for first in range(0, len(texts), _MOST_AT_ONCE):
            vectors += await self._embed([text[:_MOST_CHARS] or " " for text in texts[first : first + _MOST_AT_ONCE]])
        if len({len(vector) for vector in vectors}) > 1:
            raise ModelAnswerError(f"The embedding model {self.model!r} gave vectors of different lengths.")
        return vectors

    async def _embed(self, texts: Sequence[str]) -> list[list[float]]:
        body = orjson.dumps({"model": self.model, "input": texts, "encoding_format": "float"})
        most = len(texts) * _MOST_DIMENSIONS * _BYTES_PER_NUMBER
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._client.post(
                    self._url,
                    content=body,
                    headers={**self._headers, "Content-Type": "application/json"},
                    timeout=self._timeout_s,
                    extensions={http.MAX_BYTES: most},
                )
        except httpx.HTTPError as error:
            raise ModelUnavailableError(
                f"The embedding model {self.model!r} cannot be asked. {http.translate(error, self._url).detail}"
            ) from error
        except TimeoutError as error:
            raise ModelUnavailableError(
                f"The embedding model {self.model!r} did not answer within {self._timeout_s:g} s (EMBEDDING_TIMEOUT_S)."
            ) from error
        except TooLargeError as error:
            raise ModelAnswerError(f"The embedding model {self.model!r} answered more than vectors.") from error
        if not response.is_success:
            raise self._refused(response.status_code)
        try:
            return self._read(strict_json.parse(response.content), len(texts))
        except strict_json.JsonError as error:
            raise ModelAnswerError(f"The answer of the embedding model {self.model!r} {error}.") from error

    def _refused(self, status: int) -> FederationError:
        if status >= 500 or status in _PASSES:
            return ModelUnavailableError(f"The embedding model {self.model!r} answers HTTP {status}.")
        return ModelRefusedError(
            f"The embedding model {self.model!r} answers HTTP {status}; check EMBEDDING_MODEL, EMBEDDING_BASE_URL and "
            "EMBEDDING_API_KEY."
        )

    def _read(self, answer: JsonValue, count: int) -> list[list[float]]:
        """Return the vectors, by their index. Raises: ModelAnswerError."""
        data = answer.get("data") if isinstance(answer, dict) else None
        found: dict[int, list[float]] = {}
        for place, item in enumerate(data if isinstance(data, list) else []):
            fields = item if isinstance(item, dict) else {}
            index, vector = fields.get("index", place), _unit(fields.get("embedding"))
            if isinstance(index, int) and vector is not None:
                found[index] = vector
        if found.keys() != {*range(count)}:
            raise ModelAnswerError(f"The embedding model {self.model!r} did not give one vector for each text.")
        return [found[index] for index in range(count)]


def open_embeddings(settings: FederationSettings, client: http.Client) -> Embeddings | None:
    """Return the embedding model that the settings name, or None; nothing is sent before the first call.

    Its address is EMBEDDING_BASE_URL, else LLM_BASE_URL, else OpenAI's; its key EMBEDDING_API_KEY, else the one that
    goes with that address.
    """
    if settings.embedding_model is None:
        return None
    url = settings.embedding_base_url or settings.llm_base_url or _OPENAI_URL
    key = settings.embedding_api_key
    if key is None and settings.embedding_base_url is None:
        key = settings.openai_api_key
    return Embeddings(
        client,
        url,
        settings.embedding_model,
        None if key is None else key.get_secret_value(),
        settings.embedding_timeout_s,
    )


def _unit(value: JsonValue) -> list[float] | None:
    """Return the vector at length 1; None for what is no vector, or has no direction."""
    if not isinstance(value, list) or not 0 < len(value) <= _MOST_DIMENSIONS:
        return None
    numbers = [float(each) for each in value if isinstance(each, int | float) and not isinstance(each, bool)]
    length = math.hypot(*numbers)
    if len(numbers) != len(value) or not math.isfinite(length) or length == 0:
        return None
    return [number / length for number in numbers]
