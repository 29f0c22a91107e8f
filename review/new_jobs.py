"""The access of a new job is no danger as long as it is what another job has: each to its own resources.

A job's own resources are those made with it (stacks/jobs/scheduled_job.py), recognized by path and name.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from review.grants import Grant
from review.jobs_stacks import PATH, STARTS, job_of
from review.rules import Rule
from review.templates import ENVIRONMENT, Resource, SynthesizedEnvironment, file_name
from settings import names

Access = TypeVar("Access", Grant, Rule)


def unlike_other_jobs(
    added: Iterable[Access],
    old: Sequence[Access],
    new: Sequence[Access],
    before: SynthesizedEnvironment,
    after: SynthesizedEnvironment,
) -> list[Access]:
    """Return the `added` access of others than new jobs, and of new jobs what the most similar old job did not have.

    `old` and `new` are all access in `before` and `after`. New jobs are compared with the jobs in `before`: otherwise a
    change that widens the access of all jobs would pass.
    """
    others = _jobs(before)
    environment = file_name(after.name)
    of_old, of_new = _by_job(old, environment), _by_job(new, environment)
    rest = list(added)
    for job in _jobs(after) - others:
        of_job = [each for each in rest if _owner(each) == job]
        unnamed = [_anonymous(each, job, environment) for each in of_job]
        unlike = [_unlike(of_job, unnamed, of_new[job], of_old[other]) for other in sorted(others)]
        excess = min(unlike, key=len, default=of_job)
        rest = [each for each in rest if each not in of_job or each in excess]
    return rest


def _unlike(
    added: Sequence[Access], unnamed: Sequence[Access], own: Sequence[Access], theirs: Sequence[Access]
) -> list[Access]:
    """Return those of `added` that are not like `theirs`; all but these are without the jobs' names."""
    if not all(any(each.covers(denial) for each in own) for denial in theirs if denial.denies):
        return list(added)  # the other is restricted where this one is not
    return [
        each for each, without in zip(added, unnamed, strict=True) if not any(one.covers(without) for one in theirs)
    ]


def _jobs(environment: SynthesizedEnvironment) -> set[str]:
    return {job for resource in environment.resources.values() if (job := job_of(resource.path))}


def as_of(resource: Resource, old: str, new: str, *, stack: str) -> Resource:
    """Return the resource of the job `old` as it would be of the job `new` in `stack`, one of those of jobs."""
    text = re.sub(rf"(?<![A-Za-z0-9_]){re.escape(old)}(?![A-Za-z0-9_])", new, json.dumps(resource.properties))
    text = re.sub(r"(?<=\{)Jobs(?:-\d+)?(?=/(?:Job-|ScheduleRole|SecurityGroup|Continuations))", stack, text)
    return replace(resource, properties=json.loads(text))


def _by_job(some: Iterable[Access], environment: str) -> Mapping[str, list[Access]]:
    """Each job's own access, without its name."""
    found: dict[str, list[Access]] = defaultdict(list)
    for each in some:
        if job := _owner(each):
            found[job].append(_anonymous(each, job, environment))
    return found


def _owner(access: Grant | Rule) -> str:
    """The job whose own access it is; empty if it is no job's."""
    whose = access.on.removeprefix("{") if isinstance(access, Grant) and access.owner == STARTS else access.owner
    return job_of(whose)


def _anonymous(access: Access, job: str, environment: str) -> Access:
    """Return `access` with <job> instead of path, name, secret and user of `job`; those of other jobs stay."""
    own = re.compile(rf"({PATH}|{ENVIRONMENT}-|{re.escape(names.job_secrets(ENVIRONMENT))}){re.escape(job)}(?!\w)")
    user = names.database_user(environment, job).replace(f"job_{environment}", f"job_{ENVIRONMENT}", 1)
    texts: dict[str, Any] = {
        field.name: re.sub(rf"{re.escape(user)}(?![\w-])", "<user>", own.sub(r"\1<job>", value))
        for field in fields(access)
        if isinstance(value := getattr(access, field.name), str)
    }
    return replace(access, **texts)
