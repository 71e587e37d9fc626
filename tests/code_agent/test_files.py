"""Names, archives and code blocks: what comes from elsewhere becomes files, whatever it is."""

import io
import stat
import zipfile
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_agent_service import archives, names, sources
from code_agent_service.runs import WorkFile
from shared.errors import InvalidRequestError, TooLargeError

_PIECES = st.sampled_from(["a", "b.py", "..", ".", "", "/", "\\", "\0", "é", " ", "con", "x" * 300]) | st.text(
    max_size=5
)


@given(st.lists(st.lists(_PIECES, max_size=12).map("/".join), max_size=12))
def test_any_names_become_different_paths_below_the_folder(given_names: list[str]) -> None:
    tidy = names.tidy(given_names)

    assert len(set(tidy)) == len(given_names)
    for name in tidy:
        parts = name.split("/")
        assert all(part.strip(". ") and part.isprintable() and "\\" not in part for part in parts)
        assert len(name.encode()) < 600
        assert all(len(part.encode()) < 255 for part in parts)
    folders = {str(parent) for name in tidy for parent in PurePosixPath(name).parents}
    assert folders.isdisjoint(tidy)


def test_paths_that_stay_below_are_kept_and_others_are_not() -> None:
    found = names.tidy(["pkg/mod.py", "../../etc/passwd", "/etc/x", "..\\y", "a", "a/b", "a", ""])

    assert found == ["pkg/mod.py", "passwd", "x", "y", "a", "b", "a-2", "file"]


def test_five_hundred_equal_names_take_no_time() -> None:
    assert len(set(names.tidy(["a/b"] * 250 + ["a"] * 250))) == 500


_FILES = st.dictionaries(st.sampled_from(["a.py", "b/c.txt", "d"]), st.binary(max_size=300), min_size=1)


@given(_FILES)
def test_what_is_packed_is_unpacked_and_equal_files_give_equal_bytes(contents: dict[str, bytes]) -> None:
    files = [WorkFile(name, content) for name, content in contents.items()]
    packed = archives.pack(files)

    assert packed == archives.pack(files[::-1])
    assert {file.name: file.content for file in archives.unpack(WorkFile("x.zip", packed), 10_000)} == contents


def _zip(*entries: tuple[str, bytes], mode: int = 0) -> WorkFile:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            opened.writestr(info, content)
    return WorkFile("given.zip", target.getvalue())


def test_a_zip_bomb_is_refused_before_it_is_unpacked_whole() -> None:
    with pytest.raises(TooLargeError, match="SANDBOX_DISK_MB"):
        archives.unpack(_zip(("zeros", bytes(50_000_000))), 1_000_000)


def test_an_archive_that_lies_about_its_sizes_is_found_out() -> None:
    honest = _zip(("zeros", bytes(5_000_000))).content
    lying = honest.replace((5_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))

    with pytest.raises((TooLargeError, InvalidRequestError)):
        archives.unpack(WorkFile("given.zip", lying), 1_000_000)


def test_too_many_entries_are_refused() -> None:
    with pytest.raises(TooLargeError, match="501 files"):
        archives.unpack(_zip(*((f"{n}.txt", b"") for n in range(501))), 1_000_000)


def test_links_in_an_archive_are_left_out_and_odd_names_made_tidy() -> None:
    link = _zip(("link", b"/etc/passwd"), mode=stat.S_IFLNK | 0o777)

    assert archives.unpack(link, 1000) == []
    odd = archives.unpack(_zip(("../../etc/cron.d/x", b"1"), ("/root/y", b"2"), ("a/../b", b"3")), 1000)
    assert [file.name for file in odd] == ["x", "y", "b"]


def test_an_archive_in_an_archive_stays_packed() -> None:
    inner = _zip(("zeros", bytes(10_000_000))).content
    [file] = archives.unpack(_zip(("inner.zip", inner)), 1_000_000)

    assert file.content == inner


@pytest.mark.parametrize("content", [b"PK", b"PK\x03\x04" + b"\xff" * 100, b"PK\x05\x06\xff" * 30, b"\x00" * 50])
def test_broken_archives_are_a_clear_error(content: bytes) -> None:
    with pytest.raises(InvalidRequestError, match=r"broken\.zip"):
        archives.unpack(WorkFile("broken.zip", content), 1000)


def test_an_encrypted_archive_is_refused_with_what_to_do() -> None:
    content = bytearray(_zip(("secret.txt", b"secret")).content)
    content[content.index(b"PK\x01\x02") + 8] |= 1

    with pytest.raises(InvalidRequestError, match="without a password"):
        archives.unpack(WorkFile("given.zip", bytes(content)), 1000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`stats.py`:\n\n```python\nx = 1\n```", ["stats.py"]),
        (
            "### pkg/stats.py\n```python\nx = 1\n```\n**test_stats.py**\n```py\ny = 2\n```",
            ["pkg/stats.py", "test_stats.py"],
        ),
        ('```python title="stats.py"\nx = 1\n```', ["stats.py"]),
        ("```python stats.py\nx = 1\n```", ["stats.py"]),
        ("```python\n# stats.py\nx = 1\n```", ["stats.py"]),
        ("```python\nx = 1\n```", ["main.py"]),
        ("```python\ndef test_x(): pass\n```", ["test_main.py"]),
        ("```javascript\nlet x = 1\n```", ["main.js"]),
        ("Use it like this:\n```\nsome words\n```", []),
        ("```\nx = 1\n```\n\nThe files:\n\n`a.py`:\n\n```python\ny = 2\n```", ["a.py"]),
        ("```\nx = open('y')\n```", ["main.py"]),
        ("Review this: def f(x): return x + 1", ["main.py"]),
        ("Please review\ndef f(x):\n    return x", ["main.py"]),
        ("1. File: `a.py` (the module)\n```python\nx = 1\n```", ["a.py"]),
        ("In the function of stats.py there is an error.\n```python\nx = 1\n```", ["main.py"]),
        ("write a program", []),
        (
            "`README.md`\n```markdown\nUse it:\n```python\nimport ages\n```\n```\n`ages.py`\n```python\nx = 1\n```",
            ["README.md", "ages.py"],
        ),
    ],
)
def test_files_are_found_in_a_message(text: str, expected: list[str]) -> None:
    assert [file.name for file in sources.find_files(text)] == expected


@given(st.text(alphabet="`~\n #*.py:ab(){}\"'=", max_size=300))
def test_any_text_has_some_files_or_none(text: str) -> None:
    found = sources.find_files(text)

    assert len({file.name for file in found}) == len(found)


@pytest.mark.parametrize(
    "code",
    [
        *(
            "(" * 100_000,
            "-" * 100_000 + "1",
            "a." * 100_000 + "a",
            "not " * 100_000 + "a",
            "[" * 99_999 + "]" * 99_999,
        ),
        *("x = " + "1+" * 100_000 + "1", "if a: pass\n" + "elif a: pass\n" * 50_000, "\0", "lambda:" * 50_000 + "1"),
    ],
    ids=["parentheses", "minus", "attributes", "not", "brackets", "sum", "elif", "nul", "lambda"],
)
@pytest.mark.timeout(30)
def test_code_made_to_break_a_parser_breaks_nothing(code: str) -> None:
    assert sources.parse(code) is None or sources.looks_like_code(code) in {True, False}
