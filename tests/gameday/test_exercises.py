"""Each exercise, as it is on AWS: its calls have what the services take, and it notices when AWS answers otherwise.

tests/gameday/world.py answers; tests/gameday/test_game_day.py has the same exercises on real parts.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError

from gameday.exercise import Exercise
from gameday.exercises.all import EXERCISES
from gameday.ground import Ground
from gameday.waiting import NotSeen
from tests.gameday.conftest import NAME
from tests.gameday.world import World

NAMED = {each.title: each for each in EXERCISES}


def carry_out(title: str, ground: Ground) -> str:
    return NAMED[title].carry_out(ground)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.title)
def test_an_exercise_passes_where_aws_does_as_it_says(exercise: Exercise, ground: Ground, world: World) -> None:
    if exercise.title == "Alarm on errors ends":
        world.alarms[f"{NAME}-fail-errors"] = "ALARM"
    assert exercise.carry_out(ground)
    assert (world.concurrency, world.port, set(world.alarms.values()) - {"ALARM"}) == (1, 13306, {"OK"})


def test_a_wrong_parameter_is_noticed_here(ground: Ground) -> None:
    with pytest.raises(ParamValidationError, match="DbInstanceIdentifier"):
        ground.client("rds").reboot_db_instance(DbInstanceIdentifier=NAME)


def test_nothing_listens_where_the_rule_leads_while_the_network_is_cut(ground: Ground, world: World) -> None:
    with ground.cut():
        assert world.port == 1
    assert [
        each["SecurityGroupRules"][0]["SecurityGroupRuleId"] for each in world.called("ModifySecurityGroupRules")
    ] == [
        "sgr-in",
        "sgr-in",
    ]


def test_the_network_and_the_concurrency_are_restored_after_an_interruption(ground: Ground, world: World) -> None:
    for block in (ground.cut, lambda: ground.stopped("beat")):
        with pytest.raises(KeyboardInterrupt), block():
            raise KeyboardInterrupt
        assert (world.port, world.concurrency) == (13306, 1)


def test_a_function_without_reserved_concurrency_gets_none(ground: Ground, world: World) -> None:
    world.concurrency = None
    with ground.stopped("beat"):
        assert world.concurrency == 0
    assert world.concurrency is None


def test_a_restart_fails_over_where_there_is_a_standby(ground: Ground, world: World) -> None:
    ground.reboot()
    ground.game.change("database", multi_az=True)
    (ground.game.project.environments / f"{NAME}.toml").write_text(
        (ground.game.project.environments / f"{NAME}.toml").read_text().replace(', "single_zone"', "")
    )
    ground.reboot()
    assert [each["ForceFailover"] for each in world.called("RebootDBInstance")] == [False, True]


Break = Callable[[World], None]


def _never_rings(world: World) -> None:
    world.failed_runs = -10


def _answers(operation: str, answer: Mapping[str, Any]) -> Break:
    def make(world: World) -> None:
        world.breaks[operation] = lambda _: dict(answer)

    return make


def _loses_a_window(world: World) -> None:
    normal = world.FilterLogEvents

    def lose(parameters: Mapping[str, Any]) -> dict[str, Any]:
        world.last_end = world.last_end.replace(year=2025)
        return normal(parameters)

    world.breaks["FilterLogEvents"] = lose


def _nobody_hears(world: World) -> None:
    world.breaks["ReceiveMessage"] = lambda _: {"Messages": []}


def _starts_all_the_same(world: World) -> None:
    world.breaks["PutFunctionConcurrency"] = lambda _: {}


def _drifted(world: World) -> None:
    normal = world.DescribeStackResourceDrifts

    def drift(parameters: Mapping[str, Any]) -> dict[str, Any]:
        answer = normal(parameters)
        answer["StackResourceDrifts"][0]["StackResourceDriftStatus"] = "MODIFIED"
        return answer

    world.breaks["DescribeStackResourceDrifts"] = drift


def _rotates_nothing(world: World) -> None:
    world.breaks["ModifyDBInstance"] = lambda _: {}


def _a_newer_snapshot(world: World) -> None:
    def create(parameters: Mapping[str, Any]) -> dict[str, Any]:
        world.snapshots |= {parameters["DBSnapshotIdentifier"]: 0, "newer": 2}
        return {}

    world.breaks["CreateDBSnapshot"] = create


@pytest.mark.parametrize(
    ("title", "broken", "said"),
    [
        ("First runs", _loses_a_window, "no unbroken row of windows"),
        ("Stopped by hand", _starts_all_the_same, "no refusal to start a run"),
        ("Alarm on errors", _never_rings, "no ALARM of the alarm"),
        ("Alarm on errors", _nobody_hears, "no notification"),
        ("Alarm on missed runs", _starts_all_the_same, "no ALARM of the alarm"),
        ("All other alarms", _nobody_hears, "no notification"),
        ("Dead letters", _answers("ReceiveMessage", {}), "no dead letter"),
        ("Network cut", _answers("ModifySecurityGroupRules", {"Return": True}), "no run that failed"),
        ("Master secret rotated", _rotates_nothing, "no rotated master secret"),
        ("Snapshot restored", _a_newer_snapshot, "newer is newer"),
        ("Drift", _drifted, "Instance drifted"),
    ],
)
def test_an_exercise_notices(title: str, broken: Break, said: str, ground: Ground, world: World) -> None:
    broken(world)
    with pytest.raises(NotSeen, match=said):
        carry_out(title, ground)


def test_a_failed_deploy_that_goes_well_is_noticed_and_its_migration_is_taken_back(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ground, "deploy", lambda _: True)
    with pytest.raises(NotSeen, match="went well"):
        carry_out("Failed deploy", ground)
    assert not list(ground.game.project.migrations.glob("0002*"))


def test_the_restored_environment_is_removed_and_the_first_one_is_not(ground: Ground, world: World) -> None:
    carry_out("Snapshot restored", ground)
    assert [each["StackName"] for each in world.called("DeleteStack")] == [
        f"{NAME}r-{stack}" for stack in ("Jobs", "Database", "Network")
    ]
    assert world.instances == {f"{NAME}-mysql-jobs"}
