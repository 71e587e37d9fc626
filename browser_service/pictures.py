"""Takes screenshots, as large as they may be."""

from dataclasses import dataclass

from playwright.async_api import ElementHandle, Page

from browser_service.deadlines import Deadlines

_MAX_BYTES = 700_000  # in base64 it still fits into one event of a stream


@dataclass(frozen=True, slots=True)
class Picture:
    """A screenshot as PNG, and its size. `is_cut` when there is more than a screenshot may show."""

    content: bytes
    width_px: int
    height_px: int
    is_cut: bool


async def take(page: Page, deadlines: Deadlines, *, full_page: bool, max_height_px: int) -> Picture:
    """Return a picture of what is in view, or of the whole page as far as `max_height_px`."""
    view = page.viewport_size
    width, view_height = (view["width"], view["height"]) if view is not None else (1280, 800)
    height, is_cut = view_height, False
    if full_page:
        script = "() => Number(document.documentElement.scrollHeight) || 0"
        total = int(await deadlines.act(page.evaluate(script), "The page's height could not be read"))
        height = max(view_height, min(total, max_height_px))
        is_cut = total > height
    while True:
        content = await deadlines.act(
            page.screenshot(
                full_page=full_page,
                clip={"x": 0, "y": 0, "width": width, "height": height},
                animations="disabled",
                timeout=0,
            ),
            f"No screenshot of {page.url} could be taken",
            limit_s=deadlines.action_timeout_s * 4,
        )
        if len(content) <= _MAX_BYTES or height <= 100:
            return Picture(content, width, height, is_cut)
        height, is_cut = height // 2, True


async def take_element(element: ElementHandle, deadlines: Deadlines, name: str) -> Picture:
    """Return a picture of one thing on the page."""
    content = await deadlines.act(
        element.screenshot(animations="disabled", timeout=deadlines.action_timeout_s * 1000),
        f"No screenshot of {name!r} could be taken",
        limit_s=deadlines.action_timeout_s * 4,
    )
    width, height = int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    return Picture(content, width, height, is_cut=False)
