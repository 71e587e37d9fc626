"""The API agent's card."""

from a2a.types import AgentCard

from api_agent_service.settings import Settings
from shared import cards

SUMMARIZE = "summarize"
ANALYZE = "analyze-data"
EXTRACT = "extract-data"

_SKILLS = (
    cards.Skill(
        id=SUMMARIZE,
        name="Summarize",
        description=(
            "Summarizes a text, a document (text, Markdown, HTML, PDF) or a web page, as long as you ask: in "
            "sentences, words or bullet points."
        ),
        tags=("summarize", "summary", "text", "document", "tl;dr", "key points"),
        examples=(
            "Summarize in three sentences: ...",
            "Summarize https://example.com/article as five bullet points",
            "Give me the key points of this document",
        ),
    ),
    cards.Skill(
        id=ANALYZE,
        name="Analyze data",
        description=(
            "Profiles a table (CSV, TSV, XLSX, JSON, JSON Lines, Parquet; as text, file or URL): columns, missing "
            "values, distributions, "
            "correlations, outliers, top groups; and answers questions about it with numbers, a table and a chart."
        ),
        tags=(
            "analyze",
            "data",
            "csv",
            "xlsx",
            "spreadsheet",
            "json",
            "parquet",
            "table",
            "statistics",
            "profile",
            "average",
            "chart",
            "column",
        ),
        examples=(
            "Profile this CSV file",
            "Average price by city in https://example.com/sales.csv",
            "Top 5 products by revenue in 2024",
            "How many orders per status?",
        ),
    ),
    cards.Skill(
        id=EXTRACT,
        name="Extract data",
        description=(
            "Extracts structured JSON from a text, document or page: e-mail addresses, URLs, phone numbers, dates, "
            "amounts of money, "
            "percentages, IP addresses, key-value pairs and tables; with a model, whatever a JSON schema asks for."
        ),
        tags=("extract", "structured", "json", "email", "phone", "dates", "amounts", "entities", "tables"),
        examples=(
            "Extract all e-mail addresses and dates from this text: ...",
            "Extract the tables of https://example.com/prices as JSON",
        ),
    ),
)


def build(settings: Settings) -> AgentCard:
    """Return the card that the API agent shows."""
    return cards.build(
        settings,
        "api",
        name="API agent",
        description="Summarizes texts, analyzes tables, extracts structured data. Needs no model, is better with one.",
        skills=_SKILLS,
        input_modes=(
            "text/plain",
            "text/markdown",
            "text/html",
            "text/csv",
            "text/tab-separated-values",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "application/vnd.ms-excel",
            "application/vnd.oasis.opendocument.spreadsheet",
            "application/json",
            "application/x-ndjson",
            "application/vnd.apache.parquet",
            "application/pdf",
        ),
        output_modes=("text/markdown", "application/json", "application/vnd.vegalite.v5+json", "image/png"),
    )
