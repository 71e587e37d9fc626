"""The page at `/docs`: what the API can do, to read and to try, without internet."""

from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from tests.web.stage import Stage


def test_the_api_is_read_and_tried_with_what_comes_along(page: Page, stage: Stage) -> None:
    hosts = set[str]()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    answer = page.goto("/docs")
    assert answer is not None
    assert (
        "'unsafe-inline'" not in answer.headers["content-security-policy"].partition("script-src")[2].partition(";")[0]
    )
    page.locator("#operations-tasks-cancel_api_tasks__task_id__cancel_post, .opblock").first.wait_for()
    page.locator(".opblock", has_text="/health").first.locator("button").first.click()
    page.get_by_role("button", name="Try it out", exact=True).click()
    page.get_by_role("button", name="Execute", exact=True).click()
    expect(page.locator(".live-responses-table .response .response-col_status")).to_contain_text("200")
    assert hosts == {urlsplit(stage.url).netloc}
