"""Arithmetic as people write it, to a Python expression: `15% of 80`, `2^10 ÷ 3`, `square root of 2`, `5!`. Pure."""

import ast
import re

_FUNCTIONS = {
    **{name: f"math.{name}" for name in ("sqrt", "cbrt", "sin", "cos", "tan", "exp", "log", "log10", "log2")},
    **{name: f"math.{name}" for name in ("floor", "ceil", "factorial", "gcd", "lcm", "hypot", "comb", "perm")},
    **{name: name for name in ("abs", "round", "min", "max", "pow")},
    "ln": "math.log",
}
_CONSTANTS = {"pi": "math.pi", "e": "math.e", "tau": "math.tau"}
_LARGE = ("import sys", "sys.set_int_max_str_digits(0)")

_OPERATORS = (
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.UAdd, ast.USub,
    ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq,
)  # fmt: skip

_N = r"(\d+(?:\.\d+)?|\([^()]*\))"
_WHOLE = r"^((?:(?!%|per ?cent).)*[\d)])\s*"  # what a share is added to: "200 + 10%"
_REWRITES = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (r"(?<=\d),(?=\d{3}\b)", ""),
        (r"π", "pi"),
        (rf"{_WHOLE}(?:\+|plus\b)\s*{_N}\s*(?:%|percent|per cent)\s*$", r"(\1)*(1+\2/100)"),
        (rf"{_WHOLE}(?:-|−|–|minus\b)\s*{_N}\s*(?:%|percent|per cent)\s*$", r"(\1)*(1-\2/100)"),
        (rf"(?<=[\d)])\s*(?:[-+−–]|plus\b|minus\b)\s*{_N}\s*(?:%|percent|per cent)(?!\s*(?:of\b|[\d(a-z]))", " ?"),
        (rf"\b(?:the )?square root of {_N}|√\s*{_N}", r"sqrt(\1\2)"),
        (rf"\b(?:the )?cube root of {_N}", r"cbrt(\1)"),
        (r"\b(?:the )?factorial of (\d+)|\b(\d+)(?:\s*!(?!=)|\s+factorial\b)", r"factorial(\1\2)"),
        (rf"{_N}\s*(?:%|percent\b|per cent\b)\s*of\b", r"\1/100*"),
        (rf"{_N}\s*(?:percent\b|per cent\b|%(?!\s*[\d(a-z]))", r"(\1/100)"),
        (r"\b(?:multiplied by|times)\b|[×·⋅]|(?<=[\d)])\s*x\s*(?=[\d(])", "*"),
        (r"\bdivided by\b|÷", "/"),
        (r"\bplus\b", "+"),
        (r"\bminus\b|[−–]", "-"),
        (r"\b(?:modulo|mod)\b", "%"),
        (r"\b(?:raised )?to the (?:power of|power)\b|\^", "**"),
        (r"\bsquared\b", "**2"),
        (r"\bcubed\b", "**3"),
        (r"=\s*$", ""),
    )
)
_CALLS_WITH_LISTS = re.compile(r"[a-z]\w*\s*\([^()]*,", re.IGNORECASE)


def translate(phrase: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the Python expression for `phrase` and the lines it needs before it, or None if it is anything else."""
    text = phrase.strip().lower()
    if not text or len(text) > 2000:
        return None
    grouped = not _CALLS_WITH_LISTS.search(text)  # the comma of max(1,200) separates
    for pattern, replacement in _REWRITES if grouped else _REWRITES[1:]:
        text = pattern.sub(replacement, text)
    try:
        tree = ast.parse(text.strip(), mode="eval")
        expression = _Checked().visit(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if isinstance(tree.body, ast.Constant | ast.Attribute):
        return None
    source = ast.unparse(expression)
    setup = ("import math",) if "math." in source else ()
    return source, (*_LARGE, *setup) if "**" in source or "factorial" in source else setup


class _Checked(ast.NodeTransformer):
    """Lets numbers, operators, and the functions and constants above through, by their Python names."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id not in _CONSTANTS:
            raise ValueError(node.id)
        return ast.parse(_CONSTANTS[node.id], mode="eval").body

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if not isinstance(node.func, ast.Name) or node.func.id not in _FUNCTIONS or node.keywords:
            raise ValueError(ast.dump(node))
        function = ast.parse(_FUNCTIONS[node.func.id], mode="eval").body
        return ast.Call(function, [self.visit(argument) for argument in node.args], [])

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if type(node.value) not in {int, float}:
            raise ValueError(node.value)
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        allowed = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, *_OPERATORS)
        if not isinstance(node, allowed):
            raise ValueError(ast.dump(node))
        return super().generic_visit(node)
