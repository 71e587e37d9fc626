"""Every search engine in the form that its maker documents; what it refuses is said with what to change."""

from pathlib import Path

import pytest
from ddgs.engines import ENGINES
from ddgs.engines.duckduckgo import Duckduckgo
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from a2a_agent_service.settings import Settings
from a2a_agent_service.sources.web import Web
from shared import http, mcp_tools
from shared.errors import FederationError, NotFoundError, UnavailableError
from tests.research_agent.asking import ask, make_settings, write_documents
from tests.research_agent.search_engines import ARXIV_ERROR, KEY, SAID, SearchEngines, arxiv_error, open_engines

QUESTION = "What is the tidal range of the bay?"
PAPERS = "Which papers are about the tidal range of the bay?"
ENGINE_NAMES = ("tavily", "brave", "searxng", "wikipedia")


def settings_for(engine: str, server: SearchEngines, folder: Path, key: str = KEY, **more: object) -> Settings:
    """Return settings with this engine and no other one. EGRESS_ALLOW keeps `ddgs` out."""
    own = {
        "tavily": {"tavily_url": server.url, "tavily_api_key": key},
        "brave": {"brave_url": server.url, "brave_api_key": key},
        "searxng": {"searxng_url": server.url},
        "wikipedia": {"wikipedia_url": server.url},
    }
    allowed = {"egress_allow": (server.url.removeprefix("http://"),), "arxiv_url": server.url}
    return make_settings(folder, research_web=True, **allowed, **own[engine], **more)


@pytest.mark.parametrize("engine", ENGINE_NAMES)
async def test_what_an_engine_finds_is_read_and_cited(tmp_path: Path, engine: str) -> None:
    async with open_engines() as server:
        outcome = await ask(settings_for(engine, server, tmp_path), QUESTION)

        assert outcome.text.startswith(SAID)
        assert outcome.sources[0]["url"] == server.page
        request, body = server.asked[0]
        asked = body if isinstance(body, dict) else dict(request.query_params)
        assert "tidal range bay" in asked.values()


async def test_arxiv_is_asked_for_papers_without_the_words_that_only_say_so(tmp_path: Path) -> None:
    async with open_engines() as server:
        outcome = await ask(settings_for("searxng", server, tmp_path), PAPERS)
        [papers] = [request for request, _ in server.asked if request.url.path == "/api/query"]

    assert papers.query_params["search_query"] == "all:tidal AND all:range AND all:bay"
    assert "https://arxiv.org/abs/2101.00001v2" in str(outcome.sources)


async def test_public_engines_are_read_by_the_library_as_they_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_engines() as server:
        monkeypatch.setitem(ENGINES, "text", {"duckduckgo": _at(f"{server.url}/html/")})
        settings = make_settings(tmp_path, research_web=True, wikipedia_url=f"{server.url}/gone")
        outcome = await ask(settings, QUESTION)
        server.broken = HTMLResponse("<html><body>Nothing.</body></html>")
        with pytest.raises(NotFoundError, match=r"was found in .*the web"):
            await ask(settings, QUESTION)

    assert outcome.text.startswith(f"{SAID} [1]")
    with pytest.raises(FederationError, match="DuckDuckGo cannot be searched"):
        await ask(settings, QUESTION)


@pytest.mark.parametrize(("engine", "setting"), [("tavily", "TAVILY_API_KEY"), ("brave", "BRAVE_API_KEY")])
async def test_a_wrong_key_is_said_with_the_setting_to_check(tmp_path: Path, engine: str, setting: str) -> None:
    async with open_engines() as server:
        with pytest.raises(NotFoundError, match=rf"refuses the request \(HTTP \d+\); check {setting}") as raised:
            await ask(settings_for(engine, server, tmp_path, "a wrong key"), QUESTION)

    assert "a wrong key" not in str(raised.value)


async def test_a_wrong_key_is_said_though_another_engine_answers(tmp_path: Path) -> None:
    async with open_engines() as server:
        settings = settings_for("brave", server, tmp_path, "wrong", searxng_url=server.url)
        outcome = await ask(settings, QUESTION)

    assert outcome.text.startswith(f"{SAID} [1]")
    assert "check BRAVE_API_KEY" in outcome.text


BROKEN = {
    "limited": (JSONResponse({"detail": {"error": "Too many."}}, 429, {"Retry-After": "7"}), "answers HTTP 429"),
    "down": (PlainTextResponse("no", 503), "answers HTTP 503"),
    "garbage": (PlainTextResponse("<html>not what you think"), "answers something else than search results"),
    "another form": (JSONResponse({"results": "none", "web": 3, "query": 4}), "answers something else than"),
    "cut": (Response(b'{"results": [{"title"', media_type="application/json"), "answers something else than"),
    "endless": (Response(b" " * 3_000_000, media_type="application/json"), "more than 2,000,000 bytes"),
}


@pytest.mark.parametrize("fault", BROKEN)
async def test_an_engine_that_is_broken_is_named_and_the_documents_still_answer(tmp_path: Path, fault: str) -> None:
    write_documents(tmp_path, boats="The boat is 9 metres long.")
    async with open_engines() as server:
        server.broken, said = BROKEN[fault]
        for engine in ENGINE_NAMES if fault == "another form" else ("tavily",):
            settings = settings_for(engine, server, tmp_path)
            outcome = await ask(settings, "How long is the boat? What is the colour of the lighthouse?")
            assert outcome.text.startswith("The boat is 9 metres long. [1]")
            assert said in outcome.text


@pytest.mark.parametrize(("headers", "asked"), [({"X-RateLimit-Reset": "0, 1419704"}, 2), ({"Retry-After": "60"}, 1)])
async def test_an_engine_is_left_alone_for_as_long_as_it_says(
    tmp_path: Path, headers: dict[str, str], asked: int
) -> None:
    async with open_engines() as server:
        settings = settings_for("brave", server, tmp_path)
        async with http.open_client(settings) as client, mcp_tools.open_tools(settings, {}) as tools:
            web = Web(settings, client, tools)
            server.broken = PlainTextResponse("slow down", 429, headers)
            first = await web.find(["tidal range"], QUESTION)
            server.broken = None
            second = await web.find(["tidal range"], QUESTION)

        assert "Brave answers HTTP 429" in first.problems[0].reason
        assert len(server.asked) == asked
        assert bool(second.passages) == (asked == 2)


@pytest.mark.parametrize("broken", [arxiv_error(), PlainTextResponse("Rate exceeded.")])
async def test_what_arxiv_tells_as_a_paper_is_no_paper(tmp_path: Path, broken: Response) -> None:
    async with open_engines() as server:
        server.broken = broken
        with pytest.raises(FederationError) as raised:
            await ask(settings_for("wikipedia", server, tmp_path), PAPERS)

    assert "arXiv answers" in str(raised.value)
    assert (ARXIV_ERROR in str(raised.value)) == (broken.media_type == "application/atom+xml")


async def test_what_a_wiki_tells_as_an_error_is_no_answer(tmp_path: Path) -> None:
    async with open_engines() as server:
        server.broken = JSONResponse({"error": {"code": "ratelimited", "info": "You have exceeded your rate limit."}})
        with pytest.raises(UnavailableError, match="Wikipedia answers 'ratelimited': You have exceeded"):
            await ask(settings_for("wikipedia", server, tmp_path), QUESTION)


async def test_a_long_question_is_cut_to_what_the_engines_take(tmp_path: Path) -> None:
    async with open_engines() as server:
        text = "What is " + " ".join(f"the colour of lighthouse{number}," for number in range(45)) + " and why?"
        with pytest.raises(FederationError):
            await ask(settings_for("tavily", server, tmp_path), text)
        queries = [str(body["query"]) for _, body in server.asked if isinstance(body, dict)]

    assert queries
    assert all(len(query) <= 300 and len(query.split()) <= 40 for query in queries)


def _at(url: str) -> type[Duckduckgo]:
    class Local(Duckduckgo):
        search_url = url

    return Local
