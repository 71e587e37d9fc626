"""Settings of the browser service."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from shared.settings import Address, DevToolsAddress, FederationSettings


class Settings(FederationSettings):
    """Which Chromium is used, and how long, how large and how many its pages may be."""

    browser_cdp_url: DevToolsAddress | None = Field(
        default=None,
        description="DevTools address of a Chromium that is running already, e.g. http://127.0.0.1:9222; "
        "it should serve this federation alone.",
    )
    browser_executable: Path | None = Field(
        default=None, description="Path of a Chromium or Chrome to use; default: the first one found."
    )
    browser_max_pages: int = Field(
        default=4, ge=1, le=100, description="Most pages open at once; more tasks wait their turn."
    )
    browser_max_waiting: int = Field(
        default=32, ge=0, description="Most tasks that wait for a page; more are refused with 429 and Retry-After."
    )
    browser_queue_timeout_s: float = Field(
        default=10.0,
        gt=0,
        description="Longest wait to open a session over REST, in seconds; then 429.",
    )
    browser_warm_contexts: int = Field(
        default=1, ge=0, le=4, description="Contexts with a blank page that are kept ready for the next tasks."
    )
    browser_idle_timeout_s: float = Field(
        default=300.0, gt=0, description="How long a session that is kept open may do nothing before it is closed."
    )
    browser_navigation_timeout_s: float = Field(
        default=20.0, gt=0, description="Longest time for a page to arrive, in seconds; what it then shows is read."
    )
    browser_settle_timeout_s: float = Field(
        default=5.0, ge=0, description="Longest time a page that has arrived may go on loading and drawing, in seconds."
    )
    browser_action_timeout_s: float = Field(
        default=5.0, gt=0, description="Longest wait for a button, field or text to appear, in seconds."
    )
    browser_task_timeout_s: float = Field(
        default=120.0, gt=0, description="Longest time for one browser task, in seconds."
    )
    browser_max_page_bytes: int = Field(
        default=50_000_000, ge=1_000, description="Most bytes that one task may load from the network."
    )
    browser_max_text_chars: int = Field(
        default=50_000,
        ge=100,
        description="Longest text taken from a page, in characters; the rest is cut off, and said.",
    )
    browser_max_screenshot_height_px: int = Field(
        default=8_000, ge=100, le=16_000, description="Greatest height of a screenshot of a whole page, in pixels."
    )
    browser_max_file_bytes: int = Field(
        default=50_000_000, ge=1_000, description="Most bytes of uploads and downloads that one session keeps."
    )
    browser_max_steps: int = Field(
        default=20, ge=1, le=200, description="Most answers of the model that one browser task may use."
    )
    browser_max_cost_usd: float | None = Field(
        default=None,
        gt=0,
        description="Most money, in USD, that one browser task may spend on the model; default: no limit.",
    )
    browser_recording: Literal["all", "steps", "none"] = Field(
        default="all",
        description="What is kept of browser sessions: all (steps, thumbnails, a film, Playwright's trace), steps "
        "(with thumbnails), or none.",
    )
    browser_recordings_h: float = Field(
        default=168.0, gt=0, description="How long what is kept of a browser session stays, in hours."
    )
    browser_recordings_max_bytes: int = Field(
        default=1_000_000_000,
        ge=1,
        description="Most bytes that are kept of all browser sessions; the oldest go first.",
    )
    tinyfish_api_key: SecretStr | None = Field(
        default=None, description="Key for TinyFish: page tests are then performed there; default: by our own browser."
    )
    tinyfish_url: Address = Field(default="https://agent.tinyfish.ai", description="Where TinyFish answers.")
