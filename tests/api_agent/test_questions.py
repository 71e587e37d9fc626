"""Questions about a table in plain words: every answer is a number that DuckDB computed."""

import json
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_agent_service import questions, vocabulary
from api_agent_service.query import describe
from shared.errors import InvalidRequestError
from tests.api_agent.asking import SALES, ask

VOCABULARY = vocabulary.build(
    {
        **dict.fromkeys(("order_id", "unitPrice", "quantity", "revenue", "temperature"), "number"),
        **dict.fromkeys(("city", "product", "status"), "text"),
        "date": "date",
    },
    [("city", ["Paris", "Rome", "New York"]), ("product", ["Pen", "Book"]), ("status", ["open", "shipped"])],
)


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("average price by city", [("Oslo", 40.0), ("Paris", 7.5), ("Rome", 7.0)]),
        ("What's the mean price per city?", [("Oslo", 40.0), ("Paris", 7.5), ("Rome", 7.0)]),
        ("how many orders per status", [("shipped", 3, 50.0), ("open", 2, 33.3), ("cancelled", 1, 16.7)]),
        ("top 2 products by revenue", [("Lamp", 120.0), ("Book", 36.5)]),
        ("bottom 1 product by quantity", [("Book", 3), ("Lamp", 3)]),
        ("the product with the highest revenue", [("Lamp", 120.0)]),
        ("rank cities by revenue", [("Oslo", 120.0), ("Paris", 37.5), ("Rome", 34.0)]),
        ("max price", [(40.0,)]),
        ("total revenue in 2024", [(181.5,)]),
        ("total revenue in February 2024", [(132.5,)]),
        ("total revenue since 2024-02-20", [(120.0,)]),
        ("which city has the highest average price?", [("Oslo", 40.0)]),
        ("Which month had the highest revenue?", [("2024-02", 132.5)]),
        ("In which month was the revenue highest?", [("2024-02", 132.5)]),
        ("in which city is the average price lowest", [("Rome", 7.0)]),
        ("which year has the fewest orders", [(2023, 1, 16.7)]),
        ("top 2 months by quantity", [("2024-01", 12), ("2023-12", 5)]),
        ("compare Paris and Rome by revenue", [("Paris", 37.5), ("Rome", 34.0)]),
        ("which city has the fewest orders", [("Oslo", 2, 33.3), ("Paris", 2, 33.3), ("Rome", 2, 33.3)]),
        ("median price where city is Paris", [(7.5,)]),
        ("sum of quantity where price > 2 and status is shipped", [(15,)]),
        ("number of orders with quantity between 3 and 5", [(3,)]),
        ("how many cities are there", [(3,)]),
        ("average price for Pen or Book by product", [("Book", 12.25), ("Pen", 2.25)]),
        ("total quantity per month", [("2023-12", 5), ("2024-01", 12), ("2024-02", 4), ("2024-03", 4)]),
        ("total revenue excluding Oslo", [(71.5,)]),
        ("how many orders have a missing price", [(1,)]),
        ("earliest date", [("2023-12-30",)]),
        ("revenue by status for Rome", [("shipped", 24.0), ("open", 10.0)]),
        ("unique values of city", [("Oslo", 2, 33.3), ("Paris", 2, 33.3), ("Rome", 2, 33.3)]),
        ("how many orders have no price", [(1,)]),
        ("how many orders without a revenue", [(1,)]),
        ("how many orders where price is not 40", [(5,)]),
        ("top two products by revenue", [("Lamp", 120.0), ("Book", 36.5)]),
        ("how many orders have a price above 15 and below 45", [(1,)]),
        ("how many orders where the price is above 5, but below 40", [(2,)]),
        ("how many orders have a price of at least 30", [(1,)]),
        ("how many orders with a price of 40", [(1,)]),
        ("how many orders after 2024-01-10 and before 2024-02-10", [(2,)]),
        ("total revenue of all products but the Lamp", [(71.5,)]),
        ("total revenue for everything but Oslo", [(71.5,)]),
        ("total revenue outside of Oslo", [(71.5,)]),
        ("how many books", [(2,)]),
        ("average price of Books", [(12.25,)]),
        ("top 1 product by revenue in Oslo or Paris", [("Lamp", 120.0)]),
    ],
)
async def test_a_question_is_answered(question: str, rows: list[tuple[object, ...]]) -> None:
    outcome = await ask(f"{question}\n\n{SALES}", skill="analyze-data")

    assert [tuple(row.values()) for row in outcome.rows] == rows


async def test_two_questions_are_answered_in_one_message() -> None:
    outcome = await ask(f"What is the average price by city, and how many orders are there per status?\n{SALES}")

    asked = [answer["question"] for answer in cast("list[dict[str, object]]", outcome.data["answers"])]
    assert asked == ["average price by city", "number of rows by status"]
    assert "| Paris | 7.5 |" in outcome.text
    assert "| shipped | 3 | 50 |" in outcome.text


async def test_an_answer_says_in_words_what_was_computed_and_from_what() -> None:
    highest = await ask(f"Which product has the highest average price in 2024?\n{SALES}")
    largest = await ask(f"What is the largest revenue?\n{SALES}")

    assert "**Lamp** has the highest average price: **40**." in highest.text
    assert "Average price by product where the year of date is 2024" in highest.text
    assert "Computed from 5 rows; in 1 of them a value is missing." in highest.text
    assert "The maximum revenue is **120**." in largest.text
    assert "| 4 | 2024-02-20 | Oslo | Lamp |" in largest.text


async def test_a_profile_and_an_answer_come_together_when_both_are_asked_for() -> None:
    outcome = await ask(f"Profile this CSV and tell me the average price by city.\n{SALES}")

    assert outcome.rows[0] == {"city": "Oslo", "average price": 40.0}
    assert outcome.profile["rows"] == 6
    assert "### Missing values" in outcome.text


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (
            "average prize by city",
            r"There is no column 'prize'\. Did you mean price\? The columns are: order_id, date, city",
        ),
        ("average price by country", r"There is no column 'country'"),
        ("average city", r"The column city holds text, so it has no mean\. Columns with numbers: order_id, price"),
        ("average price in Lyon", r"'Lyon' in the question is neither a column nor a value in the message"),
        ("total revenue where city is Parris", r"No row has 'Parris' in the column city\. Did you mean Paris\?"),
        (
            "total revenue in 1999",
            r"No row of the message answers the question: total revenue where the year of date is 1999",
        ),
        ("how many orders where price > 30 or city is Rome", r"'or city' in the question"),
        ("how many orders have a price below 10 or above 30", r"'or price' in the question"),
        ("number of orders with a price below the average", r"'average' in the question"),
        ("average quantity of the 2 cheapest products", r"'average quantity' in the question"),
        ("total revenue by product for the top 2 cities", r"'by product' in the question"),
        ("top 3 orders", r"'top 3 orders' in the question"),
        ("products with total revenue above 30", r"'above 30' in the question"),
        ("how many orders from Oslo or with a price above 10", r"'or price' in the question is neither"),
        ("how many orders for Oslo or the Pen", r"'or Pen' in the question is neither"),
        ("total revenue in January or in February", r"'or February' in the question is neither"),
        ("how many orders are neither from Oslo nor from Rome", r"'neither nor' in the question is neither"),
        ("average price for orders over 100", r"'over 100' in the question is neither"),
        ("what is the second highest price", r"'second' in the question"),
        ("how many orders last month", r"'month' in the question"),
        ("total revenue in the first quarter", r"'quarter' in the question"),
        ("how many orders on weekends", r"'weekends' in the question"),
        ("running total of revenue", r"'running' in the question"),
        ("sum of price times quantity", r"'times' in the question"),
        ("what share of revenue is from Paris", r"'share of revenue' in the question"),
        ("percentage of revenue by city", r"'percentage of revenue' in the question"),
        ("which cities have more than 2 orders", r"The column city holds text and is not compared with a number"),
        ("what is the best product", r"The column product holds text, so it has no maximum\. Say by what"),
    ],
)
async def test_what_a_question_has_wrong_is_named(question: str, said: str) -> None:
    with pytest.raises(InvalidRequestError, match=said):
        await ask(f"{question}\n{SALES}", skill="analyze-data")


async def test_an_overview_with_a_word_that_reads_like_a_column_is_still_a_profile() -> None:
    outcome = await ask(f"Give me a total overview\n{SALES}", skill="analyze-data")

    assert outcome.profile["rows"] == 6


@pytest.mark.parametrize("question", ["price of order 3", "order 3", "the price of the Lamp", "busiest month"])
async def test_a_short_question_that_no_rule_reads_is_told_so(question: str) -> None:
    outcome = await ask(f"{question}\n{SALES}", skill="analyze-data")

    assert "No rule reads the question, so this is the profile of the table." in outcome.text


@pytest.mark.parametrize(
    ("question", "ids"),
    [
        ("first 2 orders", [1, 2]),
        ("last order", [6]),
        ("last 2 rows", [6, 5]),
        ("when was the first order", [5]),
        ("when was the last order from Paris", [3]),
    ],
)
async def test_the_first_and_the_last_rows_are_told_apart(question: str, ids: list[int]) -> None:
    outcome = await ask(f"{question}\n{SALES}", skill="analyze-data")

    assert [row["order_id"] for row in outcome.rows] == ids


async def test_what_is_counted_but_not_known_is_pointed_out() -> None:
    outcome = await ask(f"how many unicorns are there?\n{SALES}", skill="analyze-data")

    assert "“unicorns” in the question is neither a column nor a value, and changed nothing." in outcome.text


FLAGS = "id,paid,units,city\n1,yes,4,Oslo\n2,no,5,Oslo\n3,yes,6,Rome\n1004,no,7,Rome\n"


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("total units paid", [(10,)]),
        ("average units of paid orders", [(5.0,)]),
        ("number of paid orders", [(2,)]),
        ("how many orders are not paid", [(2,)]),
        ("how many paid orders by city", [("Oslo", 1, 50.0), ("Rome", 1, 50.0)]),
        ("total units where paid is no", [(12,)]),
        ("total units where not paid", [(12,)]),
        ("percentage of orders paid", [(False, 2, 50.0), (True, 2, 50.0)]),
        ("total units by paid", [(False, 12), (True, 10)]),
        ("number of different paid", [(2,)]),
        ("how many units in Oslo", [(9,)]),
        ("number of units by city", [("Rome", 13), ("Oslo", 9)]),
        ("how many different units", [(4,)]),
    ],
)
async def test_a_column_of_truth_values_is_a_condition_by_its_name(
    question: str, rows: list[tuple[object, ...]]
) -> None:
    outcome = await ask(f"{question}\n\n{FLAGS}")

    assert [tuple(row.values()) for row in outcome.rows] == rows


async def test_years_and_numbers_of_things_are_no_amounts() -> None:
    outcome = await ask("rows where Year is 2024\n\nYear,Order No,Units\n2024,10017,5000\n2023,10018,7\n")

    assert "| 2024 | 10017 | 5,000 |" in outcome.text


async def test_a_measure_that_is_not_there_is_pointed_out() -> None:
    outcome = await ask(f"profit by city\n\n{SALES}")

    assert "“profit” in the question is neither a column nor a value, and changed nothing." in outcome.text


async def test_a_word_that_changes_nothing_is_pointed_out() -> None:
    outcome = await ask(f"average price by city for the report\n{SALES}")

    assert outcome.rows[0] == {"city": "Oslo", "average price": 40.0}
    assert "“report” in the question is neither a column nor a value, and changed nothing." in outcome.text


async def test_a_question_before_the_result_of_an_earlier_step_is_answered() -> None:
    outcome = await ask(
        f"What is the total revenue by city?\n\nResult of step 1 (browse):\n\n{SALES}\n\nThe page was read at 10:00.",
        skill="analyze-data",
    )

    assert [row["total revenue"] for row in outcome.rows] == [120.0, 37.5, 34.0]


@pytest.mark.parametrize(
    ("question", "read"),
    [
        ("average unit price per city", "average unitPrice by city"),
        ("avg and max price by city and product", "average unitPrice and maximum unitPrice by city and product"),
        ("average price and total quantity by city", "average unitPrice and total quantity by city"),
        ("total revenue in New York and Rome", "total revenue by city where city = New York or Rome"),
        ("which product has the most orders", "number of rows by product, highest"),
        ("which product has the highest revenue", "total revenue by product, highest"),
        ("who has the highest temperature", "rows by temperature, highest"),
        ("what are the 3 cheapest products?", "rows by unitPrice, lowest 3"),
        ("top 3 revenues", "rows by revenue, highest 3"),
        ("what are the three highest prices", "rows by unitPrice, highest 3"),
        ("how many times was a pen sold", "number of rows where product = Pen"),
        ("average price by city, top 3", "average unitPrice by city, highest 3"),
        ("monthly revenue", "total revenue by date (month)"),
        ("quantity per weekday", "total quantity by date (weekday)"),
        ("What percentage of orders are open?", "number of rows by status"),
        ("show rows where city is Paris", "rows where city = Paris"),
        (
            "Use the agent to compute the total revenue by product for shipped orders.",
            "total revenue by product where status = shipped",
        ),
        (
            "total revenue between 2024-01-01 and 2024-03-01",
            "total revenue where date >= 2024-01-01 and date <= 2024-03-01",
        ),
        ("count of orders where status is not open", "number of rows where status != open"),
        ("mean price for each city, sorted descending, as a bar chart", "average unitPrice by city"),
    ],
)
def test_a_question_is_read(question: str, read: str) -> None:
    assert [describe(query) for query in questions.read(question, VOCABULARY).queries] == [read]


@pytest.mark.parametrize(
    "text",
    [
        "Profile this data",
        "Please analyze the following CSV file and summarize the key findings",
        "Profile this CSV: columns, missing values, distributions, correlations, outliers, top groups",
        "Give me an overview of the attached dataset.",
        "summary statistics: mean, median and max for each column",
    ],
)
def test_a_request_for_a_profile_is_no_question(text: str) -> None:
    reading = questions.read(text, VOCABULARY)

    assert (reading.queries, reading.unknown, reading.unread) == ((), (), ())


words = st.sampled_from(
    [
        "average",
        "total",
        "max",
        "of",
        "by",
        "per",
        "top",
        "5",
        "3",
        "city",
        "cities",
        "price",
        "revenue",
        "product",
        "in",
        "2024",
        "Paris",
        "and",
        "or",
        "where",
        "is",
        ">",
        "10",
        "how",
        "many",
        "orders",
        "which",
        "has",
        "the",
        "highest",
        "lowest",
        "not",
        "between",
        "month",
        "monthly",
        "date",
        "missing",
        ",",
        "?",
        "foo",
        "unique",
        "percentage",
    ]
)


@given(st.lists(words, max_size=14))
@settings(max_examples=300, deadline=None)
def test_any_row_of_words_is_read_or_refused_and_only_columns_that_exist_are_used(row: list[str]) -> None:
    reading = questions.read(" ".join(row), VOCABULARY)

    for query in reading.queries:
        for item in (*query.measures, *query.groups, *query.filters):
            assert item.column is None or item.column in VOCABULARY.kinds


@given(st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_text_can_be_asked(text: str) -> None:
    questions.read(text, VOCABULARY)


async def test_a_row_without_a_value_counts_among_those_that_do_not_have_it() -> None:
    outcome = await ask("how many orders are not shipped\n\nid,status\n1,shipped\n2,open\n3,\n4,open\n")

    assert outcome.rows == [{"rows": 3}]


FLIGHTS = """\
origin,destination,price
Paris,Rome,10
Rome,Paris,20
Oslo,Paris,30
Paris,Oslo,40
Bonn,Rome,50
"""


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("total price where destination is Paris", [(50,)]),
        ("total price where origin is Paris", [(50,)]),
        ("total price by origin where destination is Rome", [("Bonn", 50), ("Paris", 10)]),
        ("total price where destination is not Paris", [(100,)]),
        ("how many flights from Bonn", [(1,)]),
    ],
)
async def test_a_value_of_several_columns_is_looked_for_in_the_one_that_is_named(
    question: str, rows: list[tuple[object, ...]]
) -> None:
    outcome = await ask(f"{question}\n\n{FLIGHTS}", skill="analyze-data")

    assert [tuple(row.values()) for row in outcome.rows] == rows


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("how many flights to Paris", r"'Paris' stands in several columns: origin, destination\. Say which"),
        ("total price where destination is Bonn", r"No row has 'Bonn' in the column destination"),
    ],
)
async def test_a_value_is_never_looked_for_in_another_column_than_the_one_that_is_meant(
    question: str, said: str
) -> None:
    with pytest.raises(InvalidRequestError, match=said):
        await ask(f"{question}\n\n{FLIGHTS}", skill="analyze-data")


def ids(first: int) -> str:
    return "id,amount\n" + "".join(f"{first + place},{place + 1}\n" for place in range(3))


@pytest.mark.parametrize("first", [2**53, 10**17, 2**63, 10**20, 10**45])
@pytest.mark.parametrize(
    ("question", "rows"), [("how many distinct id", [(3,)]), ("how many orders where id is {}", [(1,)])]
)
async def test_long_numbers_are_told_apart(first: int, question: str, rows: list[tuple[object, ...]]) -> None:
    outcome = await ask(f"{question.format(first + 1)}\n\n{ids(first)}", skill="analyze-data")

    assert [tuple(row.values()) for row in outcome.rows] == rows


@pytest.mark.parametrize(
    ("asked", "rest"),
    [
        (
            "Average price by city? Which customer is the cleverest?",
            "“Which customer is the cleverest” is not answered",
        ),
        ("Average price by city? Total profit by country?", "There is no column 'country'"),
    ],
)
async def test_a_question_that_cannot_be_answered_beside_others_is_pointed_out(asked: str, rest: str) -> None:
    outcome = await ask(f"{asked}\n\n{SALES}")

    assert "| Paris | 7.5 |" in outcome.text
    assert rest in outcome.text


@pytest.mark.parametrize(
    ("asked", "questions"),
    [
        ("What is the average price? Plot revenue by month.", ["average price", "total revenue by date (month)"]),
        ("average price and plot revenue by month", ["average price", "total revenue by date (month)"]),
        ("What is the average price? And plot it by city.", ["average price", "average price by city"]),
        ("average price by city, and draw a chart", ["average price by city"]),
    ],
)
async def test_a_plot_beside_another_question_is_drawn_and_answered_by_itself(asked: str, questions: list[str]) -> None:
    outcome = await ask(f"{asked}\n\n{SALES}")

    assert [answer["question"] for answer in cast("list[dict[str, object]]", outcome.data["answers"])] == questions
    assert [file.name for file in outcome.files] == ["chart.vl.json", "chart.png"]
    assert "is not answered" not in outcome.text


async def test_each_plot_that_is_asked_for_is_drawn() -> None:
    outcome = await ask(f"Average price by city, and plot revenue by month\n\n{SALES}")

    titles = [json.loads(file.content or b"")["title"] for file in outcome.files if file.name.endswith(".json")]
    assert titles == ["Average price by city", "Total revenue by date (month)"]


async def test_what_of_the_profile_is_asked_for_beside_a_question_is_told_and_drawn() -> None:
    outcome = await ask(f"What is the total revenue? Plot the distribution of price.\n\n{SALES}")

    assert "The total revenue is **191.5**" in outcome.text
    [spec, _] = outcome.files
    assert json.loads(spec.content or b"")["title"] == "Distribution of price"


async def test_an_end_of_no_column_is_not_the_end_of_all() -> None:
    with pytest.raises(InvalidRequestError, match="highest"):
        await ask(f"which city's price is highest\n\n{SALES}", skill="analyze-data")


SWITCHES = "id,active,units,city\n1,1,4,Oslo\n2,0,5,Oslo\n3,1,6,Rome\n4,0,7,Rome\n5,1,8,Rome\n"


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("how many active", [(3,)]),
        ("how many are active", [(3,)]),
        ("how many people are active", [(3,)]),
        ("how many active are there in Oslo", [(1,)]),
        ("how many active people by city", [("Rome", 2, 66.7), ("Oslo", 1, 33.3)]),
        ("how many are not active", [(2,)]),
        ("how many are inactive", [(2,)]),
        ("how many where active is true", [(3,)]),
        ("how many where active is no", [(2,)]),
        ("total units of active", [(18,)]),
        ("total units for active people", [(18,)]),
        ("total units active", [(18,)]),
        ("average units where active", [(6.0,)]),
        ("average units of inactive", [(6.0,)]),
        ("percentage of people active", [(0, 2, 40.0), (1, 3, 60.0)]),
        ("sum of active", [(3,)]),
        ("average active", [(0.6,)]),
        ("active by city", [("Rome", 2), ("Oslo", 1)]),
        ("total units by active", [(0, 12), (1, 18)]),
        ("how many different active", [(2,)]),
        ("which city has the most active", [("Rome", 2)]),
    ],
)
async def test_a_column_of_0_and_1_is_asked_as_truth_values_are(question: str, rows: list[tuple[object, ...]]) -> None:
    outcome = await ask(f"{question}\n\n{SWITCHES}")

    assert [tuple(row.values()) for row in outcome.rows] == rows


@pytest.mark.parametrize(
    ("question", "column"),
    [("how many inactive", "active"), ("how many are inactive", "is_active"), ("how many active", "inactive")],
)
async def test_the_opposite_of_a_column_of_truth_values_is_those_that_are_not(question: str, column: str) -> None:
    outcome = await ask(f"{question}\n\nid,{column},city\n1,yes,Oslo\n2,no,Oslo\n3,yes,Rome\n")

    assert f"There is **1** row (where {column} = false)." in outcome.text


@pytest.mark.parametrize(("yes", "no"), [("yes", "no"), ("ja", "nein"), ("Oui", "Non"), ("Y", "N"), ("sí", "no")])
@pytest.mark.parametrize("question", ["how many are active", "how many active", "how many where active is {yes}"])
async def test_words_for_true_and_false_are_truth_values_in_other_languages_too(
    question: str, yes: str, no: str
) -> None:
    outcome = await ask(f"{question.format(yes=yes)}\n\nid,active\n1,{yes}\n2,{no}\n3,{yes}\n4,{yes}\n")

    assert "There are **3** rows (where active = true)." in outcome.text


async def test_letters_are_truth_values_only_where_both_are_there() -> None:
    outcome = await ask("count by wind\n\nid,wind\n1,N\n2,N\n3,N\n")

    assert "| N | 3 |" in outcome.text


async def test_the_total_of_orders_is_a_number_though_a_column_is_called_total() -> None:
    outcome = await ask("total of orders after 2024-01-31\n\ndate,total\n2024-01-05,10\n2024-02-03,50\n2024-03-05,5\n")

    assert "The total total is **55**" in outcome.text


async def test_a_month_that_no_column_has_is_named() -> None:
    with pytest.raises(InvalidRequestError, match="month"):
        await ask("which month had the highest total\n\ncity,total\nParis,10\nRome,50\n")
