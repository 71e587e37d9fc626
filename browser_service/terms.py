"""On what terms a session is given: which hosts it may reach, and which secrets the service fills in for it.

They come with the request, as JSON: {"session": {"allow": ["*.shop.example"], "deny": [], "credentials": ["shop"]}}.
"""

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from browser_service.egress_proxy import Rules
from shared.errors import InvalidRequestError

_HOST = re.compile(r"(?:\*\.)?[a-z0-9._-]{1,253}(?::\d{1,5})?|\[[0-9a-f:.]+\](?::\d{1,5})?", re.IGNORECASE)


def _check_host(entry: str) -> str:
    if not _HOST.fullmatch(entry):
        raise ValueError(f"{entry[:100]!r} is no host; write it like example.org, *.example.org or example.org:8080")
    return entry


_Host = Annotated[str, Field(max_length=300), AfterValidator(_check_host)]


class Terms(BaseModel):
    """The terms of one session. Empty `allow`: every host that the service itself may reach.

    `profile`: the name under which cookies and stored values are kept from one session to the next.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    allow: Annotated[tuple[_Host, ...], Field(max_length=200)] = ()
    deny: Annotated[tuple[_Host, ...], Field(max_length=200)] = ()
    credentials: Annotated[tuple[str, ...], Field(max_length=50)] = ()
    profile: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")] | None = None

    @property
    def rules(self) -> Rules:
        """Return which hosts may be reached."""
        return Rules(self.allow, self.deny)


def read(data: Sequence[JsonValue]) -> Terms:
    """Return the terms that a request's JSON parts name. Raises: InvalidRequestError."""
    for part in data:
        if isinstance(part, dict) and (given := part.get("session")) is not None:
            try:
                return Terms.model_validate(given)
            except ValidationError as error:
                fault = error.errors(include_url=False)[0]
                where = "/".join(str(step) for step in fault["loc"])
                raise InvalidRequestError(f"`session` cannot be used: {where}: {fault['msg']}.") from error
    return Terms()
