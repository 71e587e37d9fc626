"""The skill `summarize` without a model."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from api_agent_service import summary
from api_agent_service.summary import Length
from shared.agent import File
from shared.errors import InvalidRequestError, NotFoundError, TooLargeError, UnavailableError
from tests.api_agent.asking import ask, make_settings
from tests.research_agent.pdf import make_pdf
from tests.support.serving import serve

TEXT = """\
The lighthouse on Skerry Rock was built in 1872. It guided ships through the narrow strait for over a century. Storms \
damaged the tower in 1903 and again in 1921. A cat called Molly slept in the kitchen. In 1986 the light was automated \
and the last keeper left the lighthouse. Today the lighthouse is a museum that tells the story of the ships, the \
storms and the keepers. Visitors reach the rock by boat in summer."""


def is_extract(text: str, source: str = TEXT) -> bool:
    return all(sentence in source for sentence in summary.read_sentences(text))


@pytest.mark.parametrize(
    ("instruction", "count"),
    [
        ("Summarize in three sentences:", 3),
        ("Summarize this text in 2 sentences.", 2),
        ("Please give me a one sentence summary:", 1),
        ("Summarize briefly:", 2),
        ("Summarize:", 5),
    ],
)
async def test_a_summary_has_as_many_of_the_texts_own_sentences_as_asked_for(instruction: str, count: int) -> None:
    outcome = await ask(f"{instruction}\n\n{TEXT}", skill="summarize")

    sentences = outcome.data["sentences"]
    assert isinstance(sentences, list)
    assert len(sentences) == count
    assert is_extract(outcome.text)
    places = [TEXT.index(str(sentence)) for sentence in sentences]
    assert places == sorted(places)
    assert outcome.data["method"] == "extractive"


async def test_the_most_telling_sentence_is_chosen() -> None:
    outcome = await ask(f"Summarize in two sentences: {TEXT}")

    assert "museum" in outcome.text
    assert "Molly" not in outcome.text


async def test_bullet_points_and_words_are_kept_to() -> None:
    points = await ask(f"Summarize as three bullet points:\n{TEXT}")
    words = await ask(f"{TEXT}\n\nSummarize the above in 20 words.")

    assert [line[:2] for line in points.text.splitlines()] == ["- "] * 3
    assert 0 < len(words.text.split()) <= 20


async def test_a_style_is_the_models_to_keep_and_without_one_that_is_said() -> None:
    outcome = await ask(f"Summarize formally, for beginners and in German:\n{TEXT}", skill="summarize")
    plain = await ask(f"Summarize it:\n{TEXT}", skill="summarize")

    assert outcome.data["notes"] == [
        "These are the text's own sentences; another style (formally, for beginners, in german) needs a language model."
    ]
    assert plain.data["notes"] == []


@pytest.mark.parametrize(
    "file",
    [
        File("notes.txt", "text/plain", TEXT.encode()),
        File("notes.md", "", f"# Lighthouse\n\n{TEXT}".encode()),
        File("page.html", "text/html", f"<html><title>Light</title><body><p>{TEXT}</p></body></html>".encode()),
        File("notes.pdf", "application/pdf", make_pdf("The lighthouse was built in 1872.", "It is a museum today.")),
    ],
    ids=lambda file: str(file.name),
)
async def test_a_file_is_summarized(file: File) -> None:
    outcome = await ask("Summarize in one sentence", files=(file,))

    assert "lighthouse" in outcome.text or "museum" in outcome.text
    assert outcome.data["sources"] == [file.name]


async def test_a_page_is_fetched_and_summarized() -> None:
    async def page(_request: Request) -> Response:
        return HTMLResponse(f"<html><body><nav>Home</nav><main><h1>Light</h1><p>{TEXT}</p></main></body></html>")

    async with serve(Starlette(routes=[Route("/light", page)])) as url:
        outcome = await ask(f"Summarize {url}/light in two sentences.")

    assert is_extract(outcome.text)
    assert outcome.data["sources"] == [f"{url}/light"]
    assert outcome.progress == [f"Fetching {url}/light"]


async def test_an_address_inside_the_material_is_not_fetched() -> None:
    outcome = await ask("Summarize in one sentence:\n\nThe tower is old. See http://127.0.0.1:9/secret for more of it.")

    assert outcome.data["sources"] == ["the message"]


async def test_a_page_that_is_not_there_is_a_clear_error() -> None:
    async def answer(request: Request) -> Response:
        return PlainTextResponse("no", int(request.path_params["status"]))

    async with serve(Starlette(routes=[Route("/{status}", answer)])) as url:
        with pytest.raises(NotFoundError, match=r"There is nothing at http://127\.0\.0\.1:\d+/404 \(HTTP 404\)"):
            await ask(f"Summarize {url}/404")
        with pytest.raises(UnavailableError, match="HTTP 503; try again later"):
            await ask(f"Summarize {url}/503")
        with pytest.raises(InvalidRequestError, match="HTTP 403"):
            await ask(f"Summarize {url}/403")


async def test_nothing_to_summarize_says_how_to_give_it() -> None:
    for text in ("Summarize", "Summarize this.", "Summarize:\n\n   "):
        with pytest.raises(InvalidRequestError, match=r"There is no text to summarize\. Put it below the instruction"):
            await ask(text)


async def test_a_text_above_the_limit_names_the_setting() -> None:
    with pytest.raises(TooLargeError, match=r"has 1,199,999 characters; at most 1,000,000 are read \(MAX_TEXT_CHARS\)"):
        await ask("Summarize:\n\n" + "Tall tower. " * 100_000)
    with pytest.raises(TooLargeError, match="MAX_DOCUMENT_BYTES"):
        await ask("Summarize", files=(File("a.txt", "", b"x" * 2000),), settings=make_settings(max_document_bytes=1000))


async def test_a_long_text_is_summarized_in_full() -> None:
    chapters = [f"Chapter {number} says that the harbour grew by {number} ships. " for number in range(8_000)]
    outcome = await ask("Summarize in 3 sentences:\n\n" + "".join(chapters) + TEXT)

    assert outcome.data["of_sentences"] == 8_007


async def test_a_file_that_is_no_text_is_a_clear_error() -> None:
    with pytest.raises(InvalidRequestError, match=r"photo\.png"):
        await ask("Summarize", files=(File("photo.png", "image/png", b"\x89PNG\x00\x00"),))


@given(st.text(max_size=400), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_a_summary_never_says_what_the_text_does_not(text: str, count: int) -> None:
    found = summary.summarize(text, Length(sentences=count))

    known = summary.read_sentences(text)
    assert len(found.sentences) == min(count, len(known))
    assert all(sentence in known for sentence in found.sentences)


@given(st.lists(st.sampled_from(TEXT.split(". ")), max_size=30), st.integers(50, 400))
@settings(max_examples=60, deadline=None)
def test_a_text_is_condensed_to_its_limit(sentences: list[str], max_chars: int) -> None:
    text = ". ".join(sentences)

    assert len(summary.condense(text, max_chars)) <= max_chars
