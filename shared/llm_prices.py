"""What a call of a model costs: by the maintained table of `genai-prices`, else by the price in the settings.

The table is 30 MB in memory or more, and is imported only for a provider's own address: a server of one's own has
no price there.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

from shared.llm_choice import Choice
from shared.llm_providers import Reply
from shared.settings import FederationSettings

_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """What a million tokens of a model cost. `table`: provider and model as the table knows them."""

    input_usd: float
    output_usd: float
    table: tuple[str, str] | None = None

    def of(self, reply: Reply) -> float:
        """Return the cost of an answer, in USD; tokens from the provider's cache are cheaper by the table."""
        if self.table is not None and (cost := _by_table(*self.table, reply)) is not None:
            return cost
        return (reply.input_tokens * self.input_usd + reply.output_tokens * self.output_usd) / _MILLION


def find(settings: FederationSettings, choice: Choice, model: str) -> Price:
    """Return the price of a model. Imports the table where it may know the model: call it in a thread."""
    if choice.access.is_official:
        table = (choice.provider, model)
        read, written = _by_table(*table, Reply("", _MILLION, 0, None)), _by_table(*table, Reply("", 0, _MILLION, None))
        if read is not None and written is not None:
            return Price(read, written, table)
    return configured(settings)


def configured(settings: FederationSettings) -> Price:
    """Return the price of models that the table does not know."""
    return Price(settings.llm_price_input_per_mtok, settings.llm_price_output_per_mtok)


def _by_table(provider: str, model: str, reply: Reply) -> float | None:
    if not _is_listed(provider, model):
        return None
    from genai_prices import Usage, calc_price  # noqa: PLC0415 - see the module's docstring

    usage = Usage(
        input_tokens=reply.input_tokens,
        output_tokens=reply.output_tokens,
        cache_read_tokens=min(reply.cached_tokens, reply.input_tokens),
        cache_write_tokens=min(reply.stored_tokens, reply.input_tokens - min(reply.cached_tokens, reply.input_tokens)),
    )
    return float(calc_price(usage, model, provider_id=provider).total_price)


@cache
def _is_listed(provider: str, model: str) -> bool:
    from genai_prices import Usage, calc_price  # noqa: PLC0415

    try:
        calc_price(Usage(input_tokens=1, output_tokens=1), model, provider_id=provider)
    except LookupError:
        return False
    return True
