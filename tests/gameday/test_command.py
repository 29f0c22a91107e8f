"""make gameday: it says what it will do, for how long and what it costs, asks, and its status says what came of it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from delivery import checks, command
from gameday import __main__ as gameday
from gameday.exercise import Exercise
from gameday.exercises.all import EXERCISES
from gameday.ground import Ground
from gameday.waiting import NotSeen
from settings.project import ROOT
from tests.fixture import PROJECT, VARIANTS, load_file
from tests.gameday.conftest import NAME
from tests.gameday.world import World

Start = Callable[..., int]
QUIET = Exercise(title="quiet", done="nothing", minutes=30, carry_out=lambda _: "nothing")


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "page.md"


@pytest.fixture
def start(world: World, cli: None, page: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Runs the command on the fixture's project, with `exercises`; `typed` is what is typed."""
    world.empty()
    monkeypatch.setattr(gameday, "ROOT", PROJECT.folder)
    monkeypatch.setattr(gameday, "Aws", lambda _: world)
    monkeypatch.setattr(checks, "clean_commit", lambda _: "abc1234 (A change)")
    monkeypatch.setattr(gameday, "_end_once", lambda: None)

    def start(*arguments: str, typed: str = "", exercises: tuple[Exercise, ...] = (QUIET,)) -> int:
        monkeypatch.setattr(gameday, "EXERCISES", exercises)
        reading, writing = os.pipe()
        os.write(writing, f"{typed}\n".encode())
        os.close(writing)
        monkeypatch.setattr(sys, "argv", ["gameday", "basic", "--page", str(page), *arguments])
        with os.fdopen(reading) as piped:
            monkeypatch.setattr(sys, "stdin", piped)
            return gameday.main()

    return start


def changed(world: World) -> list[str]:
    """The calls that change something."""
    asked = ("Describe", "Get", "List", "Filter", "Receive")
    return [name for name, _ in world.calls if not name.startswith(asked)]


def test_it_says_what_it_will_do_and_what_it_costs_before_it_asks(
    start: Start, world: World, page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(typed="no", exercises=EXERCISES) == 70
    said = capsys.readouterr().out
    for each in EXERCISES:
        assert f"{each.title}: {each.done}" in said
    assert "abc1234 (A change)" in said
    assert "account 111111111111, eu-central-1" in said
    assert " hours. About " in said
    assert "USD, at the prices for us-east-1 in docs/cost.md, looked up on" in said
    assert said.endswith("That is not its name. Nothing was done.\n")
    assert (changed(world), page.exists()) == ([], False)


def test_an_environment_with_an_existing_database_has_no_game_day(
    start: Start, world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    adopted = load_file(VARIANTS / "adopted.toml")
    monkeypatch.setattr(command, "settings", lambda *_: adopted)
    assert start("--yes") == command.REFUSED
    assert capsys.readouterr().err == (
        "a game day needs an environment that makes its database, and adopted names one that is there\n"
    )
    assert changed(world) == []


def test_the_name_of_the_environment_that_is_named_is_no_yes(start: Start, world: World) -> None:
    assert start(typed="basic") == 70
    assert changed(world) == []


@pytest.mark.parametrize(("arguments", "typed"), [((), NAME), (("--yes",), "")], ids=["typed", "YES=1"])
def test_a_good_day_ends_with_0_and_its_table(
    arguments: tuple[str, ...], typed: str, start: Start, world: World, page: Path
) -> None:
    assert start(*arguments, typed=typed) == 0
    assert "| quiet | nothing | nothing | 0 | passed |" in page.read_text()
    assert world.stacks_there == {}


def test_what_did_not_pass_ends_with_1_and_its_table(start: Start, page: Path) -> None:
    def miss(_: Ground) -> str:
        raise NotSeen("no run")

    assert start("--yes", exercises=(Exercise(title="bad", done="it", minutes=1, carry_out=miss),)) == 1
    assert "| bad | it | no run | 0 | FAILED |" in page.read_text()


def test_an_interrupted_day_ends_with_130_and_leaves_the_page(start: Start, world: World, page: Path) -> None:
    def interrupt(_: Ground) -> str:
        raise KeyboardInterrupt

    assert start("--yes", exercises=(Exercise(title="cut", done="it", minutes=1, carry_out=interrupt),)) == 130
    assert (page.exists(), world.stacks_there) == (False, {})


def test_what_an_earlier_day_left_is_named_and_removed_first(
    start: Start, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.stacks_there[f"{NAME}r-Jobs"] = "ROLLBACK_FAILED"
    assert start("--yes") == 0
    assert f"Before that it removes what an earlier one left: {NAME}r." in capsys.readouterr().out
    assert changed(world)[0] == "DeleteStack"


def test_an_environment_that_no_game_day_made_is_left_alone(
    start: Start, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.stacks_there[f"{NAME}-Jobs"] = "CREATE_COMPLETE"
    world.marked = False
    assert start("--yes") == 70
    assert f"{NAME}-Jobs is there, and no game day made it" in capsys.readouterr().err
    assert changed(world) == []


def test_a_file_of_the_name_is_no_game_days(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own" / "environments").mkdir(parents=True)
    (tmp_path / "own" / "lambda").symlink_to(PROJECT.folder / "lambda")
    for name in ("basic", NAME):
        (tmp_path / "own" / "environments" / f"{name}.toml").write_text(
            (PROJECT.environments / "basic.toml").read_text().replace("[delivery]", "[delivery]\nprovider = false")
        )
    monkeypatch.setattr(gameday, "ROOT", tmp_path / "own")
    assert start("--yes") == 70
    assert f"environments/{NAME}.toml" in capsys.readouterr().err
    assert world.calls == []


INTERRUPTED = """
import os, signal
from gameday.__main__ import _end_once
_end_once()
try:
    os.kill(os.getpid(), signal.{first})
except KeyboardInterrupt:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(os.getpid(), number)
    print("removed")
"""


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_the_first_signal_ends_the_day_and_no_other_one_the_removing(first: signal.Signals) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.format(first=first.name)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("Everything is being removed") == 3
    assert done.stdout.endswith("removed\n")
