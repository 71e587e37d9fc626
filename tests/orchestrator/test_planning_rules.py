"""Planning without a model: requests in plain words against the bundled agents' own cards."""

import itertools

import pytest

from orchestrator_service.planning.parts import in_active_voice
from orchestrator_service.planning.plan import (
    MAX_STEPS,
    Offer,
    PlanningFailedError,
    Reference,
    fill,
)
from tests.orchestrator.planning_catalogue import ListCatalogue, bundled, plan, shape, takes

WITH_MODEL = ListCatalogue(bundled(with_model=True))
TRANSLATOR = Offer(
    "id-of-lingo",
    "Lingo",
    "translate-text",
    "Translate text",
    "Translates text between languages, such as German, French and Japanese.",
    ("translate", "translation", "language"),
    ("Translate 'good morning' to French",),
)
INVOICES = Offer(
    "id-of-clerk",
    "Clerk",
    "read-invoices",
    "Read invoices",
    "Reads invoices from PDF or web page: total, tax, supplier, due date.",
    ("invoice", "accounting", "tax"),
    ("What is the total and the tax of the invoice at https://example.com/invoice?",),
)


async def test_three_kinds_of_work_in_one_sentence_become_three_steps() -> None:
    planned = await plan(
        "Open http://127.0.0.1:9000/ and get the main heading, then find what the documents say about retries, "
        "and profile sales.csv"
    )
    assert shape(planned) == [("browse", []), ("research", [1]), ("analyze-data", [1])]
    assert planned.steps[0].instruction == "Open http://127.0.0.1:9000/ and get the main heading"
    assert planned.steps[1].instruction == "find what the documents say about retries"
    assert [takes(step) for step in planned.steps] == [[], [], []]


async def test_a_question_after_and_is_a_part_of_its_own() -> None:
    planned = await plan(
        "Open http://127.0.0.1:9000/ and get the main heading, then find what the documents say about PostgreSQL, "
        "and what is the average price by city in sales.csv?"
    )
    assert [step.skill for step in planned.steps] == ["browse", "research", "analyze-data"]
    one = await plan("find what the documents say about retries and what happens after them")
    assert [step.skill for step in one.steps] == ["research"]


async def test_a_step_that_speaks_of_the_result_is_given_it() -> None:
    planned = await plan("compute 17 * 23 then summarize the result")
    assert shape(planned) == [("run-code", []), ("summarize", [1])]
    second = planned.steps[1]
    assert takes(second) == [planned.steps[0].id]
    assert 'Result of step 1 (compute 17 * 23):\n"""\n{{' in second.instruction


async def test_an_inline_numbered_list_runs_in_parallel() -> None:
    planned = await plan("1. get the title of http://x.y/ 2. analyze data.csv 3. run code: print(1)")
    assert shape(planned) == [("browse", []), ("analyze-data", []), ("run-code", [])]
    assert [step.instruction for step in planned.steps] == [
        "get the title of http://x.y/",
        "analyze data.csv",
        "run code: print(1)",
    ]


@pytest.mark.parametrize(
    "mention", ["@browser", "@browser-agent", "@BrowserAgent", "ask @browser to", "@id-of-browser:"]
)
async def test_a_mentioned_agent_gets_the_step(mention: str) -> None:
    planned = await plan(f"{mention} take a screenshot of http://localhost:9000")
    assert [(step.agent, step.skill) for step in planned.steps] == [("id-of-browser", "screenshot")]
    assert planned.steps[0].instruction == "take a screenshot of http://localhost:9000"


async def test_a_mentioned_agent_may_do_what_no_skill_fits() -> None:
    planned = await plan("@research hello there")
    assert [(step.agent, step.skill) for step in planned.steps] == [("id-of-research", None)]


async def test_an_unknown_mentioned_agent_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(PlanningFailedError, match=r"@nobody.*Browser agent.*Research agent"):
        await plan("@nobody take a screenshot of http://localhost:9000")


async def test_a_mention_that_fits_several_agents_is_an_error_that_names_them() -> None:
    twin = Offer("id-of-twin", "Browser two", "browse", "Browse", "Opens pages.")
    with pytest.raises(PlanningFailedError, match=r"Browser agent \(id-of-browser\), Browser two \(id-of-twin\)"):
        await plan("@browser open http://a.b", ListCatalogue([*bundled(), twin]))


@pytest.mark.parametrize(
    "text",
    [
        "find what the documents say about me@example.com",
        "research the handle @nobody",
        "research what an @agent is",
    ],
)
async def test_an_at_sign_inside_a_request_is_just_text(text: str) -> None:
    assert shape(await plan(text)) == [("research", [])]


@pytest.mark.parametrize(
    ("text", "skill"),
    [
        ("What is the average price by city in sales.csv?", "analyze-data"),
        ("How many rows does sales.csv have?", "analyze-data"),
        ("profile http://a.b/sales.csv?x=1", "analyze-data"),
        ("Get all links on http://a.b", "browse"),
        ("Extract all links from http://a.b", "extract-page"),
        ("Extract all e-mail addresses from http://a.b", "extract-data"),
        ("take a screenshot of http://a.b", "screenshot"),
        ("verify that http://a.b shows 'Welcome'", "verify-page"),
        ("Check that http://a.b has a login form and that the title is 'Home'", "verify-page"),
        ("summarize http://a.b in three sentences", "summarize"),
        ("Give me the key points of this document: all is well.", "summarize"),
        ("what does the documentation say about timeouts?", "research"),
        ("Find out how to install and run the server", "research"),
        ("Find what the docs say about retries and timeouts", "research"),
        ("Compare the refund policy and the shipping policy in the documents", "analysis"),
        ("What is 12 / 4?", "run-code"),
        ("what is the average of 3, 5 and 8?", "run-code"),
        ("compute 15% of 80 with code in the sandbox", "run-code"),
        ("Run this code:\n```python\nimport this; print(1)\n```", "run-code"),
        ("Summarize the following text:\nOpen the door. Then close it.\n1. Get up\n2. Get down", "summarize"),
        ("Öffne http://a.b und lies die Überschrift", "browse"),
        ("计算 2 + 2", "run-code"),
    ],
)
async def test_a_plain_request_is_one_step_for_the_right_skill(text: str, skill: str) -> None:
    planned = await plan(text)
    assert shape(planned) == [(skill, [])]
    assert planned.steps[0].instruction == text


async def test_research_and_a_summary_of_it_are_two_steps() -> None:
    planned = await plan("Research A2A and summarize it in three sentences")
    assert shape(planned) == [("research", []), ("summarize", [1])]
    assert takes(planned.steps[1]) == ["step-1"]


@pytest.mark.parametrize(
    "text",
    [
        "open http://a.b and get the title and the links",
        "go to http://a.b, click 'Login' and take a screenshot",
        "Open http://a.b, type 'socks' into 'Search', press Enter and get all links",
        "1. Open http://a.b\n2. Click 'Login'\n3. Take a screenshot",
        "Open http://a.b. Then tell me what it says there.",
        "@browser open http://a.b and get the title",
    ],
)
async def test_clauses_about_one_page_are_one_step_for_the_browser(text: str) -> None:
    assert shape(await plan(text)) == [("browse", [])]


@pytest.mark.parametrize(
    "text", ["analyze sales.csv and plot the average price by city", "download http://a.b/data.csv and profile it"]
)
async def test_clauses_about_one_table_are_one_step(text: str) -> None:
    assert shape(await plan(text)) == [("analyze-data", [])]


CHAINS: list[tuple[str, list[tuple[str, list[str]]]]] = [
    (
        "First open http://a.b and get its title. Second, research what the docs say about it. Third, summarize both.",
        [("browse", []), ("research", ["step-1"]), ("summarize", ["step-1", "step-2"])],
    ),
    (
        "Calculate 2+2; find sources on retries; finally combine all results into a report",
        [("run-code", []), ("research", []), ("summarize", ["step-1", "step-2"])],
    ),
    (
        "1. find what the docs say about cats 2. find what the docs say about dogs 3. summarize the results",
        [("research", []), ("research", []), ("summarize", ["step-1", "step-2"])],
    ),
    (
        "1. compute 2 + 2\n2. compute 3 + 3\n3. Summarize the result of step 1\n4. summarize the second result",
        [("run-code", []), ("run-code", []), ("summarize", ["step-1"]), ("summarize", ["step-2"])],
    ),
    (
        "get the title of http://a.b and http://c.d and compare them",
        [("browse", []), ("browse", []), ("analysis", ["step-1", "step-2"])],
    ),
    (
        "research retries in the documents, then summarize in two sentences",
        [("research", []), ("summarize", ["step-1"])],
    ),
    (
        "Find what the docs say about a.b. Find what the docs say about its price.",
        [("research", []), ("research", ["step-1"])],
    ),
]


@pytest.mark.parametrize(("text", "expected"), CHAINS)
async def test_a_part_is_given_the_results_it_speaks_of(text: str, expected: list[tuple[str, list[str]]]) -> None:
    planned = await plan(text)
    assert [(step.skill, takes(step)) for step in planned.steps] == expected
    assert [step.depends_on for step in planned.steps] == [depends for _, depends in expected]


async def test_then_only_means_order_where_no_result_is_spoken_of() -> None:
    planned = await plan("profile a.csv and profile b.csv, then research cats in the documents")
    assert shape(planned) == [("analyze-data", []), ("analyze-data", []), ("research", [1, 2])]
    assert takes(planned.steps[2]) == []


async def test_a_later_part_about_the_page_is_told_its_address() -> None:
    planned = await plan("summarize http://a.b/long and get its title")
    assert shape(planned)[1][0] == "browse"
    assert planned.steps[1].instruction == "get its title\n\nPage: http://a.b/long"


async def test_the_address_before_a_list_belongs_to_its_items() -> None:
    planned = await plan("For http://a.b do the following:\n- summarize the text\n- run code: print(1)")
    assert planned.steps[0].instruction == "For http://a.b do the following:\nsummarize the text"


async def test_nothing_is_split_inside_quotes_code_or_material() -> None:
    text = 'summarize "open a.b and then get the title; 1. run it 2. test it"'
    assert [step.instruction for step in (await plan(text)).steps] == [text]
    code = "run:\n```python\nprint('a'); print('b, then c')\n# then open it\n```"
    assert (await plan(f"{code}\nthen summarize the output")).steps[0].instruction == code
    line = "run: import time; time.sleep(12); print('late')"
    assert [step.instruction for step in (await plan(line)).steps] == [line]


async def test_a_pasted_table_stays_whole_whatever_its_cells_say() -> None:
    text = "analyze this table\nstate,day,note\nopen,1,check\nclose,2,\nrun,3,"
    assert [step.instruction for step in (await plan(text)).steps] == [text]


async def test_twenty_parts_are_twenty_steps_at_once() -> None:
    planned = await plan("\n".join(f"{n}. compute {n} * {n}" for n in range(1, 21)))
    assert shape(planned) == [("run-code", [])] * 20
    assert planned.steps[19].instruction == "compute 20 * 20"


async def test_more_parts_than_may_run_at_once_run_in_waves() -> None:
    assert len((await plan("\n".join(f"- compute {n} * {n}" for n in range(MAX_STEPS)))).steps) == MAX_STEPS


async def test_too_many_parts_are_a_clear_error() -> None:
    with pytest.raises(PlanningFailedError, match=f"51 parts.*{MAX_STEPS}"):
        await plan("\n".join(f"- compute {n} * {n}" for n in range(51)))


@pytest.mark.parametrize("text", ["", "  \n ", "...", "?!", "``` ```", "--"])
async def test_a_request_without_a_word_is_a_clear_error(text: str) -> None:
    with pytest.raises(PlanningFailedError, match="empty"):
        await plan(text)


async def test_a_part_that_no_agent_fits_is_named_with_what_there_is() -> None:
    with pytest.raises(PlanningFailedError, match=r"'frobnicate the widgets'.*Browser agent \(browse"):
        await plan("open http://a.b, then frobnicate the widgets")


async def test_a_skill_that_is_missing_is_named() -> None:
    catalogue = ListCatalogue([offer for offer in bundled() if offer.skill_id != "write-code"])
    with pytest.raises(PlanningFailedError, match="write-code"):
        await plan("Write a function that reverses a string", catalogue)
    assert shape(await plan("Write a function that reverses a string", WITH_MODEL)) == [("write-code", [])]


async def test_without_any_agent_planning_says_so() -> None:
    with pytest.raises(PlanningFailedError, match="no agent"):
        await plan("open http://a.b", ListCatalogue([]))


async def test_a_users_own_agent_wins_where_its_skill_clearly_fits() -> None:
    catalogue = ListCatalogue([*bundled(), TRANSLATOR, INVOICES])
    assert shape(await plan("Read the invoice at http://a.b/17: what are its total and its tax?", catalogue)) == [
        ("read-invoices", [])
    ]
    assert shape(await plan("Open http://a.b and get the main heading", catalogue)) == [("browse", [])]


async def test_a_users_own_skill_brings_its_verb() -> None:
    catalogue = ListCatalogue([*bundled(), TRANSLATOR])
    planned = await plan("Research retries in the documents and translate it to German", catalogue)
    assert shape(planned) == [("research", []), ("translate-text", [1])]


async def test_an_agent_with_another_skill_id_but_fitting_tags_takes_pages() -> None:
    other = Offer("id-of-surf", "Surf", "web-automation", "Web automation", "Drives pages.", ("browser", "web"))
    assert shape(await plan("open http://a.b and get the title", ListCatalogue([other]))) == [("web-automation", [])]


@pytest.mark.parametrize(
    ("text", "files", "expected"),
    [
        ("profile the file", ("a.csv",), [["a.csv"]]),
        ("what is in it?", ("a.csv",), [["a.csv"]]),
        ("summarize the pdf, then profile the csv", ("x.pdf", "y.csv"), [["x.pdf"], ["y.csv"]]),
        ("profile sales and research cats", ("sales.csv", "other.csv"), [["sales.csv"], []]),
        ("profile the second file", ("a.csv", "b.csv"), [["b.csv"]]),
        ("profile both files", ("a.csv", "b.csv"), [["a.csv", "b.csv"]]),
        ("compute 2 * 2, then show the top rows", ("a.csv",), [[], ["a.csv"]]),
        ("open http://a.b and get the title, then research cats", ("notes.md",), [[], ["notes.md"]]),
    ],
)
async def test_attached_files_go_to_the_parts_that_speak_of_them(
    text: str, files: tuple[str, ...], expected: list[list[str]]
) -> None:
    planned = await plan(text, files=files)
    assert [step.inputs.get("files", []) for step in planned.steps] == expected


HISTORY = {
    "csv": (("user", "profile a.csv"), ("assistant", "It has 3 rows.")),
    "chain": (("user", "profile a.csv"), ("assistant", "ok"), ("user", "same for b.csv"), ("assistant", "ok")),
    "first file": (("user", "profile the first file"), ("assistant", "ok")),
    "price": (("user", "What is the average price for Paris in sales.csv?"), ("assistant", "3")),
    "docs": (("user", "What do the documents say about retries?"), ("assistant", "Much.")),
    "page": (("user", "get the title of http://a.b"), ("assistant", "A")),
    "sum": (("user", "compute 2 * 20"), ("assistant", "40")),
    "quote": (("user", "verify that http://a.b shows 'Hello'"), ("assistant", "yes")),
}


@pytest.mark.parametrize(
    ("before", "text", "expected"),
    [
        ("csv", "do the same for b.csv", "profile b.csv"),
        ("csv", "Now do the same thing with b.csv, please", "profile b.csv"),
        ("csv", "again", "profile a.csv"),
        ("chain", "and for c.csv?", "profile c.csv"),
        ("chain", "once more", "profile b.csv"),
        ("first file", "do the same for the second file", "profile two.csv"),
        ("price", "and for Berlin?", "What is the average price for Berlin in sales.csv?"),
        ("docs", "what about timeouts?", "What do the documents say about timeouts?"),
        ("page", "again for http://c.d", "get the title of http://c.d"),
        ("sum", "and for 30?", "compute 2 * 30"),
        ("quote", "repeat that with 'Bye'", "verify that http://a.b shows 'Bye'"),
        (
            "csv",
            "same but for the big table of last year",
            "profile a.csv\n\nThis time for: the big table of last year",
        ),
    ],
)
async def test_a_follow_up_is_planned_as_what_it_stands_for(before: str, text: str, expected: str) -> None:
    planned = await plan(text, history=HISTORY[before], files=("one.csv", "two.csv"))
    assert planned.steps[0].instruction.rstrip() in {expected, f"{expected}."}


async def test_a_request_that_leans_on_the_answer_before_is_given_it() -> None:
    planned = await plan("summarize it in one sentence", history=HISTORY["csv"])
    assert 'The answer before:\n"""\nIt has 3 rows.\n"""' in planned.steps[0].instruction


async def test_without_history_a_follow_up_is_taken_as_it_is() -> None:
    assert (await plan("do the same for b.csv")).steps[0].instruction == "do the same for b.csv"


async def test_braces_in_a_request_are_plain_text_and_inputs_are_references() -> None:
    planned = await plan(
        "summarize {{ steps.x.output }}, {{ inputs.secret }} and {{ inputs.city }}", inputs={"city": "Rome"}
    )
    step = planned.steps[0]
    assert step.depends_on == []
    filled = fill(step.instruction, {Reference("input", "city"): "Rome"})
    assert filled == "summarize {{ steps.x.output }}, {{ inputs.secret }} and Rome"


async def test_a_label_made_from_braces_does_no_harm() -> None:
    planned = await plan("research {{ steps.step-9.output }}, then summarize the result")
    assert takes(planned.steps[1]) == ["step-9", "step-1"]
    assert planned.steps[1].depends_on == ["step-1"]


@pytest.mark.parametrize(
    ("text", "skills"),
    [
        (
            "Write a function that parses durations, test it, review it and document it.",
            ["write-code", "test-code", "review-code", "document-code"],
        ),
        (
            "Write a function with tests that parses durations, have it reviewed and documented",
            ["write-code", "review-code", "document-code"],
        ),
        ("write a Python function is_prime and run its tests", ["write-code", "test-code"]),
    ],
)
async def test_the_roles_of_a_software_engineer_are_steps_that_hand_files_on(text: str, skills: list[str]) -> None:
    planned = await plan(text, WITH_MODEL)

    assert [step.skill for step in planned.steps] == skills
    for before, step in itertools.pairwise(planned.steps):
        assert step.inputs["files"] == [f"{{{{ steps.{before.id}.artifacts.* }}}}"]
        assert before.id in step.depends_on


@pytest.mark.parametrize(
    ("text", "skill"),
    [
        ("test the attached module", "test-code"),
        ("run the tests of stats.py", "test-code"),
        ("Write tests for this function and run them:\n```python\ndef f(): pass\n```", "test-code"),
        ("review the code in stats.py", "review-code"),
        ("check stats.py for security problems", "review-code"),
        ("find bugs in stats.py", "review-code"),
        ("document stats.py", "document-code"),
        ("add docstrings to stats.py", "document-code"),
        ("run stats.py", "run-code"),
    ],
)
async def test_words_about_code_find_their_skill(text: str, skill: str) -> None:
    planned = await plan(text, files=("stats.py",))

    assert shape(planned) == [(skill, [])]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write it, have it reviewed and documented", "write it, review it and document it"),
        ("Get the code tested.", "test the code."),
        ('say "have it reviewed"', 'say "have it reviewed"'),
        ("I have it ready", "I have it ready"),
    ],
)
def test_what_one_has_done_is_asked_for(text: str, expected: str) -> None:
    assert in_active_voice(text) == expected
