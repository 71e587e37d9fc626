"""The browser agent's card."""

from a2a.types import AgentCard

from browser_service.settings import Settings
from shared import cards

BROWSE = "browse"
EXTRACT = "extract-page"
SCREENSHOT = "screenshot"
VERIFY = "verify-page"

_SKILLS = (
    cards.Skill(
        id=BROWSE,
        name="Browse",
        description=(
            "Opens a web page in a real browser and does on it what a person would: reads its title, main heading "
            "or text, follows links, clicks buttons, fills in forms, waits, scrolls."
        ),
        tags=(
            "browser",
            "browse",
            "web",
            "page",
            "website",
            "url",
            "open",
            "click",
            "form",
            "navigate",
            "heading",
            "title",
        ),
        examples=(
            "Open https://example.com and get the main heading",
            "Go to http://localhost:3000, click 'Sign in' and read the page",
            "Open https://example.com/search, type 'socks' into 'Search', press Enter and get all links",
        ),
    ),
    cards.Skill(
        id=EXTRACT,
        name="Extract from a page",
        description=(
            "Extracts structured data from a rendered web page, scripts run: links, tables as records, headings, "
            "list items, images, prices, the meta description, the text."
        ),
        tags=("browser", "web", "page", "extract", "scrape", "links", "tables", "rendered", "javascript"),
        examples=(
            "Get all links on https://example.com",
            "Extract the table on the page http://localhost:9000/prices",
            "Get the headings and the meta description of https://example.com",
        ),
    ),
    cards.Skill(
        id=SCREENSHOT,
        name="Screenshot",
        description="Takes a screenshot of a web page, of what is in view or of the whole page, as a PNG image.",
        tags=("browser", "web", "page", "screenshot", "image", "png", "picture"),
        examples=(
            "Take a screenshot of https://example.com",
            "Take a full-page screenshot of http://localhost:3000/report",
        ),
    ),
    cards.Skill(
        id=VERIFY,
        name="Verify a page",
        description=(
            "Checks claims about a web page and says which hold: that it loads, shows a text, has a title, heading, "
            "link, button or table, or redirects somewhere; after clicking and filling in, if asked."
        ),
        tags=("browser", "web", "page", "verify", "test", "check", "assert", "qa"),
        examples=(
            "Verify that https://example.com shows 'Example Domain' and has a link 'Learn more'",
            "Open http://localhost:3000, click 'Sign in' and check that the main heading is 'Welcome'",
        ),
    ),
)


def build(settings: Settings) -> AgentCard:
    """Return the card that the browser service shows."""
    return cards.build(
        settings,
        "browser",
        name="Browser agent",
        description="Uses web pages in a real Chromium: reads, clicks, fills in, verifies, takes screenshots.",
        skills=_SKILLS,
        input_modes=("text/plain", "application/json"),
        output_modes=("text/markdown", "application/json", "image/png"),
    )
