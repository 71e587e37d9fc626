"""Analysis: what several sources say, side by side, in their own words."""

from pathlib import Path

import pytest

from tests.research_agent.asking import ask, make_settings, write_documents


async def test_sources_are_set_side_by_side_with_their_figures(tmp_path: Path) -> None:
    write_documents(
        tmp_path,
        shop="# Shop\n\nReturns are accepted within 30 days.",
        outlet="# Outlet\n\nReturns are accepted within 14 days for 95% of the price.",
    )
    docs = tmp_path / "docs"

    outcome = await ask(make_settings(tmp_path), "What do the documents say about returns?", skill="analysis")

    assert f"**Shop ({docs / 'shop.md'})**\n- Returns are accepted within 30 days. [" in outcome.text
    assert (
        f"**Outlet ({docs / 'outlet.md'})**\n- Returns are accepted within 14 days for 95% of the price. ["
        in outcome.text
    )
    figures = outcome.text.partition("**Figures named**\n")[2].partition("\n")[0]
    assert sorted(part.split(" [")[0] for part in figures.split("; ")) == ["14 days", "30 days", "95%"]


async def test_two_things_are_compared_each_by_what_is_said_of_it(tmp_path: Path) -> None:
    write_documents(
        tmp_path,
        stores="# Stores\n\n## SQLite\n\nSQLite needs no server.\n\n## PostgreSQL\n\nPostgreSQL serves many machines.",
    )

    outcome = await ask(make_settings(tmp_path), "Compare SQLite and PostgreSQL for the docs", skill=None)

    assert "**sqlite**\n- SQLite needs no server. [" in outcome.text
    assert "**postgresql**\n- PostgreSQL serves many machines. [" in outcome.text


async def test_one_thing_of_a_comparison_without_a_source_is_said(tmp_path: Path) -> None:
    write_documents(tmp_path, stores="# Stores\n\nSQLite needs no server. It is a file.")

    outcome = await ask(make_settings(tmp_path), "Compare SQLite with Cassandra in the docs", skill="analysis")

    assert "SQLite needs no server." in outcome.text
    assert "Nothing was found about: cassandra" in outcome.text


@pytest.mark.parametrize(
    "given", ["{0}:\n\n{1}\n\n{2}", "{0}: {1} {2}"], ids=["in paragraphs below", "in the same paragraph"]
)
async def test_what_is_given_is_weighed_though_it_has_none_of_the_words_and_the_documents_have_them(
    tmp_path: Path, given: str
) -> None:
    write_documents(tmp_path, teams="# Teams\n\nTo conclude what is better for a small team takes a good team.")
    asked = "Compare these and conclude which is better for a small team"
    sqlite = "SQLite is one file, needs no server, and lets one process write."
    postgresql = "PostgreSQL needs a server of its own, and many processes write at once."

    outcome = await ask(make_settings(tmp_path), given.format(asked, sqlite, postgresql), skill="analysis")

    assert sqlite in outcome.text
    assert postgresql in outcome.text
    assert "Teams" not in outcome.text
