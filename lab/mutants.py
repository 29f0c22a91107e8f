"""`make mutants`: runs the tests against mutants of a module, and says which of them no test notices.

A plugin of pytest. First the tests run once as they are, while it records which of them calls what. Then each mutant
gets a process of its own, forked off this one, with all modules imported and the server running: there, the tests that
call what it changes run until one fails. So a mutant takes as long as a test, not as a start.

The tests of a module are those in files that import from it: others call it, too, but are about something else. Tests
on Lambda's runtime client take no part: the function of those is another process, which would have no mutant.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import hypothesis
import pytest

from lab import mutant_report
from lab.mutant_report import Result
from lab.mutant_transplant import dependents, forget_caches, place_of, places_naming, transplant
from lab.mutators import Mutant, mutants_of
from local.mysql_server import MySQLServer

Place = tuple[str, str]
"""A file, and a function or method in it."""

HANGS_AFTER_SECONDS = 10.0
"""How long a test may take besides ten times what it takes without a mutant."""

QUICK_SECONDS = 0.1
"""All tests that take no longer run, whatever the others take: on a busy machine, those with a server fill a minute."""

TESTS_SECONDS = 60.0
"""How long the tests of one mutant may take in all, as measured without it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--mutants` and `--mutants-into`."""
    parser.addoption("--mutants", type=Path, help="a module, or a folder of modules, to make mutants of")
    parser.addoption("--mutants-into", type=Path, help="write what survives into this document")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Take the run over, given `--mutants`."""
    if config.getoption("--mutants"):
        # What a mutant makes fail is no example for the tests, and what it is exactly does not matter.
        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        hypothesis.settings.register_profile("mutants", database=None, phases=phases)
        hypothesis.settings.load_profile("mutants")
        config.pluginmanager.register(_Mutation(config), "mutation")


@dataclass
class _Known:
    """A test, as it was without a mutant."""

    item: pytest.Item
    seconds: float
    calls: set[Place]


class _Mutation:
    def __init__(self, config: pytest.Config) -> None:
        option: Path = config.getoption("--mutants").resolve()
        self._files = sorted(option.glob("[!_]*.py")) if option.is_dir() else [option]
        self._folder = str(option if option.is_dir() else option.parent)
        self._into: Path | None = config.getoption("--mutants-into")
        self._server: MySQLServer | None = None
        self._failed = False

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self) -> Iterator[None]:
        value = yield
        if isinstance(value, MySQLServer) and self._server is None:
            self._server = value
        return value

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        modules = {file.stem for file in self._files}
        elsewhere = [
            item
            for item in items
            if "Bench" in _names(item) or modules.isdisjoint(name.rpartition(".")[2] for name in _sources(item))
        ]
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [item for item in items if item not in elsewhere]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._failed |= report.failed

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the tests, then the mutants; a mutant that lives without an explanation counts as a failed test."""
        if session.config.option.collectonly or session.testsfailed:
            return False
        terminal: Any = session.config.pluginmanager.get_plugin("terminalreporter")
        modules = {
            str(module.__file__): module for module in list(sys.modules.values()) if _is_in(module, self._folder)
        }
        known = [each for item in session.items if (each := self._baseline(item, list(modules.values())))]
        explained = mutant_report.explanations(self._into)
        terminal.write_line("")
        for file in self._files:
            module = modules.get(str(file))
            mutants = mutants_of(file) if module else []
            if module is None or not mutants:
                continue
            started = time.monotonic()
            own = [each for each in known if module.__name__ in _sources(each.item)]
            results = []
            for mutant in mutants:
                tests = _tests_of(mutant, module, modules, own)
                verdict, by = self._try(mutant, module, list(modules.values()), tests)
                results.append(Result(mutant=mutant, verdict=verdict, by=by))
                if terminal.verbosity > 0:
                    terminal.write_line(f"{verdict}: {mutant.place}: {mutant.change} ({by})")
                if verdict == "lives":
                    reason = explained.get((file.stem, *mutant.name))
                    session.testsfailed += reason is None
                    if reason is None:
                        terminal.write_line(f"{file.name}:{mutant.line} {mutant.place}: {mutant.kind}: {mutant.change}")
            minutes = (time.monotonic() - started) / 60
            terminal.write_line(f"{mutant_report.summary(file.stem, results)} ({minutes:.0f} minutes)")
            if self._into:
                mutant_report.record(
                    self._into,
                    file,
                    results,
                    tests=len(own),
                    modules=[each.stem for each in sorted(file.parent.glob("[!_]*.py"))],
                    now=datetime.now(UTC),
                )
        return True

    def _baseline(self, item: pytest.Item, modules: list[ModuleType]) -> _Known | None:
        """Run a test without a mutant, and see what it calls; None if it does not pass."""
        forget_caches(modules)
        codes = set()

        def called(frame: FrameType, event: str, _argument: object) -> None:
            if event == "call":
                codes.add(frame.f_code)

        self._failed = False
        started = time.monotonic()
        threading.setprofile(called)
        sys.setprofile(called)
        try:
            _run(item)
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
        seconds = time.monotonic() - started
        calls = {(code.co_filename, place_of(code)) for code in codes if code.co_filename.startswith(self._folder)}
        return None if self._failed else _Known(item, seconds, calls)

    def _try(
        self, mutant: Mutant, module: ModuleType, modules: list[ModuleType], tests: list[_Known]
    ) -> tuple[str, str]:
        """Return what became of a mutant, and the test that decided it."""
        verdict, position = self._once(mutant, module, modules, tests)
        if verdict != "lives":
            # A test that fails by chance, as on a machine that is too busy, kills nothing: it has to fail twice.
            tests = tests[position:]
            verdict, position = self._once(mutant, module, modules, tests)
        return verdict, tests[position].item.nodeid if tests else "no test calls it"

    def _once(
        self, mutant: Mutant, module: ModuleType, modules: list[ModuleType], tests: list[_Known]
    ) -> tuple[str, int]:
        reading, writing = os.pipe()
        tidy = _Tidy(self._server) if self._server else None
        child = os.fork()
        if child == 0:
            os.close(reading)
            self._be(mutant, module, modules, tests, writing)
        os.setpgid(child, child)  # so that what it starts can be ended with it
        os.close(writing)
        try:
            return _verdict(reading, tests)
        finally:
            os.close(reading)
            _end(child)
            if tidy:
                tidy.up()

    def _be(
        self, mutant: Mutant, module: ModuleType, modules: list[ModuleType], tests: list[_Known], answer: int
    ) -> None:
        """Be the mutant, in a process of its own; say by number which test runs, and how it ended."""
        try:
            if tests:
                tests[0].item.config.get_terminal_writer()._file = open(os.devnull, "w")  # noqa: SIM115
            try:
                forget_caches(modules)
                transplant(mutant, module)
            except ImportError:
                os.write(answer, b"killed\n")
                os._exit(0)
            except BaseException as error:  # noqa: BLE001 (told to the parent)
                os.write(answer, f"broken {error!r}\n".encode())
                os._exit(1)
            for number, test in enumerate(tests):
                os.write(answer, f"{number}\n".encode())
                self._failed = False
                _run(test.item)
                if self._failed:
                    os.write(answer, b"killed\n")
                    os._exit(0)
            os.write(answer, b"lives\n")
        finally:
            os._exit(0)


class _Tidy:
    """What a mutant, killed or not, leaves on the server is gone afterwards: sessions, schemas, users, settings."""

    def __init__(self, server: MySQLServer) -> None:
        self._server = server
        self._before = self._there()

    def up(self) -> None:
        """Make the server what it was."""
        with self._server.connect() as connection, connection.cursor() as cursor:
            until = time.monotonic() + 30
            while sessions := self._sessions(cursor):
                for session in sessions:
                    # It may have ended meanwhile; one that is in the middle of a rollback takes its time.
                    cursor.execute("SELECT COUNT(*) FROM performance_schema.processlist WHERE id = %s", (session,))
                    if cursor.fetchone() == (1,):
                        _execute_unless(cursor, f"KILL {session}", 1094)
                if time.monotonic() > until:
                    raise RuntimeError(f"sessions {sessions} don't end")
                time.sleep(0.02)
        schemas, users, settings = self._there()
        with self._server.connect() as connection, connection.cursor() as cursor:
            for schema in schemas - self._before[0]:
                cursor.execute(f"DROP DATABASE `{schema}`")
            for user in users - self._before[1]:
                cursor.execute("DROP USER %s@%s", user)
            for name, value in self._before[2].items():
                if settings[name] != value:
                    cursor.execute(f"SET GLOBAL {name} = %s", (int(value) if value.isdigit() else value,))

    def _there(self) -> tuple[set[str], set[tuple[str, str]], dict[str, str]]:
        with self._server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SHOW DATABASES")
            schemas = {name for (name,) in cursor.fetchall()}
            cursor.execute("SELECT user, host FROM mysql.user")
            users = set(cursor.fetchall())
            cursor.execute("SHOW GLOBAL VARIABLES")
            changing = {"gtid_executed", "timestamp"}
            return schemas, users, {name: value for name, value in cursor.fetchall() if name not in changing}

    @staticmethod
    def _sessions(cursor: Any) -> list[int]:
        cursor.execute(
            "SELECT id FROM performance_schema.processlist WHERE id <> CONNECTION_ID()"
            " AND user NOT IN ('event_scheduler', 'system user') AND command <> 'Daemon'"
        )
        return [number for (number,) in cursor.fetchall()]


def _execute_unless(cursor: Any, statement: str, code: int) -> None:
    try:
        cursor.execute(statement)
    except Exception as error:
        if error.args[:1] != (code,):
            raise


def _run(item: pytest.Item) -> None:
    # Given the session as the next one, pytest ends all fixtures but the session's.
    item.ihook.pytest_runtest_protocol(item=item, nextitem=item.session)


def _is_in(module: object, folder: str) -> bool:
    return str(getattr(module, "__file__", None) or "").startswith(f"{folder}{os.sep}")


def _tests_of(mutant: Mutant, module: ModuleType, modules: dict[str, ModuleType], known: list[_Known]) -> list[_Known]:
    """The tests that may notice a mutant, the shortest first."""
    places = {(str(module.__file__), mutant.place)}
    texts: set[str] = set()
    if mutant.reach in ("class", "constant"):
        texts = {mutant.place} if mutant.reach == "class" else set(dependents(module, mutant.place))
        places = {(file, place) for file, each in modules.items() for place in places_naming(each, texts)}
    if mutant.reach == "class":
        prefix = f"{mutant.place}."
        places |= {place for each in known for place in each.calls if place[1].startswith(prefix)}
    chosen = [each for each in known if each.calls & places or _mentions(each.item, texts)]
    chosen.sort(key=lambda each: each.seconds)
    # All that take no time; then, of those with several parameters one each: as many things as possible, in a minute.
    turns: Counter[str] = Counter()
    turn_of = {}
    for each in chosen:
        function = each.item.nodeid.partition("[")[0]
        turn_of[each.item.nodeid] = turns[function]
        turns[function] += 1
    chosen.sort(key=lambda each: (each.seconds > QUICK_SECONDS, turn_of[each.item.nodeid]))
    until = itertools.accumulate(each.seconds for each in chosen)
    return [each for each, seconds in zip(chosen, until, strict=True) if seconds <= TESTS_SECONDS]


def _mentions(item: pytest.Item, texts: set[str]) -> bool:
    return any(text in _names(item) for text in texts)


def _names(item: pytest.Item) -> dict[str, object]:
    """What a test's file has, or has imported."""
    return vars(getattr(item, "module", None) or object)  # type: ignore[return-value]


def _sources(item: pytest.Item) -> set[str]:
    """The modules that a test's file imports, or imports from."""
    return {
        each.__name__ if isinstance(each, ModuleType) else str(getattr(each, "__module__", ""))
        for each in _names(item).values()
    }


def _verdict(reading: int, tests: list[_Known]) -> tuple[str, int]:
    """What the process of a mutant says, or that it hangs or died: no test passes then, either."""
    text, position, limit = "", 0, HANGS_AFTER_SECONDS
    while select.select([reading], [], [], limit)[0]:
        received = os.read(reading, 65536).decode()
        if not received:
            return "killed", position
        text += received
        last = text.rpartition("\n")[0].rpartition("\n")[2]  # what is after it is not whole yet
        if last.startswith("broken"):
            raise RuntimeError(f"a mutant could not be made: {last}")
        if last and not last.isdigit():
            return last, position
        position = int(last or 0)
        limit = HANGS_AFTER_SECONDS + 10 * tests[position].seconds
    return "hangs", position


def _end(child: int) -> None:
    """End a mutant's process and what it has started."""
    with contextlib.suppress(ProcessLookupError):  # it is gone, and left nothing
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
