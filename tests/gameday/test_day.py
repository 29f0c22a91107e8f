"""Whatever happens in a game day, the exercise at work undoes what it did, and then everything is removed."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gameday.day import DEPLOYED, DESTROYED, Day, hold
from gameday.exercise import FAILED, NOT_RUN, ONLY_ON_AWS, PASSED, Exercise
from gameday.ground import LOCAL, Ground
from gameday.waiting import NotSeen
from tests.gameday.conftest import NAME
from tests.gameday.world import World

TITLES = ("first", "second", "third")


class Course:
    """Three exercises, and what was done in which order."""

    def __init__(self, world: World) -> None:
        self.done: list[str] = []
        self.ends_with: dict[str, BaseException] = {}
        world.breaks["DeleteStack"] = self._deleted  # type: ignore[assignment]
        self._world = world

    def exercises(self) -> Iterator[Exercise]:
        for title in TITLES:
            yield Exercise(title=title, done="", minutes=1, carry_out=self._make(title))

    def _make(self, title: str):  # type: ignore[no-untyped-def]
        def carry_out(_: Ground) -> str:
            with self._changed(title):
                if title in self.ends_with:
                    raise self.ends_with[title]
            return "seen"

        return carry_out

    @contextmanager
    def _changed(self, title: str) -> Iterator[None]:
        self.done.append(title)
        try:
            yield
        finally:
            self.done.append(f"{title} undone")

    def _deleted(self, parameters: dict[str, str]) -> dict[str, object]:
        self.done.append("removed")
        self._world.DeleteStack(parameters)
        return {}


@pytest.fixture
def course(world: World) -> Course:
    return Course(world)


def outcomes(day: Day) -> dict[str, str]:
    return {each.title: each.outcome for each in day.results}


def test_all_exercises_are_carried_out_and_then_everything_is_removed(ground: Ground, course: Course) -> None:
    day = hold(ground, course.exercises())
    assert outcomes(day) == dict.fromkeys((DEPLOYED.title, *TITLES, DESTROYED), PASSED)
    assert course.done == [*(each for title in TITLES for each in (title, f"{title} undone")), *["removed"] * 3]
    assert day.good
    assert day.complete


@pytest.mark.parametrize("number", range(3))
def test_an_interruption_undoes_the_exercise_at_work_and_removes_everything(
    number: int, ground: Ground, world: World, course: Course
) -> None:
    course.ends_with[TITLES[number]] = KeyboardInterrupt()
    day = hold(ground, course.exercises())
    assert course.done[-5:] == [TITLES[number], f"{TITLES[number]} undone", *["removed"] * 3]
    assert world.stacks_there == {}
    assert [each for title, each in outcomes(day).items() if title in TITLES[number:]] == [NOT_RUN] * (3 - number)
    assert outcomes(day)[DESTROYED] == PASSED
    assert (day.interrupted, day.good, day.complete) == (True, False, False)


def test_an_interruption_of_the_first_deploy_removes_everything(
    ground: Ground, world: World, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: Ground) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(Ground, "deploy", interrupt)
    day = hold(ground, course.exercises())
    assert world.stacks_there == {}
    assert outcomes(day) == {**dict.fromkeys((DEPLOYED.title, *TITLES), NOT_RUN), DESTROYED: PASSED}


def test_without_a_deploy_there_are_no_exercises(
    ground: Ground, world: World, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ground, "deploy", lambda _: False)
    day = hold(ground, course.exercises())
    assert outcomes(day) == {DEPLOYED.title: FAILED, **dict.fromkeys(TITLES, NOT_RUN), DESTROYED: PASSED}
    assert (course.done, world.stacks_there, day.good) == (["removed"] * 3, {}, False)


def test_what_is_not_seen_is_noted_and_the_day_goes_on(ground: Ground, course: Course) -> None:
    course.ends_with["second"] = NotSeen("no run")
    day = hold(ground, course.exercises())
    assert outcomes(day) == {**dict.fromkeys((DEPLOYED.title, *TITLES, DESTROYED), PASSED), "second": FAILED}
    assert "second undone" in course.done
    assert (day.good, day.complete) == (False, True)


def test_any_other_error_ends_the_day(ground: Ground, world: World, course: Course) -> None:
    course.ends_with["second"] = KeyError("Unheard of")
    day = hold(ground, course.exercises())
    assert outcomes(day) == {
        **dict.fromkeys((DEPLOYED.title, "first", DESTROYED), PASSED),
        "second": FAILED,
        "third": NOT_RUN,
    }
    assert [each.seen for each in day.results if each.title == "second"] == ["KeyError: 'Unheard of'"]
    assert world.stacks_there == {}


def test_what_is_left_is_in_the_last_row(ground: Ground, world: World, course: Course) -> None:
    world.breaks["DeleteLogGroup"] = lambda _: {}
    day = hold(ground, course.exercises())
    assert day.results[-1].outcome == FAILED
    assert day.results[-1].seen == f"left: the log group /aws/lambda/{NAME}-Jobs-Trigger"
    assert not day.good


def test_what_comes_again_is_removed_again(ground: Ground, world: World, course: Course) -> None:
    late = [f"/aws/lambda/{NAME}-nap"]

    def write_late(parameters: dict[str, str]) -> dict[str, object]:
        world.DeleteStack(parameters)
        return {}

    def describe(parameters: dict[str, str]) -> dict[str, object]:
        if not world.stacks_there and not world.log_groups[1:] and late:  # the end of a run, after everything went
            world.log_groups.append(late.pop())
            return {"logGroups": []}
        return dict(world.DescribeLogGroups(parameters))

    world.breaks |= {"DeleteStack": write_late, "DescribeLogGroups": describe}  # type: ignore[dict-item]
    day = hold(ground, course.exercises())
    assert (late, day.results[-1].seen) == ([], "nothing is left")
    assert world.log_groups == ["/aws/lambda/other-Jobs"]


def test_an_error_while_everything_is_removed_is_in_the_last_row(ground: Ground, world: World, course: Course) -> None:
    def fail(_: object) -> dict[str, object]:
        raise RuntimeError("no answer")

    world.breaks["DeleteLogGroup"] = fail
    day = hold(ground, course.exercises())
    assert (day.results[-1].outcome, day.results[-1].seen) == (
        FAILED,
        "RuntimeError: no answer; the next game day begins with what is left",
    )


def test_what_only_aws_can_show_is_said_elsewhere_and_not_left_out(
    ground: Ground, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    exercise = Exercise(
        title="far", done="", minutes=1, carry_out=lambda _: pytest.fail("not here"), only_on_aws="no such thing here"
    )
    monkeypatch.setattr(Ground, "where", LOCAL)
    day = hold(ground, [exercise])
    assert (day.results[1].outcome, day.results[1].seen) == (ONLY_ON_AWS, "no such thing here")
    assert day.good
