"""What was found about an agent: how bad it is, where in its card or at which address, and what says so."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from shared.agent import JsonObject

Severity: TypeAlias = Literal["error", "warning", "note"]
"""error: it cannot be registered so; warning: it breaks a rule, or looks like a trick; note: worth knowing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found. `text` completes a sentence that begins with `where`: a JSON pointer or an address.

    `clause` names the rule: a section of the A2A specification, or a document of ours.
    """

    severity: Severity
    where: str
    text: str
    clause: str

    def __str__(self) -> str:
        return f"{self.where or 'The card'} {self.text} ({self.clause})"

    def to_json(self) -> JsonObject:
        """Return it as the API shows it."""
        return {"severity": self.severity, "where": self.where, "text": self.text, "clause": self.clause}


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Return those that forbid a registration."""
    return [finding for finding in findings if finding.severity == "error"]
