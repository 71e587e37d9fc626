"""Thirty questions about Python's documentation, in words that the titles of the right pages do not use.

They were written before any ranking was looked at; a page that answers as well is right too.
"""

from typing import Final

QUESTIONS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("How can I keep a dictionary of arbitrary values on disk between two runs?", ("library/shelve",)),
    (
        "How do I spread number crunching over all cores of the machine?",
        ("library/multiprocessing", "library/concurrent.futures"),
    ),
    ("How do I parse a timestamp that somebody typed, by a given pattern?", ("library/datetime", "library/time")),
    ("How can a function remember earlier results, so that nothing is computed again?", ("library/functools",)),
    ("How do I draw several lottery winners from a list without picking anybody twice?", ("library/random",)),
    ("How do I make a password reset link that nobody can guess?", ("library/secrets",)),
    ("How do I send an e-mail through a mail server that wants a login?", ("library/smtplib",)),
    ("How do I undo percent escapes such as %20 in a web address?", ("library/urllib.parse",)),
    ("How can I see which functions of my program take most of the time?", ("library/profile",)),
    ("How do I find the lines of code that use up the most RAM?", ("library/tracemalloc",)),
    (
        "How do I stop at a breakpoint, look at variables and go on line by line?",
        ("library/pdb",),
    ),
    ("How do I read an INI file with sections in square brackets?", ("library/configparser",)),
    ("How can I compare two texts and show which lines were added or removed?", ("library/difflib",)),
    ("How do I add up amounts of money without rounding errors?", ("library/decimal",)),
    (
        "How do I wait until any one of many sockets has something to read?",
        ("library/selectors", "library/select"),
    ),
    (
        "How do I show the messages of my program in the language of the user?",
        ("library/gettext", "library/i18n"),
    ),
    ("How do I run another command and capture what it prints?", ("library/subprocess",)),
    (
        "How do I get a constructor and a repr for a class just by listing its fields with their types?",
        ("library/dataclasses",),
    ),
    ("How do I keep a list sorted while I insert into it?", ("library/bisect",)),
    ("How do I get the ten largest entries of a huge collection without sorting it all?", ("library/heapq",)),
    (
        "How do I read records of integers and floats that a C program wrote to a file?",
        ("library/struct", "library/array", "library/ctypes"),
    ),
    ("How do I assert that calling something raises the right exception?", ("library/unittest",)),
    (
        "How do I replace a part of the system by a fake while I check my code?",
        ("library/unittest.mock", "library/unittest.mock-examples"),
    ),
    (
        "How do I hand jobs from producers to consumers safely between threads?",
        ("library/queue", "library/asyncio-queue"),
    ),
    ("How do I get a scratch folder that is deleted when I am done?", ("library/tempfile",)),
    (
        "How do I pack a whole folder into one compressed archive?",
        ("library/shutil", "library/zipfile", "library/tarfile"),
    ),
    ("How do I call a routine of a DLL that was written in C, without a compiler?", ("library/ctypes",)),
    ("How can a program find out which parameters a callable takes?", ("library/inspect",)),
    (
        "How do I strip accents, such as turning é into e?",
        ("library/unicodedata", "howto/unicode", "library/codecs"),
    ),
    (
        "Why is my default list shared between calls?",
        ("faq/programming", "tutorial/controlflow", "reference/compound_stmts"),
    ),
)
