"""A yes is for one danger of one resource in one change; a yes that is for nothing else is a mistake, and said."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from review import diff
from review.danger import Danger
from review.diff import review, status
from review.report import EnvironmentReview, markdown
from review.templates import SynthesizedEnvironment

Resources = dict[str, Any]


def _resource(name: str, path: str, kind: str, policy: str, **properties: Any) -> tuple[str, Resources]:
    metadata = {"aws:cdk:path": f"{name}/{path}/Resource"}
    found = {"Type": kind, "Properties": properties, "Metadata": metadata, "DeletionPolicy": policy}
    return path.replace("/", ""), {**found, "UpdateReplacePolicy": policy}


def _before(name: str) -> Resources:
    return dict(
        [
            _resource(
                name,
                "Database/Instance",
                "AWS::RDS::DBInstance",
                "Snapshot",
                DeletionProtection=True,
                BackupRetentionPeriod=7,
            ),
            _resource(name, "Database/Letters", "AWS::SQS::Queue", "Retain", MessageRetentionPeriod=100),
        ]
    )


def _fewer_backups(resources: Resources) -> None:
    resources["DatabaseInstance"]["Properties"]["BackupRetentionPeriod"] = 1


def _unprotected(resources: Resources) -> None:
    resources["DatabaseInstance"]["Properties"]["DeletionProtection"] = False


def _dangers(before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> list[Danger]:
    one, other = ({each.path: each.properties for each in some.resources.values()} for some in (before, after))
    old, new = one["Database/Instance"], other["Database/Instance"]
    found = [("data", "fewer-backups", "BackupRetentionPeriod"), ("protection", "unprotected", "DeletionProtection")]
    return [
        Danger(kind=kind, code=code, resource="Database/Instance", text=f"`{key}` is less")
        for kind, code, key in found
        if new[key] < old[key]
    ]


MIGRATION = Danger(kind="data", code="dropped", resource="migrations/0002_drop.sql", text="drops `event`")


class Pull:
    """A pull request: two checkouts and what they synthesize, with the environments basic and large."""

    def __init__(self, folder: Path) -> None:
        self.base, self.change = folder / "base", folder / "change"
        for project in (self.base, self.change):
            (project / "environments").mkdir(parents=True)
            (project / "lambda" / "migrations").mkdir(parents=True)
            (project / "lambda" / "migrations" / "0001_event.sql").touch()
            for name in ("basic", "large"):
                self.write(project, name)
                self.synthesized(project, name, _before(name))

    def write(self, project: Path, name: str, *entries: tuple[str, str, str]) -> None:
        """The environment's file with these entries: resource, danger and reason."""
        text = "\n".join(
            f'[[accept_change]]\nresource = "{resource}"\ndanger = "{danger}"\nreason = "{reason}"\n'
            for resource, danger, reason in entries
        )
        (project / "environments" / f"{name}.toml").write_text(f'account = "111111111111"\n\n{text}')

    def synthesized(self, project: Path, name: str, resources: Resources) -> None:
        folder = project / "cdk.out" / f"assembly-{name}"
        folder.mkdir(parents=True, exist_ok=True)
        stack = {
            "type": "aws:cloudformation:stack",
            "environment": "aws://111111111111/eu-central-1",
            "properties": {"stackName": f"{name}-Database", "templateFile": "database.json"},
        }
        (folder / "manifest.json").write_text(json.dumps({"artifacts": {"database": stack}}))
        (folder / "database.json").write_text(json.dumps({"Resources": resources}))

    def changed(self, name: str, *changes: Any) -> None:
        resources = _before(name)
        for change in changes:
            change(resources)
        self.synthesized(self.change, name, resources)

    def reviewed(self, accept: str = "", migrations: tuple[Danger, ...] = ()) -> dict[str, EnvironmentReview]:
        found = review(
            self.base, self.base / "cdk.out", self.change, self.change / "cdk.out", accept, migrations=migrations
        )
        return {each.name: each for each in found}


@pytest.fixture
def pull(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pull:
    # What is a danger is another subject, tests/review/test_judgement.py: here are two, each with a code.
    monkeypatch.setattr(diff, "dangers", _dangers)
    return Pull(tmp_path)


def _status(reviews: Mapping[str, EnvironmentReview]) -> int:
    return status(list(reviews.values()))


def test_one_danger_is_accepted_and_another_of_the_same_resource_is_not(pull: Pull) -> None:
    pull.changed("basic", _fewer_backups, _unprotected)
    pull.write(pull.change, "basic", ("Database/Instance", "fewer-backups", "it is basic"))
    reviews = pull.reviewed()
    assert [each.code for each in reviews["basic"].open] == ["unprotected"]
    assert _status(reviews) == 4
    pull.write(
        pull.change,
        "basic",
        ("Database/Instance", "fewer-backups", "it is basic"),
        ("Database/Instance", "unprotected", "it goes"),
    )
    reviews = pull.reviewed()
    assert (reviews["basic"].open, reviews["basic"].mistakes, _status(reviews)) == ([], (), 3)
    text = markdown("Changes", list(reviews.values()), ())
    assert "it is basic" in text
    assert "it goes" in text


def test_all_is_accepted_at_once_for_a_reason_but_an_entry_of_the_file_keeps_its_own(pull: Pull) -> None:
    pull.changed("basic", _fewer_backups, _unprotected)
    pull.write(pull.change, "basic", ("Database/Instance", "fewer-backups", "it is basic"))
    reviews = pull.reviewed(accept="all of it")
    assert set(reviews["basic"].accepted.values()) == {"it is basic", "all of it"}
    assert _status(reviews) == 3


@pytest.mark.parametrize(
    ("resource", "danger", "said"),
    [
        ("Database/Instanse", "fewer-backups", "there is no such resource: did you mean Database/Instance?"),
        ("Database/Leters", "fewer-backups", "there is no such resource: did you mean Database/Letters?"),
        (
            "migrations/0001_evnt.sql",
            "fewer-backups",
            "there is no such resource: did you mean migrations/0001_event.sql?",
        ),
        ("Nothing", "fewer-backups", "there is no such resource: write it as the report does, or remove the entry"),
        ("Database/Instance", "fewer-backupss", "that danger did not come: did you mean fewer-backups?"),
        ("Database/Instance", "xyz", "that danger did not come: write fewer-backups"),
        ("Database/Letters", "fewer-backups", "nothing of it needs a yes: remove the entry"),
        ("migrations/0001_event.sql", "dropped", "nothing of it needs a yes: remove the entry"),
    ],
)
def test_a_yes_that_is_for_nothing_fails_and_says_what_was_likely_meant(
    resource: str, danger: str, said: str, pull: Pull
) -> None:
    pull.changed("basic", _fewer_backups)
    pull.write(pull.change, "basic", ("Database/Instance", "fewer-backups", "fine"), (resource, danger, "so"))
    reviews = pull.reviewed()
    [mistake] = reviews["basic"].mistakes
    assert mistake == f'environments/basic.toml: `"{resource}"`, `"{danger}"`: {said}'
    assert reviews["basic"].open == []
    assert _status(reviews) == 4
    text = markdown("Changes", list(reviews.values()), ())
    assert "**Not accepted yet**" in text
    assert said in text.replace("`", "")


def test_all_mistakes_are_said_at_once(pull: Pull) -> None:
    pull.changed("basic", _fewer_backups)
    pull.write(pull.change, "basic", ("Databse/Instance", "fewer-backups", "so"), ("Database/Instance", "xyz", "so"))
    pull.write(pull.change, "large", ("Database/Instance", "unprotected", "so"))
    reviews = pull.reviewed()
    assert [len(each.mistakes) for each in reviews.values()] == [2, 1]


def test_a_yes_in_the_file_of_another_environment_says_in_which_one_the_danger_came(pull: Pull) -> None:
    pull.changed("large", _fewer_backups)
    pull.write(pull.change, "basic", ("Database/Instance", "fewer-backups", "so"))
    reviews = pull.reviewed()
    [mistake] = reviews["basic"].mistakes
    assert mistake.endswith(": that danger comes in large only: move it to environments/large.toml")
    assert len(reviews["large"].open) == 1
    assert _status(reviews) == 4


def test_a_migration_is_accepted_by_its_file_in_each_environment(pull: Pull) -> None:
    pull.write(pull.change, "basic", (MIGRATION.resource, MIGRATION.code, "nobody reads it"))
    reviews = pull.reviewed(migrations=(MIGRATION,))
    assert (reviews["basic"].open, reviews["large"].open) == ([], [MIGRATION])
    assert (reviews["basic"].mistakes, reviews["large"].mistakes) == ((), ())


def test_a_resource_that_has_the_environments_name_is_named_as_the_report_does(pull: Pull) -> None:
    named = Danger(kind="access", code="open", resource="Database/<environment>-files", text="is public")
    pull.write(pull.change, "basic", ("Database/<environment>-files", "open", "so"))
    pull.write(pull.change, "large", ("Database/large-files", "open", "so"))
    reviews = pull.reviewed(migrations=(named,))
    assert [(each.open, each.mistakes) for each in reviews.values()] == [([], ()), ([], ())]


def test_a_yes_of_an_earlier_change_is_somebody_elses_and_only_noted(pull: Pull) -> None:
    for project in (pull.base, pull.change):
        pull.write(project, "basic", ("Database/Instance", "fewer-backups", "last year"), ("Gone/Long", "ago", "so"))
    reviews = pull.reviewed()
    assert (len(reviews["basic"].done), reviews["basic"].mistakes, _status(reviews)) == (2, (), 0)
    assert "Gone/Long" in markdown("Changes", list(reviews.values()), ())


def test_a_yes_of_an_earlier_change_is_none_for_the_same_danger_when_it_comes_again(pull: Pull) -> None:
    for project in (pull.base, pull.change):
        pull.write(project, "basic", ("Database/Instance", "fewer-backups", "last year"))
    pull.changed("basic", _fewer_backups)
    reviews = pull.reviewed()
    [mistake] = reviews["basic"].mistakes
    assert "was for an earlier change, and the danger comes again" in mistake
    assert '"last year"' in mistake
    assert len(reviews["basic"].open) == 1
    assert _status(reviews) == 4
    pull.write(pull.change, "basic", ("Database/Instance", "fewer-backups", "and this year"))
    reviews = pull.reviewed()
    assert (reviews["basic"].open, reviews["basic"].mistakes, _status(reviews)) == ([], (), 3)


def test_an_entry_of_a_base_that_is_older_than_the_codes_of_dangers_is_no_mistake(pull: Pull) -> None:
    (pull.base / "environments" / "basic.toml").write_text('[[accept_change]]\nresource = "A"\nreason = "so"\n')
    assert _status(pull.reviewed()) == 0


def test_what_an_entry_says_is_no_markdown(pull: Pull) -> None:
    pull.write(pull.change, "basic", ("`<b>", "x", "so"))
    [mistake] = pull.reviewed()["basic"].mistakes
    assert mistake.startswith('environments/basic.toml: `"\'<b>"`, `"x"`: ')
