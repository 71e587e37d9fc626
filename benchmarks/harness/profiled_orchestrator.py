"""The orchestrator, with its work counted: writes and reads, statements and, if asked, every function.

Run in place of `orchestrator_service.main`. `POST /benchmark/marks` keeps the counts as they are, `GET` answers all
that were kept. With BENCHMARK_FUNCTIONS=1 cProfile runs in every thread, on a CPU clock, and makes it all two to three
times slower: shares and counts are right then, times are not.
"""

import cProfile
import os
import sys
import sysconfig
import threading
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from types import CellType, CodeType, FrameType, FunctionType, MethodType
from typing import Final, TypeAlias, cast

from fastapi import FastAPI

from benchmarks.harness.counts import Counts, Function, Transactions
from benchmarks.harness.processes import PROJECT
from orchestrator_service import main as orchestrator
from orchestrator_service.settings import Settings
from shared import service
from shared.db import Database
from shared.prepared import PreparedConnection

_PACKAGES: Final = sysconfig.get_path("purelib") + "/"
_STANDARD: Final = sysconfig.get_path("stdlib") + "/"


_Work: TypeAlias = Callable[..., object]
_Run: TypeAlias = Callable[..., Awaitable[object]]


class Profiler:
    """Counts from `install` on. `marks` are the counts that were kept."""

    def __init__(self) -> None:
        self.marks: list[Counts] = []
        self._profiles: list[tuple[str, cProfile.Profile]] = []
        self._transactions: defaultdict[str, Transactions] = defaultdict(lambda: Transactions(0, 0, 0.0))
        self._open = threading.local()
        self._counting = threading.Lock()

    def install(self, *, functions: bool) -> None:
        """Count transactions; with `functions`, profile this thread and every one that starts from now on."""
        setattr(PreparedConnection, "execute", self._counted_statement(PreparedConnection.execute))  # noqa: B010
        for kind in ("write", "write_ahead", "read"):
            setattr(Database, kind, self._counted(getattr(Database, kind), kind.partition("_")[0]))
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

    def _counted_statement(self, execute: _Work) -> _Work:
        def counting(*args: object, **kwargs: object) -> object:
            self._open.statements = getattr(self._open, "statements", 0) + 1
            return execute(*args, **kwargs)

        return counting

    def _counted(self, run: _Run, kind: str) -> _Run:
        """Return what does the same as a method of `Database`, and counts the work that it is given."""

        async def counting(database: Database, work: _Work, *args: object, **kwargs: object) -> object:
            return await run(database, self._counted_work(work, kind), *args, **kwargs)

        return counting

    def _counted_work(self, work: _Work, kind: str) -> _Work:
        found = _innermost(work)
        who = f"{kind}: {found.__module__.rpartition('.')[2]}.{found.__qualname__}"

        def counting(*args: object, **kwargs: object) -> object:
            self._open.statements, began = 0, time.thread_time()
            try:
                return work(*args, **kwargs)
            finally:
                self._count(who, Transactions(1, self._open.statements, time.thread_time() - began))

        return counting

    def _count(self, who: str, more: Transactions) -> None:
        with self._counting:
            self._transactions[who] = self._transactions[who].plus(more)


def _innermost(work: _Work) -> FunctionType | MethodType:
    """Return the function that stands in a module, if `work` is one made on the spot around it."""
    found = cast("FunctionType | MethodType", work)
    while "<locals>" in found.__qualname__ and isinstance(found, FunctionType):
        cells: tuple[CellType, ...] = found.__closure__ or ()
        wrapped = [cell.cell_contents for cell in cells if isinstance(cell.cell_contents, FunctionType | MethodType)]
        if not wrapped:
            break
        found = wrapped[0]
    return found


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
