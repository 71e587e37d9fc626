"""What does the model layer add to one call of a model, over a raw HTTP POST of the same body?

    .venv/bin/python benchmarks/model_layer.py [--calls 1000]

The model is a scripted server in a process of its own that answers at once. Calls take turns: a raw POST by httpx whose
answer is read and parsed; the same by the provider's own SDK, which our layer does without; one by `shared.llm`, which
chooses the model, keeps to a budget, bounds and retries, and prices what was used. Target: ours takes at most 2 ms more
than httpx, by the median.
"""

import argparse
from collections.abc import Awaitable, Callable
from typing import Final

import httpx
import openai
import orjson
import uvloop

from benchmarks.harness import machine
from benchmarks.harness.processes import folder, free_port, serving
from benchmarks.harness.rounds import interleave, median_ms, spread_ms, timed
from benchmarks.harness.scripted_model import NAME
from benchmarks.harness.tables import show, verdict
from shared.agent import METADATA_KEY, AgentRequest
from shared.llm import open_models
from shared.settings import FederationSettings

_MOST_MS: Final = 2.0
_PROMPT: Final = "Say what this is about. " * 40
_TOKENS: Final = 256
_RAW: Final = "raw, httpx"
_OURS: Final = "our model layer"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=1_000)
    parser.add_argument("--quick", action="store_true", help="few calls: to see that it works")
    chosen = parser.parse_args()
    print(machine.describe())
    uvloop.run(_measure(50 if chosen.quick else chosen.calls))


async def _measure(calls: int) -> None:
    port = free_port()
    base_url = f"http://127.0.0.1:{port}/v1"
    known = {"llm_provider": "openai", "llm_base_url": base_url, "llm_model": NAME, "openai_api_key": "none"}
    settings = FederationSettings.model_validate({**known, "llm_cache_ttl_s": 0.0, "llm_model_summarize": None})
    request = AgentRequest(_PROMPT, "t", "c", "m", metadata={METADATA_KEY: {"budget": {"tokens": 10_000_000}}})
    with folder() as data:
        async with (
            serving("benchmarks.harness.scripted_model", [], {"MODEL_PORT": port}, port, data),
            httpx.AsyncClient(trust_env=False) as raw,
            openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0) as sdk,
            open_models(settings) as models,
        ):

            async def by_httpx() -> None:
                answer = await raw.post(f"{base_url}/chat/completions", content=_body())
                assert orjson.loads(answer.content)["choices"][0]["message"]["content"]

            async def by_sdk() -> None:
                completion = await sdk.chat.completions.create(
                    model=NAME, messages=[{"role": "user", "content": _PROMPT}], max_tokens=_TOKENS
                )
                assert completion.choices[0].message.content

            async def by_ours() -> None:
                model = models.of("summarize", request)
                assert model is not None
                assert (await model.complete(_PROMPT, max_tokens=_TOKENS)).usage.input_tokens

            ways: dict[str, Callable[[], Awaitable[None]]] = {_RAW: by_httpx, "its SDK": by_sdk, _OURS: by_ours}
            took = await interleave({name: timed(way) for name, way in ways.items()}, calls, warm_up=20)
    base = median_ms(took[_RAW])
    rows = [
        [name, f"{median_ms(times):.2f}", spread_ms(times), f"{median_ms(times) - base:+.2f}"]
        for name, times in took.items()
    ]
    added = median_ms(took[_OURS]) - base
    rows[-1][-1] += f" (≤ {_MOST_MS:g}: {verdict(added, _MOST_MS)})"
    show(f"One call of a model; n = {calls} each, in turns", ["way", "median ms", "quartiles ms", "added ms"], rows)


def _body() -> bytes:
    messages = [{"role": "user", "content": _PROMPT}]
    return orjson.dumps({"model": NAME, "messages": messages, "max_tokens": _TOKENS})


if __name__ == "__main__":
    main()
