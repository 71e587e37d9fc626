"""Settings of the API agent."""

from pathlib import Path

from pydantic import Field

from shared.settings import FederationSettings, Folder


class Settings(FederationSettings):
    """What the API agent reads, and how much of it."""

    data_files: Folder = Field(
        default=Path("docs"),
        validate_default=False,
        description="Folder whose files a request to the API agent may name, as in 'profile sales.csv'.",
    )
    max_data_bytes: int = Field(
        default=105_000_000,
        gt=0,
        description="Largest table the API agent reads, as a file or from a URL, in bytes; it is streamed to disk.",
    )
    max_data_rows: int = Field(default=5_000_000, gt=0, description="Most rows of a table the API agent analyzes.")
    max_data_columns: int = Field(default=1_000, gt=0, description="Most columns of a table the API agent analyzes.")
    max_document_bytes: int = Field(
        default=20_000_000,
        gt=0,
        description="Largest document that the API agent holds in memory (text, HTML, PDF, a JSON document), in bytes.",
    )
    max_text_chars: int = Field(
        default=1_000_000, gt=0, description="Longest text the API agent summarizes or extracts from, in characters."
    )
    model_input_chars: int = Field(
        default=24_000, ge=1_000, description="Most characters of a text that go to the model in one call."
    )
    summary_calls: int = Field(
        default=8,
        ge=2,
        description="Most calls of the model for one summary: one for each part of a long text, and one to join them; "
        "of a longer text the most telling sentences of each part are read.",
    )
    extraction_calls: int = Field(
        default=20,
        ge=2,
        description="Most calls of the model for one extraction: one for each part of a long text, and one where the "
        "parts do not agree; of a longer text the most telling sentences of each part are read.",
    )
    data_threads: int = Field(default=2, gt=0, description="Threads the API agent may use to compute on a table.")
    data_memory_mb: int = Field(
        default=64,
        ge=32,
        description="Memory to compute on a table, in MB for every 100 columns; what needs more goes to disk.",
    )
    data_disk_mb: int = Field(default=2_000, ge=0, description="Disk that computing on a table may use, in MB.")
    data_timeout_s: float = Field(
        default=120.0, gt=0, description="Longest time to read a table and compute on it, in seconds."
    )
    fetch_timeout_s: float = Field(
        default=30.0, gt=0, description="Longest time to fetch a URL in a request, in seconds."
    )
