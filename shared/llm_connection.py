"""A provider's connections: its SDK is imported, and a client made, when a model of it is asked for the first time.

Groq and Anthropic have SDKs that cost tens of megabytes, which an idle service should not hold.
"""

import asyncio

from shared.llm_choice import Access
from shared.llm_openai import OpenAI
from shared.llm_providers import Provider
from shared.settings import FederationSettings


class Connection:
    """A provider: nothing is imported nor connected before the first call, and LLM_CONCURRENCY calls run at once."""

    def __init__(self, access: Access, settings: FederationSettings, *, in_graph: bool) -> None:
        self.access = access
        self.slots = asyncio.Semaphore(settings.llm_concurrency)
        self._timeout_s = settings.llm_timeout_s
        self._in_graph = in_graph
        self._provider: Provider | None = None
        self._opening = asyncio.Lock()

    async def provider(self) -> Provider:
        """Return the open provider."""
        if self._provider is None:
            async with self._opening:
                if self._provider is None:
                    self._provider = await asyncio.to_thread(
                        _connect, self.access, self._timeout_s, in_graph=self._in_graph
                    )
        return self._provider

    async def close(self) -> None:
        """Close it."""
        if self._provider is not None:
            await self._provider.close()


def _connect(access: Access, timeout_s: float, *, in_graph: bool) -> Provider:
    """Import the provider's SDK and make a client. Takes a second or two the first time: call it in a thread.

    `in_graph`: OpenAI-compatible servers and Groq are called by LangChain's packages, as graphs of LangGraph do.
    """
    match access.api:
        case "openai" if in_graph:
            from shared.llm_langchain import open_openai  # noqa: PLC0415 - heavy, see the module's docstring

            return open_openai(access, timeout_s)
        case "openai":
            return OpenAI(access, timeout_s)
        case "anthropic":
            from shared.llm_anthropic import Anthropic  # noqa: PLC0415 - as above

            return Anthropic(access, timeout_s)
        case "groq" if in_graph:
            from shared.llm_langchain import open_groq  # noqa: PLC0415 - as above

            return open_groq(access, timeout_s)
        case "groq":
            from shared.llm_groq import Groq  # noqa: PLC0415 - as above

            return Groq(access, timeout_s)
