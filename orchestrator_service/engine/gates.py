"""What stands between a worker and each agent: places, so that no agent gets too many calls at once (a bulkhead), a
rest for agents that keep failing (a circuit breaker), and a budget of retries.

Each process has its own: what one of them learns about an agent, the others learn by themselves.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine
from typing import Final, Literal, TypeAlias

State: TypeAlias = Literal["closed", "open", "half-open"]

_MOST_GATES: Final = 10_000

_MOST_FAILURES_IN_A_ROW: Final = 5
_JUDGED_CALLS: Final = 20
_FEWEST_JUDGED_CALLS: Final = 10
_FIRST_REST_S: Final = 5.0
_LONGEST_REST_S: Final = 60.0

# The retry budget counts fifths of a token: each first call brings one, each retry takes five.
_FULL_BUDGET: Final = 50
_PRICE_OF_RETRY: Final = 5


class Gates:
    """The gates of all agents. One that nobody passes is forgotten when there are very many."""

    def __init__(self, *, places: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`places` is how many calls an agent gets at once if it says nothing else; `clock` gives seconds."""
        self._places = places
        self._clock = clock
        self._gates: OrderedDict[str, Gate] = OrderedDict()
        self._troubled: dict[str, Gate] = {}

    def gate(self, agent_id: str) -> "Gate":
        """Return the agent's gate."""
        gate = self._gates.get(agent_id)
        if gate is None:
            gate = self._gates[agent_id] = Gate(agent_id, self._places, self._clock, self._troubled)
            self._forget_one()
        else:
            self._gates.move_to_end(agent_id)
        return gate

    def open_agents(self) -> set[str]:
        """Return the ids of the agents that may not be called now."""
        return {agent_id for agent_id, gate in self._troubled.items() if gate.rest_s > 0}

    def _forget_one(self) -> None:
        """Forget the gate that was asked for longest ago, if there are too many and nobody is in it."""
        if len(self._gates) <= _MOST_GATES:
            return
        idle = next((agent_id for agent_id, gate in self._gates.items() if not gate.is_used), None)
        if idle is not None:
            del self._gates[idle]
            self._troubled.pop(idle, None)


class Gate:
    """The way to one agent."""

    def __init__(self, agent_id: str, places: int, clock: Callable[[], float], troubled: dict[str, "Gate"]) -> None:
        self._agent_id = agent_id
        self._clock = clock
        self._troubled = troubled
        self._places = places
        self._taken = 0
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()
        self._recent: deque[bool] = deque(maxlen=_JUDGED_CALLS)
        self._failures_in_a_row = 0
        self._rest_lasts_s = 0.0
        self._rests_until: float | None = None
        self._trial_until: float | None = None
        self._budget = _FULL_BUDGET
        self._retries_to_come = 0

    @property
    def is_used(self) -> bool:
        """Whether someone has a place, or waits for one."""
        return self._taken > 0 or bool(self._waiting)

    @property
    def state(self) -> State:
        """Whether calls may pass (closed), none (open), or one to see how it is (half-open)."""
        if self._rests_until is None:
            return "closed"
        return "open" if self._clock() < self._rests_until else "half-open"

    @property
    def rest_s(self) -> float:
        """How long the agent is still to be left alone; 0 if it may be called. Takes no trial, as `may_try` does."""
        if self._rests_until is None:
            return 0.0
        until = self._rests_until if self._trial_until is None else self._trial_until
        return max(until - self._clock(), 0.0)

    def place(self, limit: int | None) -> "_Place":
        """Have one of the agent's places; waits for it, first come, first served. `limit` is the agent's own, if any.

        The call that is made inside counts for the retry budget.
        """
        return _Place(self, max(limit or self._places, 1))

    async def enter(self, limit: int) -> None:
        """Take one of so many places, as soon as it is free."""
        if not self._waiting and self._taken < limit:
            self._taken += 1
        else:
            await self._wait_for_place(limit)
        if self._retries_to_come:
            self._retries_to_come -= 1
        else:
            self._budget = min(self._budget + 1, _FULL_BUDGET)

    def leave(self) -> None:
        """Give a place back."""
        self._taken -= 1
        self._let_in()

    def may_try(self) -> float:
        """Return 0.0 if a call may begin, else the seconds until one may be tried.

        After a rest one call is let through as a trial. Until it says how it went, no other is, for as long as the
        last rest was.
        """
        rest_s = self.rest_s
        if self._rests_until is not None and rest_s == 0:
            self._trial_until = self._clock() + self._rest_lasts_s
        return rest_s

    def may_retry(self) -> bool:
        """Say whether the budget allows to call again what failed, and take that from it."""
        if self._budget < _PRICE_OF_RETRY:
            return False
        self._budget -= _PRICE_OF_RETRY
        self._retries_to_come += 1
        return True

    def succeeded(self) -> None:
        """Note that the agent answered, whatever it answered."""
        match self.state:
            case "open":
                return  # a call from before
            case "half-open":
                self._close()
            case "closed":
                self._failures_in_a_row = 0
                self._recent.append(True)

    def failed(self) -> None:
        """Note that the agent could not be reached, broke off, or took too long; not that it failed at its task."""
        match self.state:
            case "open":
                return  # a call from before
            case "half-open":
                self._rest()
            case "closed":
                self._failures_in_a_row += 1
                self._recent.append(False)
                failures = self._recent.count(False)
                too_many = len(self._recent) >= _FEWEST_JUDGED_CALLS and 2 * failures > len(self._recent)
                if too_many or self._failures_in_a_row >= _MOST_FAILURES_IN_A_ROW:
                    self._rest()

    def _rest(self) -> None:
        self._rest_lasts_s = min(max(2 * self._rest_lasts_s, _FIRST_REST_S), _LONGEST_REST_S)
        self._rests_until = self._clock() + self._rest_lasts_s
        self._trial_until = None
        self._troubled[self._agent_id] = self

    def _close(self) -> None:
        self._rests_until = self._trial_until = None
        self._rest_lasts_s = 0.0
        self._failures_in_a_row = 0
        self._recent.clear()
        self._troubled.pop(self._agent_id, None)

    async def _wait_for_place(self, limit: int) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, limit))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._taken -= 1  # the place had been given to it
            self._let_in()
            raise

    def _let_in(self) -> None:
        """Give free places to those who have waited longest."""
        while self._waiting:
            turn, limit = self._waiting[0]
            if not turn.cancelled():
                if self._taken >= limit:
                    return
                self._taken += 1
                turn.set_result(None)
            self._waiting.popleft()


class _Place:
    __slots__ = ("_gate", "_limit")

    def __init__(self, gate: Gate, limit: int) -> None:
        self._gate = gate
        self._limit = limit

    def __aenter__(self) -> Coroutine[None, None, None]:
        return self._gate.enter(self._limit)

    async def __aexit__(self, *_error: object) -> None:
        self._gate.leave()
