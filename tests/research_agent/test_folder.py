"""Answers from the folder of documents: quoted word for word, cited, and always from what is there now."""

import os
import sqlite3
from pathlib import Path
from unicodedata import normalize

import pytest

from shared.errors import InvalidRequestError, NotFoundError
from tests.research_agent.asking import ask, make_settings, write_documents
from tests.research_agent.pdf import make_pdf

REFUNDS = """# Refund policy

We want you to be happy with what you buy.

## Period

You can return any item within 30 days of delivery. After that, refunds are at our discretion.

## How refunds are paid

Refunds are paid to the original card within 5 working days.
"""
RETRIES = """# Reliability

## Retries

A failed call is retried up to 4 times with exponential backoff.

## Timeouts

The default timeout is 10 seconds.
"""


@pytest.mark.parametrize(
    "request_text",
    [
        "find what the docs say about retries",
        "Research retries in the documents.",
        "Search the documents folder for retries and cite the sources, please",
        "How often is a failed call retried?",
    ],
)
async def test_an_answer_quotes_the_documents_with_citations(tmp_path: Path, request_text: str) -> None:
    write_documents(tmp_path, refunds=REFUNDS, guide__retries=RETRIES)

    outcome = await ask(make_settings(tmp_path), request_text)

    path = str(tmp_path / "docs" / "guide" / "retries.md")
    assert outcome.text == (
        "A failed call is retried up to 4 times with exponential backoff. [1]\n\n"
        f"Sources:\n[1] Reliability, {path}, line 5, Retries"
    )
    assert outcome.places == [{"number": 1, "title": "Reliability", "location": "line 5, Retries", "path": path}]
    assert outcome.progress[0].startswith(f"Searching the documents in {tmp_path / 'docs'} for: ")


async def test_the_passage_that_answers_comes_first(tmp_path: Path) -> None:
    write_documents(tmp_path, refunds=REFUNDS, retries=RETRIES)

    outcome = await ask(make_settings(tmp_path), "What is the refund period?")

    assert outcome.text.startswith("You can return any item within 30 days of delivery.")


async def test_each_part_of_a_question_is_answered_and_what_is_not_found_is_said(tmp_path: Path) -> None:
    write_documents(tmp_path, refunds=REFUNDS, retries=RETRIES)

    outcome = await ask(make_settings(tmp_path), "How are refunds paid and what is the timeout? Who won the world cup?")

    assert "paid to the original card" in outcome.text
    assert "The default timeout is 10 seconds." in outcome.text
    assert "Nothing was found about: won world cup." in outcome.text
    assert outcome.data["not_found"] == ["won world cup"]


async def test_pdf_html_and_text_are_searched_and_located(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "pump.pdf").write_bytes(make_pdf("Cover of the report.", "The pump weighs 7 kg."))
    (docs / "valve.html").write_text("<title>Valves</title><h1>Sizes</h1><p>The valve is 3 cm wide.</p>")
    (docs / "hose.txt").write_bytes("Größe\n\nThe hose is naïve.".encode("latin-1"))

    pump, valve, hose = [
        await ask(make_settings(tmp_path), f"What do the docs say about the {thing}?")
        for thing in ("pump", "valve", "hose")
    ]

    assert pump.text.startswith("The pump weighs 7 kg. [1]")
    assert pump.sources[0]["location"] == "page 2"
    assert valve.text.startswith("The valve is 3 cm wide. [1]")
    assert valve.sources[0]["location"] == "Sizes"
    assert hose.text.startswith("Größe\n\nThe hose is naïve. [1]")


async def test_nothing_relevant_fails_and_says_where_was_searched(tmp_path: Path) -> None:
    write_documents(tmp_path, refunds=REFUNDS, retries=RETRIES)

    with pytest.raises(NotFoundError, match=r"'What is the capital of France\?' was found in 2 documents in .*docs"):
        await ask(make_settings(tmp_path), "What is the capital of France?")


async def test_an_index_follows_the_folder(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    write_documents(tmp_path, one="The colour is red.")
    assert "red" in (await ask(settings, "Which colour?")).text

    write_documents(tmp_path, one="The colour is tan.", two="The flavour is mint.")
    assert "tan" in (await ask(settings, "Which colour?")).text
    assert "mint" in (await ask(settings, "Which flavour?")).text

    (tmp_path / "docs" / "one.md").unlink()
    with pytest.raises(NotFoundError):
        await ask(settings, "Which colour?")


async def test_a_file_changed_within_its_size_and_time_is_read_again(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    write_documents(tmp_path, one="The colour is red.")
    path = tmp_path / "docs" / "one.md"
    before = path.stat()
    await ask(settings, "Which colour?")

    path.write_text("The colour is tan.")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert "tan" in (await ask(settings, "Which colour?")).text


async def test_an_unchanged_file_is_not_read_again(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    write_documents(tmp_path, one="The colour is red.")
    await ask(settings, "Which colour?")
    with sqlite3.connect(tmp_path / "data" / "research.db") as index:
        index.execute("UPDATE passages SET text = 'The colour is that of the index.'")
        index.execute("UPDATE files SET read_at_ns = read_at_ns + 60000000000")  # as if it was not written just now
    index.close()

    assert (await ask(settings, "Which colour?")).text.startswith("The colour is that of the index.")


async def test_an_unreadable_file_is_named_and_the_rest_is_searched(tmp_path: Path) -> None:
    write_documents(tmp_path, good="The colour is red.", huge="colour " * 1000)
    broken = tmp_path / "docs" / "broken.pdf"
    broken.write_bytes(b"%PDF-1.4 rubbish")

    outcome = await ask(make_settings(tmp_path, research_max_file_mb=0.001), "Which colour?")

    assert outcome.text.startswith("The colour is red. [1]")
    assert f"{broken}: The document 'broken.pdf' is not a PDF that can be read" in outcome.text
    assert "huge.md: It is larger than RESEARCH_MAX_FILE_MB" in outcome.text


async def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    write_documents(tmp_path, inside="The colour is red.")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.md").write_text("The password is swordfish.")
    docs = tmp_path / "docs"
    (docs / "file.md").symlink_to(outside / "secret.md")
    (docs / "folder").symlink_to(outside)
    (docs / "loop.md").symlink_to(docs / "loop.md")
    (docs / ".hidden.md").write_text("The password is swordfish.")
    os.mkfifo(docs / "pipe.md")

    with pytest.raises(NotFoundError, match="1 document in"):
        await ask(make_settings(tmp_path), "What is the password?")


async def test_links_within_the_folder_are_followed(tmp_path: Path) -> None:
    hidden = tmp_path / "docs" / "..data"
    hidden.mkdir(parents=True)
    (hidden / "one.md").write_text("The colour is red.")
    (tmp_path / "docs" / "one.md").symlink_to(Path("..data", "one.md"))

    outcome = await ask(make_settings(tmp_path), "Which colour?")

    assert outcome.sources[0]["path"] == str(tmp_path / "docs" / "one.md")


async def test_copies_of_a_document_are_quoted_once(tmp_path: Path) -> None:
    write_documents(tmp_path, one=RETRIES, two=RETRIES, three=RETRIES)

    outcome = await ask(make_settings(tmp_path), "How many retries?")

    assert outcome.text.count("A failed call") == 1


async def test_a_missing_folder_names_its_setting(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"The documents folder '.*docs' does not exist; set RESEARCH_DOCUMENTS"):
        await ask(make_settings(tmp_path), "Which colour?")


@pytest.mark.parametrize("text", ["", " \n ", "???", "the of and"])
async def test_a_request_without_a_question_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidRequestError, match="does not say what to find out"):
        await ask(make_settings(tmp_path), text)


async def test_a_misspelt_word_is_looked_for_as_the_documents_spell_it(tmp_path: Path) -> None:
    write_documents(tmp_path, retries=RETRIES)

    outcome = await ask(make_settings(tmp_path), "What is the default timout?")

    assert outcome.text.startswith("The default timeout is 10 seconds. [1]")
    assert "searched instead: 'timeout' for 'timout'" in outcome.text
    assert outcome.data["queries"] == ["default timout", "default timeout"]


@pytest.mark.parametrize("question", ["What is the reimbursement guideline?", "reimbursement for customers"])
async def test_words_that_only_a_title_has_are_found(tmp_path: Path, question: str) -> None:
    guideline = "# Reimbursement guideline\n\nCustomers may send back goods within 30 days."
    write_documents(tmp_path, returns=guideline, shipping="# Shipping\n\nCustomers pay 5 dollars.")
    outcome = await ask(make_settings(tmp_path), question)

    assert outcome.text.startswith("Customers may send back goods within 30 days. [1]")


async def test_a_text_without_spaces_between_words_is_found(tmp_path: Path) -> None:
    write_documents(tmp_path, returns="返品は商品到着後三十日以内に可能です。", other="配送は二日です。")

    outcome = await ask(make_settings(tmp_path), "返品は可能ですか")

    assert outcome.text.startswith("返品は商品到着後三十日以内に可能です。 [1]")


async def test_one_round_does_not_look_again(tmp_path: Path) -> None:
    write_documents(tmp_path, retries=RETRIES)

    with pytest.raises(NotFoundError):
        await ask(make_settings(tmp_path, research_max_rounds=1), "What is the timout?")


async def test_a_broken_index_is_made_anew(tmp_path: Path) -> None:
    write_documents(tmp_path, retries=RETRIES)
    settings = make_settings(tmp_path)
    await ask(settings, "How many retries?")
    (tmp_path / "data" / "research.db").write_bytes(b"this is not a database at all" * 1000)

    assert "retried up to 4 times" in (await ask(settings, "How many retries?")).text


async def test_another_folder_replaces_the_first(tmp_path: Path) -> None:
    write_documents(tmp_path, retries=RETRIES)
    await ask(make_settings(tmp_path), "How many retries?")
    other = tmp_path / "other"
    other.mkdir()
    (other / "one.md").write_text("The colour is red.")
    settings = make_settings(tmp_path, research_documents=other)

    assert "red" in (await ask(settings, "Which colour?")).text
    with pytest.raises(NotFoundError):
        await ask(settings, "How many retries?")


async def test_earlier_results_in_the_request_are_a_source(tmp_path: Path) -> None:
    write_documents(tmp_path, retries=RETRIES)
    text = "What is the warranty of the pump?\n\nThe earlier step found: the pump has a warranty of 7 years."

    outcome = await ask(make_settings(tmp_path), text)

    assert outcome.text.startswith("The earlier step found: the pump has a warranty of 7 years. [1]")
    assert outcome.sources[0]["title"] == "Text in the request"


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("धनवापसी की अवधि क्या है?", "धनवापसी की अवधि तीस दिन है।"),
        ("பணத்தைத் திரும்பப் பெறும் காலம் என்ன?", "பணத்தைத் திரும்பப் பெறும் காலம் முப்பது நாட்கள்."),
        ("ระยะเวลาคืนเงินคือเท่าไร", "ระยะเวลาคืนเงินคือสามสิบวัน"),
        ("返金期間は何日ですか", "返金期間は三十日です。"),
        ("Wie lang ist die Kündigungsfrist?", normalize("NFD", "Die Kündigungsfrist beträgt drei Monate.")),
        ("ما هي مدة إرجاع المنتج؟", "يمكن إرجاع المنتجات خلال مدّة ثلاثين يومًا."),
        ("ما هي ساعات العمل؟", "ساعات العمل من التاسعة إلى الخامسة."),
        ("سياسة الارجاع", "سياسةُ الإرجاع ثلاثون يوماً."),
        ("¿Cuál es el plazo de devolución?", "El plazo de devolución es de treinta días."),
    ],
)
async def test_words_are_found_in_the_scripts_of_their_languages(tmp_path: Path, question: str, said: str) -> None:
    write_documents(
        tmp_path,
        rules=f"# Rules\n\n{said}",
        other="# कुछ और\n\nकार्यालय सुबह नौ बजे खुलता है। சனிக்கிழமை மூடப்படும். ร้านเปิดทุกวัน 営業時間は九時です。",
    )
    outcome = await ask(make_settings(tmp_path), question)
    assert outcome.text.startswith(f"{normalize('NFC', said)} [1]")
    assert len(outcome.sources) == 1


@pytest.mark.parametrize("tag", ["li", "td", "h2"])
async def test_a_page_with_a_character_that_is_none_does_not_stop_the_search(tmp_path: Path, tag: str) -> None:
    write_documents(tmp_path, ferries="# Ferries\n\nFerries leave every hour.")
    paragraphs = "<p>This paragraph tells in some detail how refunds are handled.</p>" * 60
    odd = f"<html><body><div>{paragraphs}<{tag}>Harbour&#xFFFE;master</{tag}></div></body></html>"
    (tmp_path / "docs" / "odd.html").write_text(odd)
    outcome = await ask(make_settings(tmp_path), "When do ferries leave, say the docs?")
    assert "Ferries leave every hour." in outcome.text
    assert outcome.data["problems"] == []
    assert (
        "how refunds are handled" in (await ask(make_settings(tmp_path), "How are refunds handled, say the docs?")).text
    )


@pytest.mark.parametrize("line", [".", "A. ", "**a ", "__a ", "---x", " |", "x ** __ ", "#" + " " * 99], ids=repr)
async def test_a_document_of_one_endless_line_holds_nobody_up(tmp_path: Path, line: str) -> None:
    """Anything quadratic would exceed the suite's time limit."""
    endless = (line * 1_000_000)[:1_000_000]
    write_documents(tmp_path, a=f"# A\n\n{endless}x", b=f"# B {' ' * 1_000_000}b", c=f"# C\n\n{' ' * 1_000_000}x")
    write_documents(tmp_path, ferries="# Ferries in C# ##\n\nFerries leave every hour.")
    outcome = await ask(make_settings(tmp_path), "When do ferries leave, say the docs?")
    assert "Ferries leave every hour." in outcome.text
    assert outcome.sources[0]["title"] == "Ferries in C#"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The refund period of the Zeta phone is 30 days.", "The refund period of the Zeta phone is 14 days."),
        ("The warranty of the Zeta phone is two years.", "The warranty of the Zeta phone is one year only."),
        ("The Zeta phone is waterproof.", "The Zeta phone isn't waterproof."),
    ],
)
async def test_sources_that_contradict_each_other_are_both_quoted(tmp_path: Path, one: str, other: str) -> None:
    write_documents(tmp_path, one=f"# Shop\n\n{one}", other=f"# Store\n\n{other}", same=f"# Market\n\n{one}")
    question = "What do the docs say of the Zeta phone, its warranty, its refund period, and is it waterproof?"
    outcome = await ask(make_settings(tmp_path), question)
    assert one in outcome.text
    assert other in outcome.text
    assert len(outcome.sources) == 2
