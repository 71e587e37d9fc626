"""Questions that no ranking was tuned on, about the documentation of Python, PostgreSQL and Git.

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
    (
        "How do I check whether an IP address lies in a certain network?",
        (
            "library/ipaddress",
            "howto/ipaddress",
        ),
    ),
    (
        "How do I make sure that a file is closed even when an exception is raised?",
        ("library/contextlib", "reference/compound_stmts", "tutorial/inputoutput", "tutorial/errors"),
    ),
    (
        "How do I count how often each word occurs?",
        (
            "library/collections",
            "tutorial/datastructures",
            "howto/regex",
        ),
    ),
    (
        "How can my program react when somebody presses Ctrl-C?",
        ("library/signal", "library/exceptions", "tutorial/errors", "library/asyncio-runner"),
    ),
    ("How do I make a deep duplicate of nested lists?", ("library/copy",)),
    (
        "How do I fetch a web page and send some form fields to it?",
        ("library/urllib.request", "howto/urllib2", "library/http.client"),
    ),
    (
        "How do I turn an object into a byte stream and later get it back?",
        (
            "library/pickle",
            "library/marshal",
        ),
    ),
    (
        "How do I define a fixed set of named constants?",
        (
            "library/enum",
            "howto/enum",
        ),
    ),
    (
        "How do I give a folder its own set of installed packages?",
        ("library/venv", "tutorial/venv", "installing/index"),
    ),
    (
        "How do I stop a thread from changing a value while another one reads it?",
        ("library/threading", "library/asyncio-sync", "library/multiprocessing"),
    ),
    ("How do I get a unique identifier that no other machine makes?", ("library/uuid",)),
    (
        "How do I run examples that stand in docstrings as checks?",
        (
            "library/doctest",
            "library/unittest",
        ),
    ),
)

POSTGRESQL: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (
        "How do I copy a whole database to another machine as a script of commands?",
        ("app-pgdump", "backup-dump", "app-pg-dumpall"),
    ),
    ("How do I let a client in only from certain addresses?", ("auth-pg-hba-conf",)),
    (
        "Why does my query not use the index that I made?",
        (
            "indexes-examine",
            "using-explain",
        ),
    ),
    (
        "How do I see the plan that a query is run by, and how long each part took?",
        (
            "using-explain",
            "sql-explain",
        ),
    ),
    (
        "How do I get rid of the space that deleted rows still take up?",
        (
            "routine-vacuuming",
            "sql-vacuum",
        ),
    ),
    (
        "How do I insert a row, or change the one that is already there with the same key?",
        (
            "sql-insert",
            "sql-merge",
        ),
    ),
    (
        "How do I keep a table on a different disk?",
        (
            "manage-ag-tablespaces",
            "sql-createtablespace",
        ),
    ),
    (
        "How do users see only those rows that belong to them?",
        (
            "ddl-rowsecurity",
            "sql-createpolicy",
        ),
    ),
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
    (
        "How do I number the rows of each group, or sum up to the current one?",
        (
            "tutorial-window",
            "functions-window",
        ),
    ),
    (
        "How do I load a big file of values into a table fast?",
        (
            "populate",
            "sql-copy",
        ),
    ),
    (
        "How do I tell other connected programs that something has changed?",
        ("sql-notify", "sql-listen", "libpq-notify"),
    ),
    ("How do I return to the state of the data at a certain minute of yesterday?", ("continuous-archiving",)),
    ("How do I follow a tree of rows from parent to children in one query?", ("queries-with",)),
    (
        "How do I find names that are spelled similarly?",
        (
            "pgtrgm",
            "fuzzystrmatch",
        ),
    ),
    ("Which settings decide how much memory a sort may take?", ("runtime-config-resource",)),
    (
        "How do I run some code whenever a row is changed?",
        ("sql-createtrigger", "triggers", "trigger-definition", "plpgsql-trigger"),
    ),
    ("How do I keep passwords of many servers in a file, so that I am not asked?", ("libpq-pgpass",)),
    (
        "How do I keep a second server ready to take over when the first one fails?",
        (
            "warm-standby",
            "warm-standby-failover",
            "high-availability",
            "hot-standby",
            "different-replication-solutions",
        ),
    ),
    (
        "How do I store documents with arbitrary keys and look into them?",
        (
            "datatype-json",
            "functions-json",
            "hstore",
        ),
    ),
    (
        "How do I give each new row the next number by itself?",
        ("sql-createsequence", "datatype-numeric", "sql-createtable", "functions-sequence"),
    ),
    (
        "How do I forbid negative prices in a column?",
        (
            "ddl-constraints",
            "sql-createtable",
        ),
    ),
    (
        "How do I save the result of an expensive query and bring it up to date now and then?",
        ("rules-materializedviews", "sql-creatematerializedview", "sql-refreshmaterializedview"),
    ),
    (
        "How do I undo only a part of what a transaction has done?",
        ("sql-savepoint", "sql-rollback-to", "tutorial-transactions"),
    ),
    (
        "How do I combine the rows of two tables that have a value in common?",
        ("tutorial-join", "queries-table-expressions", "sql-select"),
    ),
    (
        "How do I move to the next major release of the server?",
        (
            "upgrading",
            "pgupgrade",
        ),
    ),
    (
        "Which statements take the most time in all?",
        ("pgstatstatements", "auto-explain", "monitoring-stats", "runtime-config-logging"),
    ),
    (
        "How do I read a table that lies on another server?",
        ("postgres-fdw", "dblink", "ddl-foreign-data", "sql-createforeigntable"),
    ),
)

GIT: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("How do I put my unfinished changes aside and bring them back later?", ("git-stash",)),
    (
        "How do I find the change that brought in a bug by halving the range?",
        (
            "git-bisect",
            "git-bisect-lk2009",
        ),
    ),
    (
        "Who wrote each line of this file?",
        (
            "git-blame",
            "git-annotate",
        ),
    ),
    (
        "How do I take a single change from another line of development over to mine?",
        ("git-cherry-pick", "gittutorial", "everyday", "giteveryday"),
    ),
    (
        "How do I get back something that I lost after throwing away the latest changes?",
        ("git-reflog", "git-reset", "git-fsck", "gitfaq"),
    ),
    (
        "How do I keep build results and backups of my editor from being listed?",
        (
            "gitignore",
            "git-status",
        ),
    ),
    (
        "How do I run a check of my own before every commit?",
        (
            "githooks",
            "git-hook",
            "git-commit",
        ),
    ),
    ("How do I have several branches checked out at once, each in its own folder?", ("git-worktree",)),
    ("How do I delete files that are not under version control?", ("git-clean",)),
    (
        "How do I sign what I release, so that others can be sure it is mine?",
        ("git-tag", "gitformat-signature", "git-verify-tag"),
    ),
    (
        "How do I include another project at a fixed version below my own?",
        ("git-submodule", "gitsubmodules", "gitmodules"),
    ),
    ("How do I reorder, squash or drop my latest commits?", ("git-rebase",)),
    ("How do I search for a word in all tracked files?", ("git-grep",)),
    ("How do I pack a snapshot of the sources without the history?", ("git-archive",)),
    (
        "How do I carry commits to a machine that has no network?",
        (
            "git-bundle",
            "gitformat-bundle",
        ),
    ),
    (
        "How do I undo a change that was published already, without rewriting the past?",
        ("git-revert", "git-reset", "gitfaq"),
    ),
    (
        "How do I avoid typing my password at each push?",
        ("gitcredentials", "git-credential-cache", "git-credential-store", "git-credential", "gitfaq"),
    ),
    (
        "How do I mail my patches to a list?",
        ("git-send-email", "git-format-patch", "git-imap-send", "MyFirstContribution", "SubmittingPatches"),
    ),
    (
        "How do I make the repository smaller and faster?",
        (
            "git-gc",
            "git-repack",
            "git-maintenance",
            "git-prune",
        ),
    ),
    (
        "How do I fetch only the newest commits, without what came long before?",
        ("git-clone", "git-fetch", "git-fetch-pack"),
    ),
)
