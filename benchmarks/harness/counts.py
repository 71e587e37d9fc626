"""What a profiled process has counted, as it tells it over HTTP, and the difference between two such counts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Function:
    """How often a function was called, and its CPU time: its own, and with all it called. In seconds."""

    calls: int
    own_s: float
    total_s: float

    def plus(self, other: "Function", sign: int = 1) -> "Function":
        """Return both together; with `sign` -1, the difference."""
        return Function(
            self.calls + sign * other.calls, self.own_s + sign * other.own_s, self.total_s + sign * other.total_s
        )


@dataclass(frozen=True, slots=True)
class Transactions:
    """How many pieces of transactions there were, with how many statements, and their CPU time, SQLite's included."""

    count: int
    statements: int
    cpu_s: float

    def plus(self, other: "Transactions", sign: int = 1) -> "Transactions":
        """Return both together; with `sign` -1, the difference."""
        return Transactions(
            self.count + sign * other.count,
            self.statements + sign * other.statements,
            self.cpu_s + sign * other.cpu_s,
        )


@dataclass(frozen=True, slots=True)
class Counts:
    """Functions by "thread|file:line name", pieces of transactions by the function that they serve."""

    functions: dict[str, Function]
    transactions: dict[str, Transactions]

    def since(self, before: "Counts") -> "Counts":
        """Return what was counted after `before`."""
        no_call, none = Function(0, 0.0, 0.0), Transactions(0, 0, 0.0)
        functions = {key: found.plus(before.functions.get(key, no_call), -1) for key, found in self.functions.items()}
        transactions = {
            key: found.plus(before.transactions.get(key, none), -1) for key, found in self.transactions.items()
        }
        return Counts(
            {key: found for key, found in functions.items() if found.calls or found.own_s > 0},
            {key: found for key, found in transactions.items() if found.count},
        )
