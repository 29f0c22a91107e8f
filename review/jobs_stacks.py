"""The stacks of an environment's jobs, read as if they were one: which a job is in says nothing about its access."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from review.templates import Resource, SynthesizedEnvironment

FIRST = "Jobs"
"""See settings/placement.py."""
PATH = f"{FIRST}/Job-"
"""Where jobs are: see stacks/jobs/jobs.py."""
STARTS = f"{FIRST}/ScheduleRole"
"""The role that starts the jobs of a stack: each stack has one."""
OF_JOB = re.compile(rf"{FIRST}(?:-\d+)?/Job-([^/]+)")
"""Where a job is, in whichever of the stacks."""
ANY = re.compile(rf"\b{FIRST}-\d+(?=/|$)")


def job_of(path: str) -> str:
    """The job that a construct with this path is a part of; empty if of none."""
    found = OF_JOB.match(path)
    return found[1] if found else ""


def part_of(path: str) -> str:
    """Where in its job a construct is: Job/Function."""
    return OF_JOB.sub("", path).removeprefix("/")


def in_one_stack(environment: SynthesizedEnvironment) -> SynthesizedEnvironment:
    """Return `environment` with all of its jobs in the first stack of jobs."""
    first = {each.path for each in environment.resources.values() if each.stack == FIRST}
    found = {
        key: each if _taken(each, first) else _in_first(each)
        for key, each in environment.resources.items()
        if each.kind != "Stack"
    }
    stacks = {
        key: each for key, each in environment.resources.items() if each.kind == "Stack" and not ANY.match(each.stack)
    }
    return replace(environment, resources=stacks | found)


def _taken(resource: Resource, first: set[str]) -> bool:
    """Whether another resource has the place already."""
    path = ANY.sub(FIRST, resource.path)
    return bool(ANY.match(resource.stack)) and path in first and not path.startswith(STARTS)


def _in_first(resource: Resource) -> Resource:
    # The others refer to nothing in each other, and only they are referred to as Jobs-2/…
    text = json.dumps(resource.properties)
    return replace(
        resource,
        stack=ANY.sub(FIRST, resource.stack),
        path=ANY.sub(FIRST, resource.path),
        properties=json.loads(ANY.sub(FIRST, text)) if ANY.search(text) else resource.properties,
    )
