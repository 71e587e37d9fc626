"""Settings of the API agent."""

from pathlib import Path

from pydantic import Field

from shared.settings import FederationSettings


class Settings(FederationSettings):
    """What the API agent reads, and how much of it."""

    data_files: Path = Field(
        default=Path("docs"),
        description="Folder whose files a request to the API agent may name, as in 'profile sales.csv'.",
    )
    max_data_bytes: int = Field(
        default=20_000_000, gt=0, description="Most bytes the API agent reads from one file, URL or message."
    )
    max_data_rows: int = Field(default=1_000_000, gt=0, description="Most rows of a table the API agent analyzes.")
    max_data_columns: int = Field(default=1_000, gt=0, description="Most columns of a table the API agent analyzes.")
    max_text_chars: int = Field(
        default=1_000_000, gt=0, description="Longest text the API agent summarizes or extracts from, in characters."
    )
    model_input_chars: int = Field(
        default=24_000,
        ge=1_000,
        description="Most characters of a text that go to the model; of a longer one, its most telling sentences go.",
    )
    data_threads: int = Field(default=2, gt=0, description="Threads the API agent may use to compute on data.")
    fetch_timeout_s: float = Field(
        default=30.0, gt=0, description="Longest time to fetch a URL in a request, in seconds."
    )
