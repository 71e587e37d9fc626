"""What calls of models may spend for one request, and what they have spent when they fail."""

from dataclasses import dataclass
from typing import Final, TypeVar

from shared import model_usage
from shared.agent import JsonObject, Usage
from shared.errors import FederationError, ModelBudgetError
from shared.llm_prices import Price

E = TypeVar("E", bound=FederationError)

_CHARS_PER_TOKEN: Final = 4
_LEAST_TOKENS: Final = 16
_MILLION: Final = 1_000_000


def spent(error: FederationError) -> Usage:
    """Return what calls cost that ended in this error."""
    return model_usage.from_json(error.facts.get("usage"))


def charge(error: E, usage: Usage) -> E:
    """Return the error with what was spent before it added to its facts."""
    if usage:
        error.facts["usage"] = model_usage.to_json(spent(error) + usage)
    return error


@dataclass(slots=True)
class Purse:
    """What one request may still spend on models; None: no limit."""

    cost_usd: float | None = None
    tokens: float | None = None

    @staticmethod
    def of(limits: JsonObject) -> "Purse":
        """Return the purse that a message's budget allows."""

        def limit(name: str) -> float | None:
            value = limits.get(name)
            return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

        return Purse(limit("cost_usd"), limit("tokens"))

    def pay(self, usage: Usage) -> None:
        """Take out what was spent."""
        if self.cost_usd is not None:
            self.cost_usd -= usage.cost_usd
        if self.tokens is not None:
            self.tokens -= usage.input_tokens + usage.output_tokens

    def affordable(self, price: Price, chars: int, max_tokens: int) -> int:
        """Return how many tokens an answer may have. Raises: ModelBudgetError."""
        read = chars // _CHARS_PER_TOKEN
        most = float(max_tokens)
        if self.tokens is not None:
            most = min(most, self.tokens - read)
        if self.cost_usd is not None:
            left = self.cost_usd - read * price.input_usd / _MILLION
            if left < 0 or self.cost_usd <= 0:
                most = 0
            elif price.output_usd > 0:
                most = min(most, left / price.output_usd * _MILLION)
        if most < min(_LEAST_TOKENS, max_tokens):
            raise ModelBudgetError("What the task may still spend is too little for a call of the language model.")
        return int(most)
