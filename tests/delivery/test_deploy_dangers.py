"""What a deploy asks about: what it does to what is deployed, once for each decision, and by whom it is answered."""

import io
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from delivery import dangers, question
from delivery.assembly import Assembly
from delivery.aws import Aws, DeployedStack
from delivery.dangers import Found
from delivery.refusal import Refused
from review.danger import Danger
from settings.environment import AcceptedChange, EnvironmentSettings
from tests.fixture import ENVIRONMENTS

Templates = dict[str, dict[str, Any]]
"""What is deployed, by the names of the stacks."""

ONE = Danger(kind="data", code="gone", resource="Database/Instance", text="would be deleted", then="It is lost")
SAME = Danger(kind="data", code="gone", resource="Database/Instance", text="its snapshots, too")
OTHER = Danger(kind="protection", code="bare", resource="Database/Instance", text="`<environment>-x` is bare")


class Deployed(Aws):
    """An account in which templates are deployed."""

    def __init__(self, templates: Templates, status: Mapping[str, str] | None = None) -> None:
        super().__init__("eu-central-1")
        self._templates = templates
        changed = datetime(2026, 11, 24, tzinfo=UTC)
        self.there = {
            name: DeployedStack(
                name=name,
                status=(status or {}).get(name, "UPDATE_COMPLETE"),
                protected=False,
                changed=changed,
            )
            for name in templates
        }

    def template(self, stack: str) -> Mapping[str, Any]:
        return self._templates[stack]


@pytest.fixture
def basic(assembly: Path) -> Assembly:
    return Assembly(folder=assembly, environment="basic")


@pytest.fixture
def as_it_is(basic: Assembly) -> Callable[[], Templates]:
    return lambda: {name: json.loads(json.dumps(basic.template(name))) for name in basic.names}


def _found(assembly: Assembly, aws: Deployed, settings: EnvironmentSettings = ENVIRONMENTS["basic"]) -> Found:
    return dangers.found(settings, assembly, aws, aws.there)


def _protected_before(templates: Templates) -> Templates:
    """Deployed with a protection that the change takes away."""
    for resource in templates["basic-Database"]["Resources"].values():
        if resource["Type"] == "AWS::RDS::DBInstance":
            resource["Properties"]["DeletionProtection"] = True
    return templates


def test_what_is_deployed_already_is_no_danger(basic: Assembly, as_it_is: Callable[[], Templates]) -> None:
    found = _found(basic, Deployed(as_it_is()))
    assert (found.dangers, list(found.lines())) == ([], [])
    assert dangers.answered(found)


def test_what_a_deploy_takes_from_what_is_deployed_is_asked_about(
    basic: Assembly, as_it_is: Callable[[], Templates]
) -> None:
    found = _found(basic, Deployed(_protected_before(as_it_is())))
    [(resource, code)] = found.open
    assert resource == "Database/Instance"
    with pytest.raises(Refused, match="YES=1 is none") as refused:
        dangers.answered(found)
    block = f'[[accept_change]]\nresource = "Database/Instance"\ndanger = "{code}"\nreason = ""'
    assert str(refused.value).endswith(f"environments/basic.toml:\n\n{block}")
    assert 'make deploy ENV=basic YES=1 ACCEPT="reason"' in str(refused.value)


def test_the_file_accepts_what_it_names_and_nothing_else_of_that_resource(
    basic: Assembly, as_it_is: Callable[[], Templates]
) -> None:
    aws = Deployed(_protected_before(as_it_is()))
    [(resource, code)] = _found(basic, aws).open

    def with_entry(danger: str) -> EnvironmentSettings:
        entry = AcceptedChange.model_validate({"resource": resource, "danger": danger, "reason": "it goes"})
        return ENVIRONMENTS["basic"].model_copy(update={"accept_change": (entry,)})

    assert _found(basic, aws, with_entry("another")).open == [(resource, code)]
    found = _found(basic, aws, with_entry(code))
    assert found.open == []
    assert "  Accepted: it goes" in list(found.lines())
    assert dangers.answered(found)


def test_a_reason_for_all_answers_all(basic: Assembly, as_it_is: Callable[[], Templates]) -> None:
    aws = Deployed(_protected_before(as_it_is()))
    found = dangers.found(ENVIRONMENTS["basic"], basic, aws, aws.there, accept="it goes")
    assert dangers.answered(found)
    assert "  Accepted: it goes" in list(found.lines())


def test_a_first_deploy_asks_about_nothing(basic: Assembly) -> None:
    assert _found(basic, Deployed({})).dangers == []


def test_a_first_deploy_that_did_not_come_to_its_end_asks_about_nothing_that_was_not_made(
    basic: Assembly, as_it_is: Callable[[], Templates]
) -> None:
    whole = as_it_is()
    never = Deployed(whole, status={"basic-Jobs": "ROLLBACK_COMPLETE"})
    assert _found(basic, never).dangers == []
    only = Deployed({name: whole[name] for name in ("basic-Network", "basic-Database")})
    assert _found(basic, only).dangers == []
    changed = Deployed(_protected_before(whole), status={"basic-Jobs": "REVIEW_IN_PROGRESS"})
    assert len(_found(basic, changed).open) == 1
    # CloudFormation keeps the template of what could not be made.
    neither = {"basic-Database": "ROLLBACK_COMPLETE", "basic-Jobs": "ROLLBACK_COMPLETE"}
    assert _found(basic, Deployed(_protected_before(whole), status=neither)).dangers == []


def _asked(*found: Danger) -> Found:
    return Found(environment="basic", dangers=found, accepted={})


def test_each_decision_is_asked_about_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def danger(resource: str, code: str) -> bool:
        asked.append((resource, code))
        return True

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr(question, "danger", danger)
    assert dangers.answered(_asked(ONE, SAME, OTHER))
    assert asked == [("Database/Instance", "gone"), ("Database/Instance", "bare")]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("typed", "answered"),
    [("gone\nbare\n", True), ("gone\ny\n", False), ("y\n", False), ("bare\ngone\n", False), ("", False)],
)
def test_only_the_code_of_a_danger_says_yes_to_it(typed: str, answered: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    assert dangers.answered(_asked(ONE, OTHER)) is answered


def test_a_pipe_says_no_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("gone\n"))
    with pytest.raises(Refused):
        dangers.answered(_asked(ONE))


def test_a_danger_is_shown_with_what_a_yes_means_and_the_environments_name() -> None:
    assert "\n".join(_asked(ONE, OTHER).lines()) == (
        "\nWhat needs a yes, against what is deployed:\n"
        "\n- Loses data: Database/Instance, gone\n  would be deleted.\n  It is lost.\n  Not accepted yet.\n"
        "\n- Takes protection away: Database/Instance, bare\n  `basic-x` is bare.\n  Not accepted yet."
    )
