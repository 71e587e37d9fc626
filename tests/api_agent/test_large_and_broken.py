"""Large files are streamed; broken ones are told so; nothing of one request is left for the next."""

import asyncio
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Final, cast

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from api_agent_service.agent import open_agent
from shared.agent import AgentRequest, File, JsonObject
from shared.errors import FederationError, InvalidRequestError, TimedOutError, TooLargeError
from tests.api_agent.asking import SALES, Outcome, ask, make_settings
from tests.api_agent.test_analyze import parquet
from tests.research_agent.pdf import make_pdf
from tests.support.serving import serve

_ROWS: Final = 300_000
_MB: Final = 1_000_000


def _lines(rows: int) -> Iterator[bytes]:
    """Yield a CSV in pieces of 10,000 lines: about 60 bytes a line, hardly two of them alike."""
    yield b"id,day,city,price,note\n"
    for start in range(0, rows, 10_000):
        yield b"".join(
            b"%d,2024-%02d-%02d,%s,%d.%02d,customer number %d said this\n"
            % (row, row % 12 + 1, row % 28 + 1, (b"Paris", b"Rome", b"Oslo")[row % 3], row % 997, row % 100, row * 7)
            for row in range(start, min(start + 10_000, rows))
        )


@asynccontextmanager
async def _website() -> AsyncGenerator[str]:
    async def table(request: Request) -> Response:
        return StreamingResponse(iter(_lines(int(request.path_params["rows"]))), media_type="text/csv")

    async with serve(Starlette(routes=[Route("/{rows}.csv", table)])) as url:
        yield url


async def _profile(content: bytes, name: str, **settings: object) -> Outcome:
    file = File(name, "", content)
    return await ask("Profile this", skill="analyze-data", files=(file,), settings=make_settings(None, **settings))


_MEASURED: Final = """
import asyncio, sys
from tests.api_agent.asking import ask, make_settings
from shared.agent import File

def memory(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name)) // 1000

async def main(url):
    for rows in (1000, int(sys.argv[2])):
        before = memory("VmRSS")
        file = File(f"{rows}.csv", "text/csv", url=f"{url}/{rows}.csv")
        outcome = await ask("Profile this, no chart", skill="analyze-data", files=(file,), settings=make_settings())
        assert outcome.profile["rows"] == rows
    print(memory("VmHWM") - before)

asyncio.run(main(sys.argv[1]))
"""


async def test_a_large_file_by_url_is_streamed_and_raises_the_memory_by_less_than_its_size() -> None:
    """A process of its own answers for a small file, then for one of 20 MB: the second is not held in memory."""
    async with _website() as url:
        command = [sys.executable, "-c", _MEASURED, url, str(_ROWS)]
        ran = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=100, check=False)

    assert ran.returncode == 0, ran.stderr[-3000:]
    size_mb = sum(map(len, _lines(_ROWS))) / _MB
    assert size_mb > 17
    assert int(ran.stdout.split()[-1]) < 90, "64 MB for computing (DATA_MEMORY_MB), and some"


async def test_a_file_above_the_limit_is_refused_while_it_comes() -> None:
    async with _website() as url:
        with pytest.raises(TooLargeError, match="1,000,000 bytes"):
            await ask(f"Profile {url}/100000.csv", settings=make_settings(max_data_bytes=_MB))


async def test_a_table_that_takes_too_long_names_the_setting_and_a_cancelled_one_ends() -> None:
    content = b"".join(_lines(200_000))
    with pytest.raises(TimedOutError, match=r"within 0\.05 s \(DATA_TIMEOUT_S\)"):
        await _profile(content, "t.csv", data_timeout_s=0.05)

    async with open_agent(make_settings()) as agent:
        files = (File("t.csv", "text/csv", content),)
        request = AgentRequest("Profile", "task", "context", "message", files=files, skill="analyze-data")

        async def run() -> None:
            async with aclosing(agent.answer(request)) as updates:
                async for _ in updates:
                    started.set()

        started = asyncio.Event()
        running = asyncio.create_task(run())
        await started.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_requests_have_folders_of_their_own_and_nothing_is_left_of_them(tmp_path: Path) -> None:
    own = make_settings(data_dir=tmp_path)
    files = {name: File("t.csv", "text/csv", f"{name},n\nx,1\ny,2\n".encode()) for name in ("alpha", "beta", "gamma")}
    outcomes = await asyncio.gather(
        *(ask("Profile this", skill="analyze-data", files=(file,), settings=own) for file in files.values()),
        ask("Profile this", skill="analyze-data", files=(File("t.csv", "", b"a,b\n1\n"),), settings=own),
        return_exceptions=True,
    )

    *profiled, failed = outcomes
    for name, outcome in zip(files, cast("list[Outcome]", profiled), strict=True):
        columns = cast("list[JsonObject]", outcome.profile["columns"])
        assert [column["name"] for column in columns] == [name, "n"]
    assert isinstance(failed, InvalidRequestError)
    assert list((tmp_path / "api-agent").iterdir()) == []


def _zip(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, SALES)
    return buffer.getvalue()


def _records(text: str) -> bytes:
    """Return records as JSON Lines of which not all have the same fields, and one has a long text."""
    return "\n".join(json.dumps(each) for each in ({"a": 1}, {"a": 2, "b": text}, {"a": 3, "c": 4})).encode()


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (_zip("sales.csv"), "t.zip", "'t.zip' is an archive, .* unpack and decrypt it before"),
        (
            b"Salted__" + bytes(range(256)),
            "t.csv.enc",
            "is binary, and neither Parquet nor a spreadsheet.*unpack and decrypt it before",
        ),
        (b"\xff\xfea\x00,", "t.csv", "begins as UTF-16 but is not"),
        (b"PAR1" + SALES.encode() + b"PARE", "t.parquet", "is not Parquet that can be read"),
        (b"".join([*_lines(20_000), b"1,2\n", *_lines(5)]), "t.csv", "is ragged: line 20002 has 2 columns where .* 5"),
        (b"a,b\n" + b'1,"' + b"x" * 3 * _MB + b'"\n', "t.csv", "has more than 500,000 characters in line 2"),
        (_records("x" * 12 * _MB), "t.jsonl", "has more than 2,000,000 bytes in row 2"),
        (b'a,b\n1,"' + 30 * (b"x" * 99_999 + b"\n") + b'"\n', "t.csv", "has more than 2,000,000 bytes in row 1"),
    ],
    ids=["archive", "encrypted", "utf-16", "half parquet", "ragged", "endless line", "endless value", "many lines"],
)
async def test_a_table_that_cannot_be_read_says_what_to_change(content: bytes, name: str, said: str) -> None:
    with pytest.raises(InvalidRequestError, match=said):
        await _profile(content, name)


async def test_a_small_file_that_would_become_a_huge_table_is_refused() -> None:
    packed = parquet("SELECT repeat('x', 1000) AS text FROM range(3000)")
    assert len(packed) < 50_000
    with pytest.raises(TooLargeError, match=r"unpacks to more than 1 MB of text \(DATA_DISK_MB\)"):
        await _profile(packed, "t.parquet", data_disk_mb=1)
    keys = "\n".join(f'{{"key{number}": 1}}' for number in range(5_000))
    with pytest.raises(TooLargeError, match="has 101 columns, more than 100, the limit of MAX_DATA_COLUMNS"):
        await _profile(keys.encode(), "t.jsonl", max_data_columns=100)


async def test_lines_in_another_encoding_are_read_and_counted() -> None:
    lines = [f"Köln {row},{row}".encode("cp1252" if row % 3 == 0 else "utf-8") for row in range(9)]
    mixed = await _profile(b"\n".join([b"name,n", *lines, b""]), "t.csv")
    whole = await _profile("name,n\nKöln,1\nBonn,2\n".encode("cp1252"), "t.csv")

    assert "mixes encodings: 3 lines were not in UTF-8 and read as Windows-1252" in mixed.text
    top = cast("list[JsonObject]", mixed.column("name")["top"])
    assert {str(each["value"]) for each in top} == {f"Köln {row}" for row in range(9)}
    assert "was read as Windows-1252" in whole.text


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be"])
async def test_a_table_in_utf_16_is_read_with_a_mark_and_without(codec: str) -> None:
    outcome = await _profile("name,n\nŁódź,1\nBonn,2\n".encode(codec), "t.csv")

    top = cast("list[JsonObject]", outcome.column("name")["top"])
    assert {str(each["value"]) for each in top} == {"Łódź", "Bonn"}


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("都市,売上\n東京,10\n大阪,20\n", "shift-jis"),
        ("城市,销售额\n北京,10\n上海,20\n", "gb18030"),
        ("город,сумма\nМосква,10\nКазань,20\n", "cp1251"),
    ],
)
async def test_a_table_in_an_encoding_that_is_not_known_is_refused_not_misread(text: str, codec: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"is neither in UTF-8 nor in Windows-1252\. Save it in UTF-8"):
        await _profile(text.encode(codec), "t.csv")


async def test_a_table_with_many_columns_is_read() -> None:
    header = ",".join(f"c{number}" for number in range(210))
    rows = "\n".join(",".join(str(number * row) for number in range(210)) for row in range(20))
    outcome = await _profile(f"{header}\n{rows}\n".encode(), "wide.csv")

    assert len(cast("list[JsonObject]", outcome.profile["columns"])) == 210


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (File("t.pdf", "", make_pdf("text")[:200]), "is not a PDF that can be read"),
        (File("t.pdf", "", make_pdf("")), "is a PDF without text"),
        (File("t.zip", "application/zip", _zip("a.txt")), "is application/zip; send HTML, Markdown, PDF or plain text"),
        (File("t.txt", "text/plain", b"a\x00b" * 10), "is not text: it holds binary data"),
    ],
    ids=["broken", "scanned", "archive", "binary"],
)
async def test_a_document_that_cannot_be_read_says_what_to_change(file: File, said: str) -> None:
    for skill in ("summarize", "extract-data"):
        with pytest.raises(FederationError, match=said):
            await ask("Do it", skill=skill, files=(file,))
