"""Questions that no ranking was tuned on, about Python's documentation and about PostgreSQL's.

They and what counts as right were written before any answer was looked at; they stay as they are.
"""

from typing import Final

PYTHON: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (
        "How do I turn bytes into text that survives in a mail or a URL, and back?",
        ("library/base64", "library/binascii"),
    ),
    ("How can I run some clean-up code when the interpreter quits?", ("library/atexit",)),
    (
        "How do I walk through two sequences in step, or get all combinations of their elements?",
        ("library/itertools", "library/functions"),
    ),
    ("How do I read a spreadsheet that was exported as comma separated values?", ("library/csv",)),
    (
        "How do I give my command line program options and a help text?",
        ("library/argparse", "howto/argparse", "library/optparse", "library/getopt"),
    ),
    (
        "How can I write messages of different severity into a file that is rotated every day?",
        ("library/logging.handlers", "library/logging", "howto/logging", "howto/logging-cookbook"),
    ),
    (
        "How do I find all files below a folder whose names end in .txt?",
        ("library/glob", "library/pathlib", "library/os", "library/fnmatch"),
    ),
    ("How do I ask for a passphrase without showing what is typed?", ("library/getpass",)),
    ("How do I check that a downloaded file was not changed, by its digest?", ("library/hashlib",)),
    ("How do I keep a reference to an object without keeping it alive?", ("library/weakref",)),
    ("How do I fit a long paragraph into lines of at most seventy characters?", ("library/textwrap",)),
    ("How long does a small piece of code take to execute?", ("library/timeit",)),
    ("How do I store rows in a small database that is a single file, without a server?", ("library/sqlite3",)),
    (
        "How do I convert an hour in Tokyo to the local hour in New York, daylight saving included?",
        ("library/zoneinfo", "library/datetime"),
    ),
    ("How do I split a shell command line into its words, quotes respected?", ("library/shlex",)),
    ("How do I compute the median and the standard deviation of some numbers?", ("library/statistics",)),
    ("How do I calculate exactly with one third and other ratios?", ("library/fractions",)),
    ("How do I order jobs so that each one comes after those it depends on?", ("library/graphlib",)),
    ("How do I check whether an IP address lies in a certain network?", ("library/ipaddress", "howto/ipaddress")),
    (
        "How do I make sure that a file is closed even when an exception is raised?",
        ("library/contextlib", "reference/compound_stmts", "tutorial/inputoutput", "tutorial/errors"),
    ),
)

POSTGRESQL: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (
        "How do I copy a whole database to another machine as a script of commands?",
        ("app-pgdump", "backup-dump", "app-pg-dumpall"),
    ),
    ("How do I let a client in only from certain addresses?", ("auth-pg-hba-conf",)),
    ("Why does my query not use the index that I made?", ("indexes-examine", "using-explain")),
    ("How do I see the plan that a query is run by, and how long each part took?", ("using-explain", "sql-explain")),
    ("How do I get rid of the space that deleted rows still take up?", ("routine-vacuuming", "sql-vacuum")),
    ("How do I insert a row, or change the one that is already there with the same key?", ("sql-insert", "sql-merge")),
    ("How do I keep a table on a different disk?", ("manage-ag-tablespaces", "sql-createtablespace")),
    ("How do users see only those rows that belong to them?", ("ddl-rowsecurity", "sql-createpolicy")),
    ("How do I split a huge table into smaller pieces by month?", ("ddl-partitioning",)),
    (
        "How do I find words in long texts whatever their grammatical form?",
        (
            "textsearch-intro",
            "textsearch-controls",
            "textsearch-tables",
            "textsearch",
            "textsearch-dictionaries",
            "datatype-textsearch",
        ),
    ),
    ("How can two sessions wait for each other for ever, and what happens then?", ("explicit-locking",)),
    ("How do I number the rows of each group, or sum up to the current one?", ("tutorial-window", "functions-window")),
    ("How do I load a big file of values into a table fast?", ("populate", "sql-copy")),
    (
        "How do I tell other connected programs that something has changed?",
        ("sql-notify", "sql-listen", "libpq-notify"),
    ),
    ("How do I return to the state of the data at a certain minute of yesterday?", ("continuous-archiving",)),
    ("How do I follow a tree of rows from parent to children in one query?", ("queries-with",)),
    ("How do I find names that are spelled similarly?", ("pgtrgm", "fuzzystrmatch")),
    ("Which settings decide how much memory a sort may take?", ("runtime-config-resource",)),
    (
        "How do I run some code whenever a row is changed?",
        ("sql-createtrigger", "triggers", "trigger-definition", "plpgsql-trigger"),
    ),
    ("How do I keep passwords of many servers in a file, so that I am not asked?", ("libpq-pgpass",)),
)
