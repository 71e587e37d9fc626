"""Docstrings are put in without changing the code; tests are made of any signatures."""

import ast
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_agent_service import docstrings, samples, smoke_tests, sources
from code_agent_service.runs import WorkFile

_LINES = st.sampled_from(
    [
        *(
            "x = 1",
            "import os",
            "# a comment",
            "",
            "x = '''a\nb'''",
            "if True:\n    y = 2",
            '"""Text."""',
            "async def g(): ...",
        ),
        *(
            "def f(a, b=1):\n    return a",
            "def h(): pass",
            "def t():\n\treturn 1",
            "@staticmethod\ndef d():\n    # why\n    yield 1",
        ),
        *(
            "class C:\n    x: int = 1\n\n    def m(self):\n        def inner(): pass\n        return inner",
            "class E: pass",
        ),
        *("def k():\n    @property\n    def p(): pass\n    return p", "def q():\n    '''It is there.'''\n    return 2"),
        *(
            "def s():\n    x = 1; return x",
            "class D(C):\n    '''D.'''",
            "def r(\n    a: int,\n) -> 'str':\n\n    return ''",
        ),
    ]
)
_TEXTS = st.text(alphabet="ab \n\t\\\"'{}#é\r\x0c", max_size=80)


def _names(code: str) -> list[str]:
    tree = sources.parse(code)
    return [] if tree is None else [place.name for place in docstrings.list_places(tree)]


@given(st.lists(_LINES, max_size=8), _TEXTS, st.sampled_from(["\n", "\r\n"]))
def test_docstrings_change_nothing_but_docstrings(lines: list[str], text: str, newline: str) -> None:
    code = newline.join("\n".join(lines).split("\n"))
    changed = docstrings.insert(code, dict.fromkeys(_names(code), text))

    before, after = ast.parse(code), ast.parse(changed)
    for tree in (before, after):
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                while node.body and isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant):
                    del node.body[0]
    assert ast.dump(before) == ast.dump(after)


@given(_TEXTS.filter(lambda text: bool(text.strip())))
def test_any_text_can_be_a_docstring(text: str) -> None:
    changed = docstrings.insert("def f():\n    return 1\n", {"f": text})
    [function] = ast.parse(changed).body
    assert isinstance(function, ast.FunctionDef)
    found = ast.get_docstring(function)

    assert found is not None
    assert found.split() == text.replace("\x0c", " ").replace("\r", "\n").split()


def test_what_has_no_room_for_a_docstring_is_left_as_it_is() -> None:
    code = "def f(): return 1\n"

    assert docstrings.insert(code, {"f": "One."}) == code


def test_a_docstring_says_what_can_be_seen() -> None:
    code = textwrap.dedent("""
        def parse_CSVLine(text: str, *, sep: str = ",") -> list[str]:
            if not text:
                raise ValueError("empty")
            return text.split(sep)
    """)
    [_, place] = docstrings.list_places(ast.parse(code))

    assert docstrings.describe(place, "module") == (
        "Parse CSV line.\n\nArgs:\n    text (str)\n    sep (str)\n\nReturns:\n    list[str]\n\nRaises:\n    ValueError"
    )


_TYPES = st.recursive(
    st.sampled_from(["int", "float", "str", "bool", "bytes", "None", "Path", "Any", "'int'", "Literal['a', 2]"]),
    lambda inner: st.one_of(
        inner.map("list[{}]".format),
        inner.map("Optional[{}]".format),
        inner.map("tuple[{}, ...]".format),
        st.tuples(inner, inner).map("dict[str, tuple[{0[0]}, {0[1]}]]".format),
        st.tuples(inner, inner).map("{0[0]} | {0[1]}".format),
    ),
    max_leaves=5,
)


@given(_TYPES)
def test_values_of_a_type_are_python(annotation: str) -> None:
    for value in samples.find_values(ast.parse(annotation, mode="eval").body) or []:
        eval(value)


@given(st.lists(_LINES, max_size=8), _TYPES)
def test_tests_made_from_any_signatures_are_python(lines: list[str], annotation: str) -> None:
    code = "\n".join([*lines, f"def last(value: {annotation}, other: int = 1) -> {annotation}: return value"])
    made = smoke_tests.write([WorkFile("mod.py", code.encode()), WorkFile("bad name.py", b"x = 1")], "test_smoke.py")

    assert made.file is not None
    compile(made.file.text, "test_smoke.py", "exec")
    assert "bad name.py: its name cannot be imported" in made.unchecked


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("def f(x): return x", "f: its parameter 'x' has no type hint"),
        ("def f(x: Path) -> None: ...", "f: no values are known for 'x', which is Path"),
        ("def f(*, x): return x", "f: its keyword 'x' has no default"),
        ("def f() -> str: return input()", "f: it asks a person, or ends the program"),
        ("class A(B):\n    def m(self): ...", "A.m: how to make its object cannot be seen"),
        ("def f(:", "it is not Python that can be read"),
    ],
)
def test_what_is_not_checked_is_said(code: str, why: str) -> None:
    assert smoke_tests.write([WorkFile("a.py", code.encode())], "test_smoke.py").unchecked == (f"a.py: {why}",)
