"""Asks every route in a service's OpenAPI document for what fits it, and for what does not. Made with Schemathesis."""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
# Schemathesis leaves out what its generic classes are of.
import random
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue
from schemathesis import Case, GenerationMode, Response
from schemathesis.checks import CheckContext, not_a_server_error
from schemathesis.core.errors import UnsupportedSchema
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

AnyCase: TypeAlias = Case[Any]
AnyOperation: TypeAlias = APIOperation[Any, Any, Any, Any]

_A2A: Final = "application/a2a+json"
_NO_REQUEST: Final = "Invalid HTTP request"
"""What the server below the services answers by itself, to an address that is too long and the like."""
_FORESEEN: Final = "urn:agent-federation:error:"
_MISFITS: Final = GenerationMode.NEGATIVE
_TIMEOUT_S: Final = 20
_ANY_JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)


def fuzz(url: str, known: Mapping[str, Sequence[str]], *, examples: int) -> int:
    """Ask each route of the service at `url` so often; return how many routes there are.

    `known` has ids that there are, by the names of path parameters: half of the calls are about them.
    Raises: all at once what Schemathesis finds wrong: a failure that nobody foresaw, or an answer that is not as the
    document says.
    """
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", timeout=60)
    routes, wrong = 0, list[BaseException]()
    for found in schema.get_all_operations():
        operation = cast("Ok[AnyOperation]", found).ok()
        try:
            _ask(operation, known, examples)
        except FailureGroup as failures:
            wrong.append(failures)
        routes += 1
    if wrong:
        raise BaseExceptionGroup(f"{len(wrong)} of {routes} routes", wrong)
    return routes


def _nothing_unforeseen(ctx: CheckContext, response: Response, case: AnyCase) -> bool | None:
    """Fail for a status of 500 and above, unless it tells a failure that was foreseen: an agent that is not there."""
    if response.status_code >= 500:
        told = cast("object", response.json() if "problem+json" in response.headers["content-type"][0] else {})
        kind = str(cast("dict[str, object]", told).get("type"))
        if kind.startswith(_FORESEEN) and not kind.endswith(":internal"):
            return None
    return not_a_server_error(ctx, response, case)


def _media_type(ctx: CheckContext, response: Response, case: AnyCase) -> bool | None:
    """Fail for a media type that is not in the document; of A2A's own the SDK writes there that it is plain JSON."""
    is_a2a = response.headers.get("content-type", [""])[0].startswith(_A2A)
    if is_a2a or response.text.startswith(_NO_REQUEST):
        return None
    return content_type_conformance(ctx, response, case)


_CHECKS: Final = [_nothing_unforeseen, response_schema_conformance, _media_type]


def _ask(operation: AnyOperation, known: Mapping[str, Sequence[str]], examples: int) -> None:
    fitting = operation.as_strategy()
    try:
        _ask_each(fitting | operation.as_strategy(_MISFITS), known, examples)
    except UnsupportedSchema:  # of some recursive bodies it cannot tell what does not fit them: any JSON, then
        _ask_each(fitting | st.builds(_with_body, fitting, _ANY_JSON), known, examples)


def _with_body(case: AnyCase, body: JsonValue) -> AnyCase:
    case.body = body
    return case


def _ask_each(cases: st.SearchStrategy[AnyCase], known: Mapping[str, Sequence[str]], examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=False,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(case=cases, is_known=st.booleans())
    def ask(case: AnyCase, *, is_known: bool) -> None:
        if is_known:
            for name in case.path_parameters or {}:
                if name in known:
                    case.path_parameters[name] = random.choice(known[name])
        case.call_and_validate(checks=_CHECKS, timeout=_TIMEOUT_S)

    ask()
