"""The command line shows what was found about an agent, and decides whether it is called."""

from pathlib import Path

from tests.orchestrator.fickle import Fickle, skill
from tests.orchestrator.test_people_at_the_terminal import command
from tests.support.federation import federation


async def test_grade_findings_changes_and_decisions_are_at_the_terminal(tmp_path: Path) -> None:
    async with Fickle().serving() as fickle, federation(tmp_path, agent_admission="approval") as running:
        fickle.card["provider"] = {"organization": "Tests"}
        added = await command(running, "agents", "add", fickle.url)
        assert "grade: B" in added
        assert "It is pending" in added
        shown = await command(running, "agents", "show", "Fickle")
        assert "dialects: answers JSONRPC 1.0" in shown
        assert "/provider/url: is missing (A2A 1.0, 4.4.2)" in shown
        assert "status: active" in await command(running, "agents", "accept", "Fickle")
        fickle.card["skills"] = [skill("echo"), skill("pay")]
        assert "It is quarantined" in await command(running, "agents", "add", fickle.url)
        assert "skill pay: null → " in await command(running, "agents", "show", "Fickle")
        accepted = await command(running, "agents", "accept", "fickle")
        assert "status: active" in accepted
        assert "skill pay: null → " in accepted
        assert "Fickle  active  echo, pay  B" in await command(running, "agents", "list")
        assert "status: suspended" in await command(running, "agents", "suspend", "Fickle")
        assert "status: active" in await command(running, "agents", "resume", "Fickle")
