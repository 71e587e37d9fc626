"""What is kept between jobs: a session's files, for it alone, bounded, and gone when their time is over."""

import asyncio
import io
import os
import uuid
import zipfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import cast

import pytest

from code_agent_service.agent import open_agent
from code_agent_service.runs import WorkFile
from code_agent_service.workspaces import Workspaces
from shared.agent import File
from tests.code_agent.asking import ask, ask_opened, make_settings, python


async def test_a_later_job_of_a_session_finds_the_files_of_the_earlier_ones() -> None:
    session = uuid.uuid4().hex
    await ask(
        "run: open('made.txt', 'w').write('made')", session=session, files=[python("tools.py", "def f(): return 41")]
    )
    later = await ask("run: import tools; print(open('made.txt').read(), tools.f() + 1)", session=session)
    other = await ask("run: import os; print(os.listdir())")

    assert later.text == "made 42"
    assert other.text == "['main.py']"


async def test_in_a_session_it_means_the_code_of_before() -> None:
    session = uuid.uuid4().hex
    await ask("do it", skill="document-code", session=session, files=[python("main.py", "print(6 * 7)\n")])
    ran = await ask("run it again", session=session)
    computed = await ask("compute 2 + 2", session=session)

    assert ran.text == "42"
    assert computed.text == "4"


async def test_a_session_whose_files_are_too_many_to_be_kept_says_so() -> None:
    session = uuid.uuid4().hex
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(500):
            archive.writestr(f"{number}.txt", "x")
    first = await ask("run: print(1)", skill="review-code", session=session, files=[python("kept.py", "KEPT = 1\n")])
    many = File("many.zip", "application/zip", packed.getvalue())
    second = await ask("review it", skill="review-code", session=session, files=[many, python("more.py", "MORE = 1\n")])
    third = await ask("run: import kept; print(kept.KEPT)", session=session)

    assert "not kept" not in first.text
    assert "not kept for its next job: they are more than 500" in second.text
    assert third.text == "1"


async def test_two_jobs_of_a_session_take_turns_and_lose_nothing() -> None:
    session = uuid.uuid4().hex
    async with AsyncExitStack() as stack:
        agent = await stack.enter_async_context(open_agent(make_settings()))
        jobs = [
            ask_opened(agent, f"run: import time; time.sleep(0.2); open('{n}.txt', 'w').write('x')", session=session)
            for n in range(3)
        ]
        outcomes = await asyncio.gather(*jobs)
        seen = await ask_opened(agent, "run: import os; print(sorted(os.listdir()))", session=session)

    assert sum("another job of this session" in outcome.progress[0] for outcome in outcomes) == 2
    assert seen.text == "['0.txt', '1.txt', '2.txt', 'main.py']"


async def test_a_canceled_job_gives_its_turn_back() -> None:
    session = uuid.uuid4().hex
    async with AsyncExitStack() as stack:
        agent = await stack.enter_async_context(open_agent(make_settings()))
        first = asyncio.create_task(ask_opened(agent, "run: import time; time.sleep(60)", session=session))
        second = asyncio.create_task(ask_opened(agent, "run: print(1)", session=session))
        await asyncio.sleep(0)
        first.cancel()
        async with asyncio.timeout(20):
            outcome = await second

    assert outcome.text == "1"


async def test_files_beyond_the_quota_are_handed_over_but_not_kept() -> None:
    settings, session = make_settings(code_workspace_mb=1, sandbox_disk_mb=16), uuid.uuid4().hex
    made = await ask("run: open('big.bin', 'wb').write(bytes(2_000_000))", settings=settings, session=session)
    later = await ask("run: import os; print(os.listdir())", settings=settings, session=session)

    assert len(made.files["big.bin"].content or b"") == 2_000_000
    assert "CODE_WORKSPACE_MB (1 MB)" in made.text
    assert later.text == "['main.py']"


async def test_names_and_links_of_a_program_never_exist_on_this_machines_disk(tmp_path: Path) -> None:
    code = (
        "import os\nopen('a b;c.txt', 'w').write('x')\nos.symlink('/etc/passwd', 'link')\nos.chmod('a b;c.txt', 0o4777)"
    )
    await ask(f"run:\n{code}", settings=make_settings(data_dir=tmp_path))

    [kept] = (tmp_path / "code" / "workspaces").iterdir()
    assert kept.suffix == ".zip"
    assert len(kept.stem) == 64
    assert not kept.is_symlink()


async def test_old_workspaces_go_and_the_oldest_first_where_there_are_too_many(tmp_path: Path) -> None:
    spaces = Workspaces(make_settings(data_dir=tmp_path, code_workspaces_mb=1, code_workspace_h=1))
    for number, session in enumerate(["old", "first", "second", "third"]):
        await spaces.save(session, [WorkFile("noise.bin", os.urandom(400_000))])
        path = spaces.path_of(session)
        changed = path.stat().st_mtime - (7200 if session == "old" else 100 - number)
        os.utime(path, (changed, changed))
    spaces.sweep()

    assert [bool(await spaces.load(each)) for each in ("old", "first", "second", "third")] == [False, False, True, True]


async def test_a_broken_workspace_is_dropped(tmp_path: Path) -> None:
    spaces = Workspaces(make_settings(data_dir=tmp_path))
    await spaces.save("one", [WorkFile("a.txt", b"a")])
    spaces.path_of("one").write_bytes(b"PK rubbish")

    assert await spaces.load("one") == []
    assert await spaces.save("one", [WorkFile("b.txt", b"b")]) == ""
    assert [file.name for file in await spaces.load("one")] == ["b.txt"]


async def test_a_disk_that_cannot_be_written_loses_only_what_would_be_kept(tmp_path: Path) -> None:
    (tmp_path / "code").write_text("a file where the folder should be")
    outcome = await ask("run: open('a.txt', 'w').write('x')", settings=make_settings(data_dir=tmp_path))

    assert outcome.error is None
    assert set(outcome.files) == {"a.txt"}
    assert "not kept for its next job" in outcome.text


@pytest.mark.parametrize("session", ["../../etc", "/", "\0", "x" * 5000, "é"])
async def test_any_session_id_is_only_a_name(session: str, tmp_path: Path) -> None:
    settings = make_settings(data_dir=tmp_path)
    await ask("run: open('a.txt', 'w').write('x')", settings=settings, session=session)
    later = await ask("run: print(open('a.txt').read())", settings=settings, session=session)

    assert later.text == "x"
    assert len(list((tmp_path / "code" / "workspaces").iterdir())) == 1


async def test_the_archive_of_one_job_is_taken_by_the_next() -> None:
    first = await ask("do it", skill="document-code", files=[python("a.py", "def f() -> int:\n    return 1\n")])
    assert first.archive is not None
    assert [(each["name"], each["media_type"]) for each in first.rows("made")] == [
        ("a.py", "text/x-python"),
        ("README.md", "text/markdown"),
        ("files.zip", "application/zip"),
    ]
    second = await ask("do it", skill="review-code", files=[first.archive, File("a.py", "t", b"import os\n")])

    assert [each["rule"] for each in second.rows("findings")] == ["F401"]
    assert sorted(cast("list[str]", second.data["files"])) == ["README.md", "a.py"]
