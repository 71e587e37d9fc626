"""The orchestrator, with its work counted: transactions, statements and, if asked, every function of every thread.

Run in place of `orchestrator_service.main`. `POST /benchmark/marks` keeps the counts as they are, `GET` answers all
that were kept. With BENCHMARK_FUNCTIONS=1 cProfile runs in every thread, on a CPU clock, and makes it all two to three
times slower: shares and counts are right then, times are not.
"""

import cProfile
import inspect
import os
import sys
import sysconfig
import threading
import time
from collections import defaultdict
from types import CellType, CodeType, FrameType, FunctionType
from typing import Final

from fastapi import FastAPI
from sqlalchemy import Engine, event

from benchmarks.harness.counts import Counts, Function, Transactions
from benchmarks.harness.processes import PROJECT
from orchestrator_service import main as orchestrator
from orchestrator_service.settings import Settings
from shared import service

_DATABASE: Final = str(PROJECT / "shared" / "db.py")
_PACKAGES: Final = sysconfig.get_path("purelib") + "/"
_STANDARD: Final = sysconfig.get_path("stdlib") + "/"


class Profiler:
    """Counts from `install` on. `marks` are the counts that were kept."""

    def __init__(self) -> None:
        self.marks: list[Counts] = []
        self._profiles: list[tuple[str, cProfile.Profile]] = []
        self._transactions: defaultdict[str, Transactions] = defaultdict(lambda: Transactions(0, 0, 0.0))
        self._open = threading.local()

    def install(self, *, functions: bool) -> None:
        """Count transactions; with `functions`, profile this thread and every one that starts from now on."""
        event.listen(Engine, "begin", self._on_begin)
        event.listen(Engine, "before_cursor_execute", self._on_statement)
        event.listen(Engine, "commit", self._on_commit)
        if not functions:
            return
        if sys.version_info < (3, 12):  # from then on only one thread of a process can be profiled
            threading.setprofile(self._on_thread)
        self._enable("event loop")

    def mark(self) -> None:
        """Keep the counts as they are now."""
        self.marks.append(self._counts())

    def _counts(self) -> Counts:
        functions: dict[str, Function] = {}
        for thread, profile in self._profiles:
            for entry in profile.getstats():
                key = f"{thread}|{_name(entry.code)}"
                more = Function(entry.callcount, entry.inlinetime, entry.totaltime)
                functions[key] = functions[key].plus(more) if key in functions else more
        return Counts(functions, dict(self._transactions))

    def _on_thread(self, _frame: FrameType, _event: str, _argument: object) -> None:
        sys.setprofile(None)
        self._enable(threading.current_thread().name.rstrip("0123456789_-"))

    def _enable(self, thread: str) -> None:
        profile = cProfile.Profile(time.thread_time)
        self._profiles.append((thread, profile))
        profile.enable()

    def _on_begin(self, *_: object) -> None:
        self._open.statements = 0
        self._open.began = time.thread_time()

    def _on_statement(self, *_: object) -> None:
        self._open.statements += 1

    def _on_commit(self, *_: object) -> None:
        took_s = time.thread_time() - self._open.began
        who = _who_asked()
        self._transactions[who] = self._transactions[who].plus(Transactions(1, self._open.statements, took_s))


def _who_asked() -> str:
    """Return whose statement it is: the function that `Database.write` or `read` runs, or the library's."""
    frame: FrameType | None = inspect.currentframe()
    inner = ""
    while frame is not None:
        code = frame.f_code
        if code.co_filename == _DATABASE and code.co_name == "_transaction":
            work = _innermost(frame.f_locals.get("work"))
            module = getattr(work, "__module__", "").rpartition(".")[2]
            kind = "write" if frame.f_locals.get("changes", False) else "read"
            return f"ours, {kind}: {module}.{getattr(work, '__qualname__', '?')}"
        if "/dbos/" in code.co_filename and code.co_filename.endswith(("_sys_db.py", "_sys_db_sqlite.py")):
            inner = code.co_name if not code.co_name.startswith(("db_", "wrapper", "<")) else inner
        frame = frame.f_back
    return f"DBOS: {inner}" if inner else "other"


def _innermost(work: object) -> object:
    """Return the function that stands in a module, if `work` is one made on the spot around it."""
    while "<locals>" in getattr(work, "__qualname__", ""):
        cells: tuple[CellType, ...] = getattr(work, "__closure__", None) or ()
        wrapped = [cell.cell_contents for cell in cells if isinstance(cell.cell_contents, FunctionType)]
        if not wrapped:
            break
        work = wrapped[0]
    return work


def _name(code: CodeType | str) -> str:
    if isinstance(code, str):
        return code
    path = code.co_filename
    for root in (f"{PROJECT}/", _PACKAGES, _STANDARD):
        if path.startswith(root):
            path = path.removeprefix(root)
            break
    return f"{path}:{code.co_firstlineno} {code.co_name}"


def create(settings: Settings, profiler: Profiler) -> FastAPI:
    """Return the orchestrator's app, with the marks' two routes."""
    app = orchestrator.create(settings)

    @app.post("/benchmark/marks", status_code=204)
    async def mark() -> None:  # pyright: ignore[reportUnusedFunction] - the decorator keeps it
        profiler.mark()

    @app.get("/benchmark/marks")
    async def show() -> list[Counts]:  # pyright: ignore[reportUnusedFunction] - the decorator keeps it
        return profiler.marks

    return app


def main() -> None:
    """Serve until told to stop."""
    profiler = Profiler()
    profiler.install(functions=os.environ.get("BENCHMARK_FUNCTIONS") == "1")
    settings = Settings()
    service.run(lambda: create(settings, profiler), settings, "orchestrator")


if __name__ == "__main__":
    main()
