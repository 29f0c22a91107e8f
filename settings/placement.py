"""Which stack each job of an environment is in.

CloudFormation allows a stack 500 resources. So the jobs of an environment fill one stack after the other, and each
stays where it is, whatever is added or removed: moved, it would be deleted in one stack, with its log and its dead
letters, and made in another, where AWS refuses it, as the first still has the name.

While all fit the first stack there is nothing to remember. From then on environments/<name>.stacks.json says it: it is
settled by `make snapshots` and `make job`, and committed, so a synthesis is the same everywhere.
"""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from settings.project import Project

RESOURCES_PER_STACK = 500
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"""
RESOURCES_PER_JOB = 18
"""Counted in its template; a test holds it against that."""
FIRST, FURTHER = 20, 25
"""How many jobs a stack takes in: the first one has the migrations, the proxy and the database's alarms, too, and both
have some room for what a team adds in resources.py. Raised, these move nobody: they count for newcomers only."""

Places = Mapping[str, Sequence[str]]
"""The jobs in each stack, by the stack's name."""


def stack_name(number: int) -> str:
    """Return the name of the stack with this number, without the environment's: Jobs, Jobs-2, Jobs-3 …"""
    return "Jobs" if number == 1 else f"Jobs-{number}"


def settled(places: Places, jobs: Iterable[str]) -> dict[str, list[str]]:
    """Return where `jobs` are: each where `places` has it, the others in the first stack with room, by their names.

    A job that is gone frees its room. A stack that has no jobs any more is still named, as the app has to have it: what
    is not in the app, no deploy changes, and its jobs would run on.
    """
    wanted = set(jobs)
    found = {stack: [job for job in there if job in wanted] for stack, there in places.items()}
    placed = {job for there in found.values() for job in there}
    for job in sorted(wanted - placed):
        found.setdefault(_with_room(found), []).append(job)
    return {stack: sorted(there) for stack, there in found.items()}


def _with_room(places: Places) -> str:
    number = 1
    while len(places.get(stack_name(number), ())) >= (FIRST if number == 1 else FURTHER):
        number += 1
    return stack_name(number)


def places(project: Project, environment: str, jobs: Sequence[str]) -> dict[str, list[str]]:
    """Return the jobs in each stack, the first stack first.

    Raises:
        ValueError: that is not settled; the message says which file is wrong, why, and what to do.
    """
    if mistakes := list(placement_mistakes(project, environment, jobs)):
        raise ValueError("\n".join(mistakes))
    return settled(_read(project, environment) or {stack_name(1): jobs}, jobs)


def placement_mistakes(project: Project, environment: str, jobs: Sequence[str]) -> Iterator[str]:
    """Why it is not settled where `jobs` are, and what to do."""
    file = _file(project, environment)
    where, do = f"{file.parent.name}/{file.name}", "run `make snapshots`, and commit it"
    try:
        there = _read(project, environment)
    except ValueError as error:
        yield f"{where}: {error}: take the committed one back (`git checkout`), or correct it"
        return
    if not there:
        if len(jobs) > FIRST:
            yield (
                f"{where}: is not there, and says which stack each job is in once there are more than {FIRST}, which "
                f"is what one stack holds: {do}"
            )
        return
    times = Counter(job for stack in there.values() for job in stack)
    if twice := sorted(job for job, number in times.items() if number > 1):
        yield f"{where}: {', '.join(twice)} in two stacks: keep the one that it is deployed in"
    if missing := sorted(set(jobs) - times.keys()):
        yield f"{where}: says of {', '.join(missing)} not in which stack: {do}"


def settle(project: Project, environment: str, *, before: Places) -> Path | None:
    """Write where the jobs of the environment are, and return the file; None if all are in the first stack.

    `before` is where they were, if no file says so.
    """
    jobs = _jobs(project.environments / f"{environment}.toml")
    file = _file(project, environment)
    with suppress(ValueError):  # what is wrong with it, the synthesis says
        text = placement_text(settled(_read(project, environment) or before, jobs))
        if text is not None:
            file.write_text(text)
            return file
    return None


def placement_text(places: Places) -> str | None:
    """Return what the file says of `places`; None if there need not be one."""
    return json.dumps(places, indent=2) + "\n" if len(places) > 1 else None


def with_newcomer(project: Project, environment: str, job: str) -> tuple[Path, str | None]:
    """Return the environment's file, and what it has to say once `job` is added; None if there need not be one.

    Raises:
        ValueError: the file can't be read; the message says why.
    """
    jobs = _jobs(project.environments / f"{environment}.toml")
    there = _read(project, environment) or {stack_name(1): jobs}
    return _file(project, environment), placement_text(settled(there, [*jobs, job]))


def _file(project: Project, environment: str) -> Path:
    return project.environments / f"{environment}.stacks.json"


def _read(project: Project, environment: str) -> dict[str, list[str]]:
    file = _file(project, environment)
    if not file.exists():
        return {}
    found = json.loads(file.read_text())
    if not isinstance(found, dict) or not all(
        isinstance(jobs, list) and all(isinstance(job, str) for job in jobs) for jobs in found.values()
    ):
        raise ValueError('is no list of jobs for each stack, like {"Jobs": ["heartbeat"], "Jobs-2": []}')
    numbers = range(1, len(found) + 1)
    if list(found) != [stack_name(number) for number in numbers]:
        raise ValueError(f"has the stacks {', '.join(found)}, and not {', '.join(map(stack_name, numbers))}")
    return found


def _jobs(file: Path) -> list[str]:
    """The names in [[jobs]] of an environment file, whatever else is wrong with it."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return [str(job["name"]) for job in tomllib.loads(file.read_text(encoding="utf-8-sig")).get("jobs", [])]
    return []
