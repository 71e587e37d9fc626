"""Who asks. Every row that belongs to someone is read and written in the name of a caller."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """The party a request is made for. `name` scopes what must not collide between parties, idempotency keys first."""

    tenant_id: str = "default"
    name: str = "local"


LOCAL = Caller()
"""The one caller of an API without accounts: whoever reaches it, by default only from this machine."""
