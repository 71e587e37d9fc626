"""Settings of the research agent."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from shared.settings import Address, FederationSettings


class Settings(FederationSettings):
    """Where the research agent looks, how long, and how much it reads."""

    research_documents: Path = Field(
        default=Path("docs"),
        description="Folder of documents that is searched: Markdown, text, HTML and PDF, with subfolders.",
    )
    research_max_rounds: int = Field(default=2, ge=1, le=10, description="Most rounds of searching for one question.")
    research_max_passages: int = Field(default=6, ge=1, le=30, description="Most passages an answer is made of.")
    research_max_file_mb: float = Field(
        default=20.0, gt=0, description="Largest document or page that is read, in megabytes."
    )
    research_fetch_timeout_s: float = Field(
        default=20.0, gt=0, description="Longest time to read one page, in seconds."
    )

    research_web: bool = Field(default=True, description="Search the web where documents do not suffice; false: never.")
    research_web_timeout_s: float = Field(default=4.0, gt=0, description="Longest wait for a web search, in seconds.")
    wikipedia_url: Address = Field(
        default="https://en.wikipedia.org", description="Wikipedia (or another MediaWiki) to search."
    )
    searxng_url: Address | None = Field(
        default=None, description="SearXNG that is asked for web searches, with JSON switched on."
    )
    tavily_api_key: SecretStr | None = Field(default=None, description="Key for web searches by Tavily.")
    tavily_url: Address = Field(default="https://api.tavily.com", description="Where Tavily answers.")
    brave_api_key: SecretStr | None = Field(default=None, description="Key for web searches by Brave.")
    brave_url: Address = Field(default="https://api.search.brave.com", description="Where Brave answers.")
    arxiv_url: Address = Field(
        default="https://export.arxiv.org", description="arXiv, which is asked where a question speaks of papers."
    )
    research_mcp_tools: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Search tools of MCP_SERVERS that are asked beside the web: SERVER.TOOL, with commas between.",
    )
    research_browser: bool = Field(
        default=True,
        description="Read pages that need their scripts by an agent with the skill extract-page.",
    )
    research_browser_timeout_s: float = Field(
        default=60.0, gt=0, description="Longest time to read one page by a browser, in seconds."
    )

    @field_validator("research_mcp_tools", mode="before")
    @classmethod
    def _split_tools(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @property
    def max_file_bytes(self) -> int:
        """`research_max_file_mb` in bytes."""
        return int(self.research_max_file_mb * 1_000_000)

    def find_documents_problem(self) -> str:
        """Return what is wrong with the folder of documents, in a sentence, or nothing."""
        folder = self.research_documents
        if folder.is_dir():
            return ""
        return f"The documents folder {str(folder)!r} does not exist; set RESEARCH_DOCUMENTS to a folder."
