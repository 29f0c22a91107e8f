"""Exercises on deploys: again, failing, with the proxy; and what CloudFormation finds changed at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gameday.exercise import Exercise
from gameday.ground import BACK_SECONDS, Ground
from gameday.waiting import NotSeen, require, until

BAD = "0002_fails"
BAD_SQL = "ALTER TABLE trace ADD INDEX (no_such_column);\n"
DRIFT_SECONDS = 900
DRIFTED = ("MODIFIED", "DELETED")


def again(ground: Ground) -> str:
    """A second deploy of the same changes nothing."""
    assembly = ground.synthesize()
    before = ground.aws.stacks(assembly.names)
    count, text = assembly.diff()
    require(count == 0, f"{count} stacks differ from what was just deployed:\n{text}")
    require(assembly.deploy(), "the second deploy failed")
    require(ground.aws.stacks(assembly.names) == before, "a stack was changed")
    return f"no difference; the {len(before)} stacks are as they were"


def rolled_back(ground: Ground) -> str:
    """A deploy whose migration fails leaves everything as it was, and the jobs go on."""
    before = ground.next_run()
    jobs = f"{ground.name}-Jobs"
    variables = ground.variables("beat")
    file = ground.game.project.migrations / f"{BAD}.sql"
    file.write_text(BAD_SQL)
    try:
        require(not ground.deploy(), "the deploy went well, with a migration that can't")
    finally:
        file.unlink()
    status = ground.aws.stacks([jobs])[jobs].status
    require(status == "UPDATE_ROLLBACK_COMPLETE", f"{jobs} is in {status}")
    require(ground.variables("beat") == variables, "the function is not as it was")
    ground.next_run(seconds=BACK_SECONDS)
    ground.unbroken("beat", before)
    return f"{jobs} is {status}; runs went on, and no window was lost"


def proxy(ground: Ground) -> str:
    """The proxy goes on and off (or off and on) with a deploy each, and jobs notice nothing."""
    before = ground.next_run()
    was = ground.settings.proxy.enabled
    seen = []
    try:
        for enabled in (not was, was):
            ground.game.change("proxy", enabled=enabled)
            require(ground.deploy(), f"the deploy with proxy.enabled = {enabled} failed")
            seen.append(ground.variables("beat")["DATABASE_ENDPOINT"])
            ground.next_run(seconds=BACK_SECONDS)
    finally:
        ground.game.change("proxy", enabled=was)
    wanted = ["instance", "proxy"] if was else ["proxy", "instance"]
    require(seen == wanted, f"the runs connected to {seen}")
    ground.unbroken("beat", before)
    return f"runs by way of the {' and then the '.join(seen)}; no window was lost"


def drift(ground: Ground) -> str:
    """After all that was done and undone, everything is as the templates say."""
    client = ground.client("cloudformation")
    looked = 0
    for stack in ground.stacks:
        detection = client.detect_stack_drift(StackName=stack)["StackDriftDetectionId"]

        def look(detection: str = detection) -> str | None:
            found = client.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
            status: str = found["DetectionStatus"]
            return None if status == "DETECTION_IN_PROGRESS" else f"{status}: {found.get('DetectionStatusReason', '')}"

        ended = until(f"end of the drift detection of {stack}", look, seconds=DRIFT_SECONDS)
        drifts = [each for each in _drifts(client, stack) if each["StackResourceDriftStatus"] != "NOT_CHECKED"]
        looked += len(drifts)
        if drifted := [each["LogicalResourceId"] for each in drifts if each["StackResourceDriftStatus"] in DRIFTED]:
            raise NotSeen(f"{stack}: {', '.join(drifted)} drifted")
        require(ended.startswith("DETECTION_COMPLETE"), f"{stack}: {ended}")
    return f"none of {looked} resources that can be compared"


def _drifts(client: Any, stack: str) -> list[Mapping[str, str]]:
    """What the last detection found; botocore has no paginator for it."""
    found: list[Mapping[str, str]] = []
    token: dict[str, str] = {}
    while True:
        page = client.describe_stack_resource_drifts(StackName=stack, **token)
        found += page["StackResourceDrifts"]
        if "NextToken" not in page:
            return found
        token = {"NextToken": page["NextToken"]}


EXERCISES = (
    Exercise(
        title="Deployed again",
        done="the same once more",
        minutes=3,
        carry_out=again,
    ),
    Exercise(
        title="Failed deploy",
        done="a migration that fails, deployed",
        minutes=10,
        carry_out=rolled_back,
    ),
    Exercise(
        title="Proxy on and off",
        done="the setting changed and deployed, twice",
        minutes=30,
        carry_out=proxy,
    ),
)
LATE = (
    Exercise(
        title="Drift",
        done="CloudFormation compared what is there with what it made",
        minutes=5,
        carry_out=drift,
    ),
)
"""At the end, when everything was changed and put back."""
