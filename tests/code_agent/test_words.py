"""Plain words that are computed without a model: what is understood, and that nothing else is."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_agent_service import phrases, programs
from code_agent_service.phrases import find_numbers, read
from tests.code_agent.asking import ask, make_settings
from tests.support.model_server import model_server


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("compute 15% of 80", "12"),
        ("what is 2+2?", "4"),
        ("how much is 100 plus 10%", "110"),
        ("2 * 100 - 20%", "160"),
        ("5% + 10%", "0.15"),
        ("How much is 0.1 + 0.2?", "0.3"),
        ("Use Python to compute 2^100", str(2**100)),
        ("evaluate (3+4)×12÷7, and print the result", "12"),
        ("compute 1,000 * 3", "3000"),
        ("what is the square root of 2", "1.4142135623731"),
        ("factorial of 20", str(math.factorial(20))),
        ("compute the sum of the numbers from 1 to 100 using Python", "5050"),
        ("compute the sum of 10 and 20", "30"),
        ("compute the sum of all even numbers between 1 and 100", "2550"),
        ("What is the average of 3, 5 and 8.5?", "5.5"),
        ("median of 9 1 5", "5"),
        ("sort 5, 3, 9", "[3, 5, 9]"),
        ("Sort the numbers 5, -3.5 and 9 in descending order.", "[9, 5, -3.5]"),
        ("what is the largest of 4, 9 and 2", "9"),
        ("compute the sum of these numbers: 1,200, 3 and 4.5", "1207.5"),
        ("compute the first 10 prime numbers", "[2, 3, 5, 7, 11, 13, 17, 19, 23, 29]"),
        ("how many primes are there below 1000", "168"),
        ("is 91 prime?", "False"),
        ("find the prime factors of 360", "[2, 2, 2, 3, 3, 5]"),
        ("the 30th Fibonacci number", "832040"),
        ("gcd of 12 and 18", "6"),
        ("what is the average of my test scores: 90, 85, 77?", "84"),
        ("how many days between 2024-03-01 and 2024-01-01", "60"),
        ("How many lines are in the text below?\n\none\ntwo\nthree", "3"),
        ("Hello! Can you compute 17 * 23 for me? Thanks!", "391"),
        ('compute the total of the numbers\n\nResult of step 1 (compute 17 * 23):\n"""\n391\n"""\n', "391"),
        ("How many days are there between 2024-01-01 and 2024-03-01?", "60"),
        ("how many words are in the text: the quick brown fox", "4"),
        ("compute 2+2 and 3*3", "2+2 = 4\n3*3 = 9"),
        ("Compute the average of the prices.\n\nStep 1 said:\n| item | price |\n| a | 3.50 |\n| b | 1,200 |", "601.75"),
        ("3\n5\n8\n\ncompute the average of the numbers above", "5.33333333333333"),
        pytest.param("Compute the sum of the numbers." + "\n" * 300_000 + "3\n4", "7", id="far below"),
    ],
)
async def test_words_are_computed_in_the_sandbox(text: str, expected: str) -> None:
    outcome = await ask(text, skill=None)

    assert outcome.error is None
    assert outcome.text == expected


@pytest.mark.parametrize(
    ("text", "computed", "unread"),
    [
        ("Is 97 prime? If so, what is its square?", "True", "If so, what is its square?"),
        ("What is 15% of 80? And what is the capital of France?", "12", "And what is the capital of France?"),
        ("compute 10 divided by 4, then multiply by 3", "2.5", "multiply by 3"),
        ("What is 5 + 3?\nMultiply the result by 2.", "8", "Multiply the result by 2."),
        ("Tell me a joke and what is 2+2?", "4", "Tell me a joke and"),
        ("If 3 is bigger than 4, compute 5*5", "25", "If 3 is bigger than 4,"),
        ("Compute the sum of the numbers. What is their mode?\n\n3\n4", "7", "What is their mode?"),
    ],
)
async def test_an_answer_says_which_parts_of_the_words_it_does_not_answer(
    text: str, computed: str, unread: str
) -> None:
    outcome = await ask(text)

    assert outcome.text.startswith(f'{computed}\n\nNot answered, for it was not understood: "{unread}".')
    assert outcome.data["unread"] == [unread]


async def test_words_that_are_read_in_part_are_left_to_the_model_where_there_is_one() -> None:
    async with model_server("```python\nprint('prime, 9409')\n```") as model:
        settings = make_settings(llm_base_url=model.base_url, llm_model="scripted", egress_allow="")
        outcome = await ask("Is 97 prime? If so, what is its square?", settings=settings)

    assert outcome.data["stdout"] == "prime, 9409\n"


async def test_very_large_numbers_are_shown_whole() -> None:
    digits = str((await ask("compute the factorial of 2000")).data["stdout"]).strip()

    assert len(digits) == 5736
    assert digits.startswith("33162750924506")


@pytest.mark.parametrize(
    "text",
    [
        "compute the average price by city",
        "compute the weather in Paris",
        "calculate 2 + 2 and the meaning of life",
        "compute 2+2. Then compute the shortest path.",
        "what is an agent card?",
        "the meeting is on 2024-01-01",
        "find 7 sources about bees",
        "compute the average of the prices",
        "compute __import__('os').getpid() + 1",
        "compute (1).__class__ + 2",
        "compute open('x') + 1",
        "compute 5",
        "the sum of the digits of 12345",
        "compute the sum of the even numbers in this list: 1, 2, 3, 4",
        "What is the average of the absolute values of -1, 2, -3?",
        "the mean of the two largest of 1, 5, 9",
        "Compute the total of the prices below, without the tax.\n\napple 3.50\ntax 1.00",
        "What is the sum of 3, 4 and 5 divided by 2?",
        "what is the maximum of 3, 4 and 10% of 80",
        "what is 200 - 10% + 5",
        "100 + 10% + 10%",
        "",
    ],
)
def test_what_is_not_understood_as_a_whole_is_not_computed(text: str) -> None:
    assert read(text).formulas == ()


def test_numbers_that_are_no_values_are_left_out() -> None:
    text = "1. On 2024-01-03 at http://127.0.0.1:8000/x we had 17 items [2], v1.2, £3.50 and -4; A4 paper, 10:30"

    assert find_numbers(text) == ["17", "3.50", "-4"]


_NUMBERS = st.integers(0, 999).map(str) | st.floats(0, 999).map(lambda number: f"{number:.2f}")
_EXPRESSIONS = st.recursive(
    _NUMBERS,
    lambda inner: (
        st.tuples(inner, st.sampled_from([" + ", " - ", "*", " / "]), inner).map("".join) | inner.map("({})".format)
    ),
    max_leaves=8,
)


@given(_EXPRESSIONS)
def test_arithmetic_means_what_python_means(expression: str) -> None:
    formulas = read(f"compute {expression} in Python.").formulas
    if not set(expression) & set("+-*/"):
        return

    assert len(formulas) == 1

    def value(text: str) -> float | None:
        try:
            return eval(text)
        except ZeroDivisionError:
            return None

    assert value(formulas[0].expression) == value(expression)


@pytest.mark.parametrize(
    "text",
    [
        "is " * 300_000,
        "compute the sum of " + "111,222," * 100_000 + "x",
        "compute " + " " * 1_000_000 + "x",
        "run: " + "and tell " * 100_000,
        "compute " + "(" * 1_900 + ")" * 1_900,
        "".join("`" * length + "\n" for length in range(3, 1_400)),
        "how many words are in the text: " + "word " * 200_000,
    ],
    ids=["asks", "list", "spaces", "afterwards", "parentheses", "fences", "count"],
)
@pytest.mark.timeout(20)
def test_a_megabyte_of_anything_is_read_in_no_time(text: str) -> None:
    programs.find_program(text, [], [])


@given(st.text(max_size=200))
def test_any_text_is_either_a_program_or_refused(text: str) -> None:
    for formula in read(f"compute {text}").formulas:
        assert programs.parse(formula.expression) is not None
    assert len(find_numbers(text)) <= phrases.MAX_NUMBERS
