"""How quotes read: whole sentences, no markup, no torn tables; and documents about the web stay at home."""

from pathlib import Path

import pytest

from a2a_agent_service.question import understand
from shared.agent import AgentRequest
from tests.research_agent.asking import ask, make_settings, write_documents


async def test_a_short_passage_is_quoted_without_line_breaks_and_markup(tmp_path: Path) -> None:
    write_documents(tmp_path, walls="**Limits.** Set `PUMP_MAX`\nto stop\nthe pump.")

    outcome = await ask(make_settings(tmp_path), "How does the pump stop?")

    assert outcome.text.startswith("Limits. Set PUMP_MAX to stop the pump. [1]")


async def test_a_bold_label_stays_with_its_sentence(tmp_path: Path) -> None:
    filler = "The harbour has boats of many kinds and colours, and gulls above them. " * 8
    write_documents(tmp_path, long=f"**Decision.** The pump is red. {filler}\n**Pump limits.**")

    outcome = await ask(make_settings(tmp_path), "Which decision was made about the pump?")

    assert outcome.text.startswith("Decision. The pump is red. ")
    assert "Pump limits." not in outcome.text


async def test_a_row_torn_from_its_table_reads_as_text(tmp_path: Path) -> None:
    write_documents(tmp_path, rows="# Pumps\n\n| `pump` | 7 kg | red |")

    outcome = await ask(make_settings(tmp_path), "What about the pump?")

    assert outcome.text.startswith("pump: 7 kg, red [1]")


async def test_rows_that_are_quoted_without_their_table_read_as_text(tmp_path: Path) -> None:
    rows = "\n".join(
        f"| `pump{number}.db` | what the pump number {number} has told about itself |" for number in range(9)
    )
    write_documents(tmp_path, files=f"# Files\n\nAll is here:\n\n| | |\n|---|---|\n{rows}")

    outcome = await ask(make_settings(tmp_path), "What does the file of pump number 3 hold?")

    assert "pump3.db: what the pump number 3 has told about itself" in outcome.text
    assert "|" not in outcome.text


@pytest.mark.parametrize(
    ("text", "web"),
    [
        ("What do the documents say about the web UI?", False),
        ("What do the docs say about how to search the web?", False),
        ("What do the docs say about security on the web?", False),
        ("What do the docs say about online payments?", False),
        ("What is the tidal range? Search the documents, not the web.", False),
        ("What is the tidal range? Do not use the web.", False),
        ("Search the documents and the web for tides", True),
        ("What is the tidal range? Search the documents and search the web.", True),
        ("Search the web for tides", True),
    ],
)
def test_a_question_for_the_documents_asks_the_web_only_where_it_says_so(text: str, web: bool) -> None:
    question = understand(AgentRequest(text, "task", "context", "message"))

    assert question.wants_web is web
    assert question.wants_documents is (not web or "documents" in text)
