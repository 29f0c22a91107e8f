"""Which stack each job is in: nobody is ever moved, room is used again, and what is not settled is said."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from settings.files import SettingsError, load_environment
from settings.placement import FIRST, FURTHER, placement_mistakes, places, settle, settled, with_newcomer
from settings.project import Project
from tests.fixture import PROJECT

JOBS = st.sets(st.integers(0, 120).map(lambda number: f"job{number}"), max_size=110)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.environments.mkdir()
    made.jobs.mkdir(parents=True)
    return made


@given(st.lists(JOBS, min_size=1, max_size=8))
@examples(max_examples=200, deadline=None)
def test_whatever_is_added_and_removed_moves_nobody(changes: list[set[str]]) -> None:
    there: dict[str, list[str]] = {}
    for jobs in changes:
        before, there = _stacks(there), settled(there, jobs)
        after = _stacks(there)
        assert after.keys() == jobs
        assert sum(map(len, there.values())) == len(jobs)  # each is in one stack
        assert all(after[job] == before[job] for job in before.keys() & jobs)


@given(st.lists(JOBS, min_size=1, max_size=8))
@examples(max_examples=200, deadline=None)
def test_stacks_fill_up_one_after_the_other_and_none_is_forgotten(changes: list[set[str]]) -> None:
    there: dict[str, list[str]] = {}
    for jobs in changes:
        before, there = there, settled(there, jobs)
        assert list(there)[: len(before)] == list(before)  # an empty one is still deployed
        room = [(FIRST if stack == "Jobs" else FURTHER) - len(inside) for stack, inside in there.items()]
        assert all(left >= 0 for left in room)
        newcomers = jobs - _stacks(before).keys()
        for job in newcomers:
            lower = list(there)[: list(there).index(_stacks(there)[job])]
            assert all(len(there[stack]) == (FIRST if stack == "Jobs" else FURTHER) for stack in lower)


@given(JOBS)
def test_it_is_the_same_in_whatever_order_the_jobs_are_named(jobs: set[str]) -> None:
    assert settled({}, sorted(jobs)) == settled({}, sorted(jobs, reverse=True))


def test_a_stack_that_is_over_full_keeps_what_it_has_and_takes_no_more() -> None:
    # As two branches that both took the last room merge to.
    full = [f"job{number:02}" for number in range(FIRST + 1)]
    assert settled({"Jobs": full}, [*full, "more"]) == {"Jobs": full, "Jobs-2": ["more"]}


def test_while_all_fit_the_first_stack_there_is_no_file(project: Project) -> None:
    _write(project, range(FIRST))
    assert settle(project, "one", before={}) is None
    assert list(project.environments.glob("*.json")) == []
    assert list(load_environment(project, "one").jobs)


def test_more_are_refused_until_it_is_settled_where_they_are(project: Project) -> None:
    _write(project, range(FIRST + 2))
    with pytest.raises(SettingsError, match=r"^environments/one\.stacks\.json: is not there, .*: run `make snapshots`"):
        load_environment(project, "one")
    before = [f"job{number:03}" for number in range(1, FIRST + 1)]
    file = settle(project, "one", before={"Jobs": before})
    assert file is not None
    # Not by their names alone: those that were deployed in the first stack are there.
    assert json.loads(file.read_text()) == {"Jobs": before, "Jobs-2": ["job000", f"job{FIRST + 1:03}"]}
    load_environment(project, "one")


def test_a_newcomer_is_refused_until_it_is_settled_and_a_removed_job_is_not(project: Project) -> None:
    _write(project, range(FIRST + 2))
    file = settle(project, "one", before={})
    assert file is not None
    _write(project, range(1, FIRST + 2))
    load_environment(project, "one")  # its entry does no harm
    _write(project, [*range(1, FIRST + 2), 99])
    with pytest.raises(SettingsError, match=r"one\.stacks\.json: says of job099 not in which stack: run `make snapsh"):
        load_environment(project, "one")
    settle(project, "one", before={})
    assert json.loads(file.read_text())["Jobs"][-1] == "job099"  # in the room of the removed one


def test_an_emptied_stack_stays_in_the_file_so_that_a_deploy_deletes_what_was_in_it(project: Project) -> None:
    _write(project, range(FIRST + 1))
    file = settle(project, "one", before={})
    assert file is not None
    _write(project, range(FIRST))
    settle(project, "one", before={})
    assert json.loads(file.read_text())["Jobs-2"] == []
    assert places(project, "one", [f"job{number:03}" for number in range(FIRST)])["Jobs-2"] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Expecting property name"),
        ("[]", "is no list of jobs for each stack"),
        ('{"Jobs": "a"}', "is no list of jobs for each stack"),
        ('{"Jobs": [], "Jobs-3": []}', "has the stacks Jobs, Jobs-3, and not Jobs, Jobs-2"),
        ('{"Jobs": ["a", "b"], "Jobs-2": ["a"]}', "a in two stacks: keep the one that it is deployed in"),
    ],
)
def test_what_is_wrong_in_the_file_is_said_and_never_overwritten(project: Project, text: str, message: str) -> None:
    file = project.environments / "one.stacks.json"
    file.write_text(text)
    [mistake] = placement_mistakes(project, "one", ["a"])
    assert mistake.startswith(f"environments/one.stacks.json: {message}")
    with pytest.raises(ValueError, match=r"one\.stacks\.json"):
        places(project, "one", ["a"])


def test_a_new_job_is_settled_with_those_before_it_in_the_first_stack(project: Project) -> None:
    _write(project, range(FIRST))
    file, text = with_newcomer(project, "one", "a")
    assert file.name == "one.stacks.json"
    assert json.loads(text or "")["Jobs-2"] == ["a"]
    _write(project, range(FIRST - 1))
    assert with_newcomer(project, "one", "a")[1] is None


def _stacks(places: dict[str, list[str]]) -> dict[str, str]:
    return {job: stack for stack, jobs in places.items() for job in jobs}


def _write(project: Project, numbers: "range | list[int]") -> None:
    names = [f"job{number:03}" for number in numbers]
    for name in names:
        project.job_file(name).write_text((PROJECT.jobs / "pulse.py").read_text())
    head = (PROJECT.environments / "basic.toml").read_text().partition("[[jobs]]")[0].replace("t4g.micro", "t4g.large")
    jobs = "".join(f'[[jobs]]\nname = "{name}"\nschedule = "rate(5 minutes)"\n' for name in names)
    (project.environments / "one.toml").write_text(head + jobs)
