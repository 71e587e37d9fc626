"""Starts the services as processes, watches over them and stops them. Standard library only: it must stay small.

    python -m federation.runner LAUNCH      (see federation.launch)

It owns DATA_DIR by a lock on DATA_DIR/federation.json, which says what runs. Each service has a session of its own, so
that Ctrl-C reaches the runner alone; one that dies is started again after a pause that grows. One that cannot start at
all ends the run: at its fifth end, or at the first if its exit code is EX_CONFIG. However the runner ends, no process
stays: see federation.fork_server.
"""

import os
import selectors
import signal
import sys
import time
from pathlib import Path

from federation import ports, streams
from federation.forking import ForkServer
from federation.launch import Launch
from federation.probe import Facts
from federation.readiness import Readiness
from federation.running import AlreadyRunningError, Record, hold
from federation.supervised import Supervised

_NEWS_AT_S = (3.0, 10.0, 20.0, 40.0, 80.0, 160.0)
_HOPELESS_AFTER = 5


def main() -> int:
    """Run the federation described on the command line until it is told to stop. Returns the exit code."""
    streams.settle()
    launch = Launch.from_json(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # as long as nothing is started there is nothing to stop
    try:
        with hold(Path(launch.data_dir)) as record:
            if problem := _find_taken_port(launch, patience_s=launch.grace_s if record.after_crash else 0.0):
                say(problem)
                return 1
            return Runner(launch, record).run()
    except AlreadyRunningError as error:
        say(str(error))
    except OSError as error:
        remedy = "See that it can be written and has room, or set DATA_DIR."
        say(f"DATA_DIR {launch.data_dir} cannot be used: {error.strerror}. {remedy}")
    return 1


def say(text: str) -> None:
    """Print a line; when nobody reads any more, do without."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except OSError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - for the rest of the process


class Runner:
    """The running federation."""

    def __init__(self, launch: Launch, record: Record) -> None:
        self._launch = launch
        self._record = record
        self._selector = selectors.DefaultSelector()
        self._asked_to_stop = 0
        self._started_at = time.monotonic()
        self._news = list(_NEWS_AT_S)
        self._wake_read, self._wake_write = os.pipe()
        self._readiness = Readiness(launch, self._wake)
        self._announced = False
        self._is_recorded: bool | None = None
        logs = Path(launch.data_dir) / "logs"
        logs.mkdir(exist_ok=True)
        self._services = [Supervised(service, logs, say=say, verbose=launch.verbose) for service in launch.services]
        self._forks = ForkServer([service.module for service in launch.services], grace_s=launch.grace_s)

    def run(self) -> int:
        """Start everything, and come back when all of it is stopped. Returns the exit code."""
        self._listen()
        names = ", ".join(f"{service.name} {service.port}" for service in self._launch.services)
        say(f"Starting {len(self._services)} services: {names} …")
        try:
            for service in self._services:
                self._start(service)
            self._write_record()
            self._readiness.start()
            while not self._asked_to_stop:
                if hopeless := self._tend():
                    say(hopeless)
                    return 1
                self._wait(self._pause_s())
            return 0
        finally:
            self._readiness.give_up()
            self._stop()
            self._forks.end()

    def _listen(self) -> None:
        """Be woken by signals, the readiness thread and, when attached, the end of the input."""
        for end in (self._wake_read, self._wake_write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup is respected
                signal.signal(number, self._on_stop)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        if self._launch.attached:
            self._selector.register(0, selectors.EVENT_READ, None)

    def _on_stop(self, *_: object) -> None:
        self._asked_to_stop += 1

    def _wake(self) -> None:
        os.write(self._wake_write, b"\0")

    def _start(self, service: Supervised) -> None:
        output = service.start(self._forks)
        self._selector.register(output, selectors.EVENT_READ, service)
        news = self._forks.descriptor
        if news is not None and news not in self._selector.get_map():
            self._selector.register(news, selectors.EVENT_READ, self._forks)

    def _tend(self) -> str:
        """Do what is due. Returns why it is hopeless to go on, if it is."""
        for service in self._services:
            output = service.output
            if ended := service.collect():
                self._forget(output)
                if not self._announced and (service.is_hopeless or service.failures >= _HOPELESS_AFTER):
                    return f"{service.service.name} does not start ({ended}). Its log: {service.log.path}"
                pause_s = service.plan_restart()
                say(f"{service.service.name} stopped ({ended}); starting it again in {pause_s:g} s.")
            elif service.restart_at is not None and time.monotonic() >= service.restart_at:
                self._start(service)
        if not self._announced:
            self._announce()
        return ""

    def _announce(self) -> None:
        elapsed = time.monotonic() - self._started_at
        if self._readiness.seconds is not None:
            self._announced = True
            self._write_record()
            say(f"Ready after {elapsed:.1f} s: {self._launch.url}")
            for line in (*(f"Degraded: {problem}" for problem in self._readiness.degraded), *self._launch.banner):
                say(line)
        elif self._news and elapsed >= self._news[0]:
            say(f"  {self._news.pop(0):.0f} s: waiting for {self._readiness.missing or 'the first answer'} …")

    def _pause_s(self) -> float | None:
        due = [service.restart_at for service in self._services if service.restart_at is not None]
        if not self._announced and self._news:
            due.append(self._started_at + self._news[0])
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _wait(self, timeout_s: float | None) -> None:
        """Wait for something to happen, at most so long, and take over what the services have written."""
        for key, _ in self._selector.select(timeout_s):
            if isinstance(key.data, Supervised):
                if not key.data.read():
                    self._forget(key.fd)
            elif key.data is self._forks:
                self._hear()
            elif not os.read(key.fd, 4096):  # the one who started us is gone
                self._asked_to_stop += 1
                self._selector.unregister(key.fd)

    def _hear(self) -> None:
        """Take note of what the fork server tells of a service, or of its end."""
        news = self._forks.read()
        if news is None:
            self._lose_all()
            return
        next(service for service in self._services if service.service.name == news.name).hear(news)
        self._write_record()

    def _lose_all(self) -> None:
        """End the fork server, if it has not ended, and all that it was asked for."""
        if (descriptor := self._forks.descriptor) is not None:
            self._forget(descriptor)
        self._forks.end()
        for service in self._services:
            service.lose()

    def _forget(self, output: int) -> None:
        if output in self._selector.get_map():
            self._selector.unregister(output)

    def _stop(self) -> None:
        """Ask every service to stop, and kill what has not when the time is over, or at a second Ctrl-C."""
        say("Stopping …")
        if not any(service.pid for service in self._services):
            self._lose_all()  # their code still loads
        for service in self._services:
            service.terminate()
        patience = self._asked_to_stop + 1
        deadline = time.monotonic() + self._launch.grace_s
        while alive := [service for service in self._services if service.is_up]:
            if time.monotonic() >= deadline or self._asked_to_stop >= patience:
                for service in alive:
                    service.kill()
            self._wait(max(0.05, min(0.5, deadline - time.monotonic())))
            for service in alive:
                output = service.output
                if service.collect():
                    self._forget(output)
        say("Stopped.")

    def _write_record(self) -> None:
        """Say what runs now. Raises: OSError, when that cannot even be kept at the start; later it is said once."""
        facts: Facts = {
            "pid": os.getpid(),
            "url": self._launch.url,
            "ready": self._announced,
            "services": {service.service.name: service.pid for service in self._services},
        }
        try:
            self._record.write(facts)
            self._is_recorded = True
        except OSError as error:
            if self._is_recorded is None:
                raise
            if self._is_recorded:
                say(f"What runs cannot be kept in DATA_DIR {self._launch.data_dir} ({error.strerror}); it goes on.")
            self._is_recorded = False


def _find_taken_port(launch: Launch, *, patience_s: float) -> str:
    """Return what is wrong with the ports, in a line, or nothing. Waits a while for what a crash has left."""
    seen: dict[int, str] = {}
    for service in launch.services:
        if service.port in seen:
            return f"{seen[service.port]} and {service.port_setting} are both {service.port}; choose different ports."
        seen[service.port] = service.port_setting
    deadline = time.monotonic() + patience_s
    if patience_s and _find_first_problem(launch):
        say(f"Waiting for what the last run left to stop, at most {patience_s:g} s …")
    while (problem := _find_first_problem(launch)) and time.monotonic() < deadline:
        time.sleep(0.1)  # nothing announces that another's port is free
    return problem


def _find_first_problem(launch: Launch) -> str:
    problems = (ports.find_problem(launch.host, service) for service in launch.services)
    return next(filter(None, problems), "")


if __name__ == "__main__":
    sys.exit(main())
