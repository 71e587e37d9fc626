"""Pages that a request names, files that it brings along, and the web where the documents do not suffice."""

from pathlib import Path

import pytest

from shared.agent import File
from shared.errors import InvalidRequestError, NotFoundError, UnavailableError
from tests.research_agent.asking import ask, make_settings, write_documents
from tests.research_agent.pdf import make_pdf
from tests.research_agent.site import open_site


async def test_a_named_page_is_read_and_cited_by_its_url(tmp_path: Path) -> None:
    write_documents(tmp_path, boats="The range of the boat is 300 km.")
    async with open_site() as site:
        outcome = await ask(make_settings(tmp_path), f"What is the tidal range according to {site.url}/tides?")

        assert outcome.text == (
            f"The tidal range in the bay is 16 metres. [1]\n\nSources:\n[1] Tides, {site.url}/tides, Range"
        )
        assert outcome.places == [{"number": 1, "title": "Tides", "location": "Range", "url": f"{site.url}/tides"}]


async def test_a_page_without_a_question_is_quoted_by_what_it_is_about(tmp_path: Path) -> None:
    async with open_site() as site:
        outcome = await ask(make_settings(tmp_path), f"research {site.url}/tides")

    assert "Tides are caused by the moon and the sun. [" in outcome.text


async def test_a_page_that_cannot_be_read_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, research_max_file_mb=1)
    async with open_site() as site:
        urls = [f"{site.url}/{name}" for name in ("tides", "missing", "big", "empty")]
        outcome = await ask(settings, f"Which tidal range do these give: {' '.join(urls)}")

    assert outcome.text.startswith("The tidal range in the bay is 16 metres. [1]")
    assert f"{urls[1]}: It answered with status 404." in outcome.text
    assert f"{urls[2]}: 127.0.0.1 answered with more than 1,000,000 bytes" in outcome.text
    assert f"{urls[3]}: It has no text." in outcome.text


async def test_pages_that_cannot_be_read_fail_the_task_even_if_the_documents_match(tmp_path: Path) -> None:
    write_documents(tmp_path, tides="The tidal range in the docs is 2 metres.")
    async with open_site() as site:
        gone = f"{site.url}/tides"

    with pytest.raises(UnavailableError, match=f"Not read: {gone}: Cannot connect"):
        await ask(make_settings(tmp_path), f"What is the tidal range in {gone}?")


async def test_an_address_that_may_not_be_reached_is_refused_by_name(tmp_path: Path) -> None:
    async with open_site() as site:
        settings = make_settings(tmp_path, egress_allow=("127.0.0.1:9",))
        with pytest.raises(NotFoundError, match=r"Not read: http://127.0.0.1:\d+/tides: Outgoing calls may not reach"):
            await ask(settings, f"What is the tidal range in {site.url}/tides?")
        assert site.asked == []


async def test_an_address_in_earlier_results_is_not_opened(tmp_path: Path) -> None:
    async with open_site() as site:
        text = f"Where are the tides?\n\nEarlier result: the tides are in Fundy, see {site.url}/tides for more."
        outcome = await ask(make_settings(tmp_path), text)

        assert outcome.text.startswith("Earlier result: the tides are in Fundy")
        assert site.asked == []


async def test_attached_files_are_sources(tmp_path: Path) -> None:
    files = (
        File("pumps.pdf", "application/pdf", content=make_pdf("Pumps.", "The warranty of the pump is 7 years.")),
        File("broken.pdf", "application/pdf", content=b"rubbish"),
    )
    outcome = await ask(make_settings(tmp_path), "What is the warranty of the pump?", files=files)

    assert outcome.text.startswith("The warranty of the pump is 7 years. [1]")
    assert outcome.places[0] == {"number": 1, "title": "pumps", "location": "page 2", "path": "pumps.pdf"}
    assert "Not read: broken.pdf: The document 'broken.pdf' is not a PDF" in outcome.text


async def test_a_file_without_a_question_is_quoted(tmp_path: Path) -> None:
    outcome = await ask(
        make_settings(tmp_path), "", files=(File("a.md", "text/markdown", b"# A\n\nBoats float on water."),)
    )

    assert outcome.text.startswith("Boats float on water. [1]")


async def test_the_web_is_searched_where_the_documents_do_not_suffice(tmp_path: Path) -> None:
    write_documents(tmp_path, boats="The boat is 9 metres long.")
    async with open_site() as site:
        settings = make_settings(tmp_path, research_web=True, searxng_url=site.url)
        boat = await ask(settings, "How long is the boat?")
        asked_for_boat = list(site.asked)
        tides = await ask(settings, "What is the tidal range?")

        assert boat.text.startswith("The boat is 9 metres long. [1]")
        assert asked_for_boat == []
        assert tides.text.startswith("The tidal range in the bay is 16 metres. [1]")
        assert tides.sources[0]["url"] == f"{site.url}/tides"


async def test_a_question_for_the_documents_never_goes_to_the_web(tmp_path: Path) -> None:
    write_documents(tmp_path, boats="The boat is 9 metres long.")
    async with open_site() as site:
        settings = make_settings(tmp_path, research_web=True, searxng_url=site.url)
        with pytest.raises(NotFoundError, match="1 document in"):
            await ask(settings, "What do the documents say about the tidal range?")
        assert site.asked == []


async def test_wikipedia_is_searched_where_nothing_else_is_set_up(tmp_path: Path) -> None:
    async with open_site() as site:
        settings = make_settings(tmp_path, research_web=True, wikipedia_url=site.url, egress_allow=(site.url[7:],))
        outcome = await ask(settings, "What do rises of tides mean?")

        assert outcome.text.startswith("Tides are rises and falls. [1]")
        assert outcome.sources[0]["url"] == f"{site.url}/wiki/Tide"


async def test_a_search_engine_that_fails_is_left_alone_and_the_failure_is_said(tmp_path: Path) -> None:
    write_documents(tmp_path, boats="The boat is 9 metres long.")
    async with open_site() as site:
        site.search_status = 500
        settings = make_settings(tmp_path, research_web=True, searxng_url=site.url)
        text = "What is the tidal range? What is the height of the lighthouse?"
        with pytest.raises(NotFoundError, match=r"1 document in .* The web cannot be searched now"):
            await ask(settings, text)
        assert 1 <= site.asked.count("/search") <= 2


async def test_an_attachment_above_the_limit_is_refused_by_name(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, research_max_file_mb=0.001)
    with pytest.raises(NotFoundError, match=r"big.txt: It is larger than RESEARCH_MAX_FILE_MB, 0.001 MB"):
        await ask(settings, "Which colour?", files=(File("big.txt", "text/plain", b"colour " * 1000),))


async def test_an_attachment_that_is_no_document_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"photo.png: The document 'photo.png' is image/png"):
        await ask(make_settings(tmp_path), "Which colour?", files=(File("photo.png", "image/png", b"\x89PNG"),))


async def test_a_request_of_a_megabyte_is_answered_from_its_text(tmp_path: Path) -> None:
    filler = "\n\n".join(f"Line {number} tells of something else entirely." for number in range(20_000))
    text = f"What is the warranty of the pump?\n\n{filler}\n\nThe warranty of the pump is 7 years."

    outcome = await ask(make_settings(tmp_path), text)

    assert "The warranty of the pump is 7 years." in outcome.text


async def test_what_is_no_url_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises((NotFoundError, InvalidRequestError), match=r"http://\[broken"):
        await ask(make_settings(tmp_path), "What is in http://[broken?")
