"""At the end nothing is left, whatever state the environment was in; and only what a game day made is removed."""

import pytest

from gameday import remains
from gameday.project import RESTORED
from gameday.waiting import NotSeen
from tests.gameday.conftest import NAME
from tests.gameday.world import World


def remove(world: World) -> list[str]:
    said: list[str] = []
    remains.remove(world, NAME, progress=said.append)
    return said


def test_everything_that_is_left_is_named_and_removed(world: World) -> None:
    world.snapshots = {f"{NAME}-mysql-jobs-taken": 2}
    assert [each.partition(" (")[0] for each in remains.left(world, NAME)] == [
        f"the stack {NAME}-Jobs",
        f"the stack {NAME}-Database",
        f"the stack {NAME}-Network",
        f"the instance {NAME}-mysql-jobs",
        f"the snapshot {NAME}-mysql-jobs-taken",
        "the automated backups of db-RETAINED",
        f"the queue {NAME}-notifications",
        f"the log group /aws/lambda/{NAME}-Jobs-Trigger",
    ]
    remove(world)
    assert remains.left(world, NAME) == []
    assert world.log_groups == ["/aws/lambda/other-Jobs"]


def test_stacks_go_before_those_that_they_need(world: World) -> None:
    remove(world)
    deleted = [each["StackName"] for each in world.called("DeleteStack")]
    assert deleted == [f"{NAME}-Jobs", f"{NAME}-Database", f"{NAME}-Network"]


def test_what_cloudformation_is_at_work_on_is_waited_for(world: World) -> None:
    world.stacks_there[f"{NAME}-Jobs"] = "UPDATE_ROLLBACK_IN_PROGRESS"
    looks = iter(["UPDATE_ROLLBACK_IN_PROGRESS"] * 4 + ["UPDATE_ROLLBACK_COMPLETE"] * 2)
    normal = world.DescribeStacks

    def describe(parameters: dict[str, str]) -> dict[str, object]:
        if parameters["StackName"].endswith("-Jobs") and parameters["StackName"] in world.stacks_there:
            world.stacks_there[f"{NAME}-Jobs"] = next(looks)
        return normal(parameters)

    world.breaks["DescribeStacks"] = describe  # type: ignore[assignment]
    said = remove(world)
    assert said[0].startswith(f"CloudFormation is at work on {NAME}-Jobs")
    assert world.stacks_there == {}


def test_what_is_being_created_is_deleted_at_once(world: World) -> None:
    world.stacks_there[f"{NAME}-Jobs"] = "CREATE_IN_PROGRESS"
    assert "at work" not in remove(world)[0]


def test_a_stack_that_can_not_be_deleted_is_tried_again_and_named_then(world: World) -> None:
    def fail(parameters: dict[str, str]) -> dict[str, object]:
        world.stacks_there[parameters["StackName"]] = "DELETE_FAILED"
        return {}

    world.breaks["DeleteStack"] = fail  # type: ignore[assignment]
    with pytest.raises(NotSeen, match=f"{NAME}-Jobs could not be deleted"):
        remove(world)
    assert len(world.called("DeleteStack")) == remains.ATTEMPTS


def test_an_instance_without_its_stack_is_deleted_without_a_final_snapshot(world: World) -> None:
    del world.stacks_there[f"{NAME}-Database"]
    remove(world)
    [deleted] = world.called("DeleteDBInstance")
    assert (deleted["SkipFinalSnapshot"], deleted["DeleteAutomatedBackups"]) == (True, True)


def test_only_a_stack_with_the_mark_is_a_game_days(world: World) -> None:
    [stack] = world.stacks([f"{NAME}-Jobs"]).values()
    assert remains.is_a_game_days(world, stack)
    world.marked = False
    assert not remains.is_a_game_days(world, stack)


def test_the_other_environments_names_are_not_taken_for_its_own(world: World) -> None:
    world.log_groups = [f"/aws/lambda/{NAME}{RESTORED}-Jobs-Trigger", f"/aws/lambda/{NAME}x-Jobs"]
    remove(world)
    assert len(world.log_groups) == 2
