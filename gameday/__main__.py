"""make gameday ENV=dev: takes an environment of its own through every bad day that can be arranged, and removes it.

The environment is like dev, by the settings in environments/dev.toml, and called gamedaydev; its jobs, its migration
and its data are the game day's own. ENV=local is the same on this machine's small AWS. It writes what was seen into
docs/gameday.md, unless it was ended early.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from delivery import checks, command, question
from delivery.aws import Aws
from delivery.command import DONE, FAILED, INTERRUPTED, REFUSED, say
from delivery.refusal import Refused
from gameday import remains, report
from gameday.cost import cost
from gameday.day import DEPLOYED, DESTROYED_MINUTES, Day, hold
from gameday.exercise import Exercise
from gameday.exercises.all import EXERCISES
from gameday.ground import AWS, LOCAL, Ground
from gameday.project import RESTORED, GameProject, environment_name
from gameday.remains import Progress
from settings.environment import DatabaseSettings, EnvironmentSettings
from settings.files import load_environments
from settings.project import ROOT, Project

STATUS = """exit status:
  0   all passed that can be shown there, and nothing is left
  1   something did not pass, or is left: the table says what
  130 interrupted: everything was removed; the table says what is left if something is
  any other: nothing was done, and why. 2: called wrongly; 70: refused by a check, by AWS, or by the answer
make itself ends with 0 for the first, and with 2 for all others.
"""
WHERE = {
    AWS: "account {account}, {region}, an environment like {name}, at {commit}",
    LOCAL: "an environment like {name}",
}


def main() -> int:
    """Hold the game day of the environment that the command line names."""
    parser = command.parser("gameday", description=__doc__, status=STATUS, options=" [YES=1]")
    parser.add_argument("--yes", action="store_true", help="don't ask (make gameday YES=1)")
    parser.add_argument("--page", type=Path, default=report.PAGE, help="where the table is written to")
    arguments = parser.parse_args()
    _end_once()

    def hold_it() -> int:
        if arguments.environment == LOCAL:
            return _here(_with_a_database(load_environments(Project(ROOT))), arguments.page)
        settings = command.settings(parser, Project(ROOT), arguments.environment)
        return _on_aws(_with_a_database([settings]), arguments.page, ask=not arguments.yes)

    return command.run(hold_it)


def _with_a_database(environments: Sequence[EnvironmentSettings]) -> EnvironmentSettings:
    """The first of `environments` that makes a database: the game day restarts, changes and deletes one like it.

    Raises:
        Refused: none does.
    """
    for each in environments:
        if isinstance(each.database, DatabaseSettings):
            return each
    names = ", ".join(each.name for each in environments)
    raise Refused(f"a game day needs an environment that makes its database, and {names} names one that is there")


def _here(source: EnvironmentSettings, page: Path) -> int:
    # Here, not above: on AWS nothing of it is needed.
    from gameday.local_ground import open_ground  # noqa: PLC0415

    progress = _progress()
    name = environment_name(source.name)
    say(f"The game day here, with an environment like {source.name}. About two minutes; costs nothing.")
    with open_ground(lambda folder: GameProject(folder / "project", source, name=name), progress=progress) as ground:
        day = hold(ground, EXERCISES)
    return _told(day, ground, page, where=WHERE[LOCAL].format(name=source.name))


def _on_aws(source: EnvironmentSettings, page: Path, *, ask: bool) -> int:
    name = environment_name(source.name)
    if name in Project(ROOT).environment_names():
        raise Refused(f"environments/{name}.toml: the game day of {source.name} would use this name: rename that file")
    commit = checks.clean_commit(ROOT)
    aws = Aws(source.region)
    checks.account(aws, source)
    earlier = _earlier(aws, name)
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="gameday-")))
        game = GameProject(folder / "project", source, name=name)
        ground = Ground(game, aws, folder, progress=_progress())
        say(f"Synthesizing {name} of commit {commit} …")
        checks.bootstrapped(aws, ground.synthesize())
        say(_plan(game.settings, EXERCISES, earlier))
        if ask and not question.typed(f"\nTo begin, type the name of the environment that is made, {name}: ", name):
            say("That is not its name. Nothing was done.")
            return REFUSED
        for each in earlier:
            remains.remove(aws, each, progress=ground.progress)
        day = hold(ground, EXERCISES)
    where = WHERE[AWS].format(account=source.account, region=source.region, name=source.name, commit=commit)
    return _told(day, ground, page, where=where)


def _earlier(aws: Aws, name: str) -> list[str]:
    """Return the environments that an earlier game day left.

    Raises:
        Refused: there is one of this name that no game day made.
    """
    names = (f"{name}{RESTORED}", name)
    for each in names:
        for stack in aws.stacks(remains.stacks(each)).values():
            if not remains.is_a_game_days(aws, stack):
                raise Refused(f"{stack.name} is there, and no game day made it: rename that environment")
    return [each for each in names if remains.left(aws, each)]


def _plan(settings: EnvironmentSettings, exercises: tuple[Exercise, ...], earlier: list[str]) -> str:
    minutes = DEPLOYED.minutes + sum(each.minutes for each in exercises) + DESTROYED_MINUTES
    return "\n".join(
        (
            f"\nThe game day makes {settings.name} in account {settings.account}, {settings.region}, and does this:",
            *(f"  {each.minutes:>3} min  {each.title}: {each.done}" for each in (DEPLOYED, *exercises)),
            f"  {DESTROYED_MINUTES:>3} min  everything is removed, and AWS asked what is left",
            *([f"Before that it removes what an earlier one left: {', '.join(earlier)}."] if earlier else []),
            f"\nAbout {minutes / 60:.1f} hours. {cost(settings, hours=minutes / 60)}",
            "Ctrl-C ends it at any point: what is done is undone, and everything is removed, which takes its time.",
            "Your credentials have to last for all of it. Should they not: the next game day begins with what is left.",
        )
    )


def _told(day: Day, ground: Ground, page: Path, *, where: str) -> int:
    console = Console()
    console.print()
    console.print(report.table(day.results, title=f"The game day, {where}"))
    if day.complete:
        report.write(page, ground.where, day.results, exercises=EXERCISES, where=where)
        say(f"Written into {page}")
    else:
        say(f"It ended early: {page} stays as it is")
    if day.interrupted:
        return INTERRUPTED
    return DONE if day.good else FAILED


def _progress() -> Progress:
    console, began = Console(soft_wrap=True), time.monotonic()

    def progress(line: str) -> None:
        with suppress(OSError):  # the terminal may be gone, and everything has to be removed all the same
            console.print(f"[dim]{time.monotonic() - began:6.1f} s[/dim]  {escape(line)}", highlight=False)

    return progress


def _end_once() -> None:
    """Let the first Ctrl-C, SIGTERM or SIGHUP end the day, and no further one end the removing."""

    def end(_number: int, _frame: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _wait)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)


def _wait(_number: int, _frame: object) -> None:
    with suppress(OSError):
        say("Everything is being removed: ended now, it would stay, and cost.")


if __name__ == "__main__":
    sys.exit(main())
