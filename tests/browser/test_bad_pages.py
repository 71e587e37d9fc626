"""Bad input of every kind: a typed failure with the address and what was seen last, a picture, and the service is well.

All of it over the wire: A2A tasks, and sessions over REST.
"""

import base64
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from typing import cast

import httpx
import pytest
import pytest_asyncio

from browser_service import main
from shared.agent import JsonObject
from tests.browser.conftest import make_settings, open_site
from tests.browser.workshop import open_workshop
from tests.shared.scripted_agent import Caller, sentence_of, state_of, text_of
from tests.support import pages
from tests.support.certificates import make_certificates
from tests.support.serving import serve

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Place:
    """A running service and the sites that it is sent to: `tls` has a certificate that nobody trusts."""

    http: httpx.AsyncClient
    site: str
    shop: str
    tls: str

    def address(self, words: str) -> str:
        return words.format(site=self.site, shop=self.shop, tls=self.tls, plain=self.site.replace("http", "https"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(
    tmp_path_factory: pytest.TempPathFactory, unused_tcp_port_factory: Callable[[], int]
) -> AsyncGenerator[Place]:
    folder = tmp_path_factory.mktemp("bad-pages")
    tls = replace(make_certificates(folder).server, authority=None)
    port = unused_tcp_port_factory()
    limits = {"browser_max_page_bytes": 5_000_000, "browser_navigation_timeout_s": 3}
    settings = make_settings(data_dir=folder, browser_port=port, federation_register=False, **limits)
    async with (
        open_site() as site,
        open_workshop() as shop,
        serve(pages.create(), tls=tls) as untrusted,
        serve(main.create(settings), port=port) as url,
        httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as http,
    ):
        yield Place(http, site.url, shop, untrusted)


@pytest.mark.parametrize(
    ("words", "slug", "sentence"),
    [
        ("get the main heading", "invalid-request", "names no address"),
        ("open gopher://a.test/", "invalid-request", "Only http and https"),
        ("open http://no-such-host.invalid/", "unavailable", "no-such-host.invalid cannot be resolved"),
        ("open {tls}/", "page-not-loaded", "{tls}/ cannot be opened: its certificate"),
        ("open {plain}/", "page-not-loaded", "{plain}/ cannot be opened: its certificate or encryption"),
        ("open {site}/circle", "page-not-loaded", "{site}/circle cannot be opened: it redirects in a circle"),
        ("open {site}/download.zip", "page-not-loaded", "{site}/download.zip cannot be opened: it is a download"),
    ],
)
async def test_what_is_no_page_is_a_typed_failure_with_its_address(
    place: Place, words: str, slug: str, sentence: str
) -> None:
    failed = await Caller(place.http).send(place.address(words))
    assert (state_of(failed), type_of(failed)) == ("FAILED", slug)
    assert place.address(sentence) in sentence_of(failed)
    assert "artifacts" not in failed
    await is_well(place)


@pytest.mark.parametrize(
    ("words", "slug", "sentence", "seen"),
    [
        ("open {site}/missing", "page-not-loaded", "{site}/missing answered with HTTP status 404", "'Not Found'"),
        ("open {site}/broken", "page-not-loaded", "{site}/broken answered with HTTP status 500", "'Out of order'"),
        ("get the text of {site}/empty", "page-empty", "{site}/empty is an empty page", ""),
        ("open {site}/form, click 'A dead link' and get the text", "page-not-loaded", "{site}/missing", "'Not Found'"),
        ("open {shop}/list and click 'Sell'", "element-not-found", "Last seen at {shop}/list: 'Stock'.", "'Stock'"),
        ("open {site}/swells", "too-large", "{site}/swells loads more than 5,000,000 bytes", "'Swells'"),
        ("open {shop}/storm and wait 9 seconds", "page-not-loaded", "the last said 'Again'. Last seen", "'Storm'"),
        ("open {shop}/hangs and click Hang", "timed-out", "clicked: {shop}/hangs keeps its browser busy", "'Hangs'"),
        ("open {site}/busy", "page-timed-out", "{site}/busy did not load within 3 s", "'Busy'"),
    ],
)
async def test_a_failure_on_a_page_shows_it(place: Place, words: str, slug: str, sentence: str, seen: str) -> None:
    failed = await Caller(place.http).send(place.address(words))
    assert (state_of(failed), type_of(failed)) == ("FAILED", slug)
    assert place.address(sentence) in sentence_of(failed)
    assert place.address(seen) in sentence_of(failed)
    assert picture_of(failed)[:3] == b"\xff\xd8\xff"
    await is_well(place)


async def test_a_page_that_never_goes_idle_or_leaves_meanwhile_is_no_failure(place: Place) -> None:
    told = await Caller(place.http).send(place.address("get the heading of {site}/never-finishes"))
    assert "The page had not finished loading" in text_of(told)
    told = await Caller(place.http).send(place.address("open {shop}/leaves, click 'Go away' and get the heading"))
    assert text_of(told) == "Stock"


async def test_a_failure_over_rest_links_a_picture_of_the_page(place: Place) -> None:
    opened = (await place.http.post("/v1/sessions", json={"url": f"{place.shop}/list"})).json()
    answered = await place.http.post(f"/v1/sessions/{opened['id']}/actions", json={"words": "click 'Sell'"})
    error = answered.json()["error"]
    assert (error["url"], error["last_seen"]["title"]) == (f"{place.shop}/list", "Stock")
    assert "Apples" in error["last_seen"]["text"]
    assert (await place.http.get(error["screenshot"])).content[:3] == b"\xff\xd8\xff"
    await place.http.post(f"/v1/sessions/{opened['id']}/close")

    refused = await place.http.post("/v1/sessions", json={"url": f"{place.site}/download.zip"})
    assert (refused.status_code, refused.json()["url"]) == (502, f"{place.site}/download.zip")
    assert "screenshot" not in refused.json()
    late = await place.http.post("/v1/sessions", json={"url": f"{place.site}/drip"})
    assert (late.status_code, late.json()["last_seen"]["title"]) == (504, "Drip")
    assert (await place.http.get(late.json()["screenshot"])).headers["content-type"] == "image/webp"


async def test_an_open_session_is_told_which_address_failed_and_goes_on(place: Place) -> None:
    opened = (await place.http.post("/v1/sessions", json={"url": f"{place.shop}/list"})).json()

    async def act(*actions: JsonObject) -> JsonObject:
        path = f"/v1/sessions/{opened['id']}/actions"
        return cast("JsonObject", (await place.http.post(path, json={"actions": actions})).json())

    async def error_of(url: str) -> dict[str, JsonObject]:
        return cast("dict[str, JsonObject]", (await act({"do": "navigate", "url": url}))["error"])

    refused = await error_of("http://169.254.169.254/latest")
    assert str(refused["type"]).endswith("address-refused")
    assert refused["url"] == "http://169.254.169.254/latest"
    assert f"Last seen at {place.shop}/list: 'Stock'." in str(refused["detail"])
    untrusted = await error_of(f"{place.tls}/")
    assert (untrusted["url"], untrusted["last_seen"]["title"]) == (f"{place.tls}/", "")
    missing = await error_of(f"{place.site}/missing")
    assert str(missing["type"]).endswith("page-not-loaded")
    assert (missing["url"], missing["last_seen"]["status"]) == (f"{place.site}/missing", 404)
    read = await act({"do": "extract", "what": "text"})
    assert (read["text"], "error" in read) == ("Not Found", False)
    status: JsonObject = {"do": "assert", "check": {"subject": "status", "value": "404"}}
    judged = await act({"do": "navigate", "url": f"{place.site}/missing"}, status)
    assert "error" not in judged, judged
    await place.http.post(f"/v1/sessions/{opened['id']}/close")
    gone = await place.http.post("/v1/sessions", json={"url": f"{place.site}/missing"})
    assert (gone.status_code, gone.json()["url"]) == (502, f"{place.site}/missing")


async def is_well(place: Place) -> None:
    told = await Caller(place.http).send(f"get the heading of {place.site}/about")
    assert text_of(told) == "About Harbour Town"
    assert (await place.http.get("/pressure")).json()["pages"] == 0


def type_of(task: JsonObject) -> str:
    message = cast("dict[str, JsonObject]", cast("JsonObject", task["status"])["message"])
    [facts] = cast("list[dict[str, JsonObject]]", list(message["metadata"].values()))
    return cast("str", facts["error"]["type"])


def picture_of(task: JsonObject) -> bytes:
    [artifact] = cast("list[JsonObject]", task["artifacts"])
    assert artifact["name"] == "last-seen.jpg"
    return base64.b64decode(cast("list[dict[str, str]]", artifact["parts"])[0]["raw"])
