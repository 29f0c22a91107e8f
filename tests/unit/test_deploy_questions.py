"""What make deploy and make destroy ask, what counts as a yes, and what protects an environment from the second."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest

from delivery import farewell, question
from delivery.aws import DeployedStack
from delivery.refusal import Refused
from stacks.settings import EnvironmentSettings

Settings = dict[str, EnvironmentSettings]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "typed", "deploys"),
    [
        ("dev", "y", True),
        ("dev", "Yes", True),
        ("dev", "dev", True),
        ("dev", "n", False),
        ("dev", "", False),
        ("dev", "staging", False),
        ("prod", "prod", True),
        ("prod", "y", False),
        ("prod", "Prod", False),
        ("prod", "", False),
    ],
)
def test_a_protected_environment_has_to_be_named_and_others_take_a_yes(
    environment: str, typed: str, deploys: bool, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(f"{typed}\n"))
    assert question.deploy(settings[environment]) is deploys


def test_the_question_names_the_account_and_the_region(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("\n"))
    question.deploy(settings["prod"])
    assert capsys.readouterr().out == (
        "\nDeploy to prod (account 333333333333, eu-central-1)? Type the environment's name: "
    )


def test_a_deploy_is_not_answered_by_a_pipe(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(Refused, match="`make deploy ENV=dev YES=1`"):
        question.deploy(settings["dev"])


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
@pytest.mark.parametrize(("typed", "destroys"), [("dev\n", True), ("y\n", False), ("\n", False), ("", False)])
def test_only_the_name_destroys_typed_or_piped(
    stream: type[io.StringIO], typed: str, destroys: bool, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", stream(typed))
    assert question.destroy(settings["dev"]) is destroys


def _found(*, protected: bool = False, instance: dict[str, Any] | None = None) -> farewell.Found:
    changed = datetime(2026, 11, 24, tzinfo=UTC)
    stack = DeployedStack(name="dev-Database", status="CREATE_COMPLETE", protected=protected, changed=changed)
    return farewell.Found(stacks={stack.name: stack}, instance=instance)


def _instance(*, protected: bool) -> dict[str, Any]:
    return {
        "DBInstanceIdentifier": "dev-mysql-jobs",
        "DBInstanceClass": "db.t4g.micro",
        "AllocatedStorage": 20,
        "DeletionProtection": protected,
    }


def test_what_protects_an_environment_is_named_each_by_itself(settings: Settings) -> None:
    dev = settings["dev"]
    assert list(farewell.protections(dev, _found(instance=_instance(protected=False)))) == []
    assert list(farewell.protections(dev, _found(instance=_instance(protected=True)))) == [
        "RDS protects dev-mysql-jobs from being deleted"
    ]
    assert list(farewell.protections(dev, _found(protected=True))) == [
        "CloudFormation protects dev-Database from being deleted"
    ]
    assert list(farewell.protections(settings["prod"], _found())) == [
        "environments/prod.toml says deletion_protection = true"
    ]


def test_what_stays_depends_on_what_was_there_before(settings: Settings) -> None:
    key = "arn:aws:kms:eu-central-1:111111111111:key/00000000-0000-0000-0000-000000000000"
    network = settings["dev"].network.model_copy(update={"vpc_id": "vpc-01234567", "cidr": None})
    monitored = settings["dev"].database.model_copy(update={"monitoring_seconds": 60})
    changed = {"network": network, "encryption_key": key, "database": monitored}
    given = settings["dev"].model_copy(update=changed)
    found = _found(instance=_instance(protected=False))
    ours, theirs = ("\n".join(farewell.explanation(each, found)) for each in (settings["dev"], given))
    goes, stays = theirs.split("\nStays")
    assert "VPC" not in goes
    assert "- the VPC vpc-01234567, which was there before\n" in stays
    assert f"- your key {key}\n" in stays
    assert "RDSOSMetrics" in stays
    assert "- the VPC 10.10.0.0/20\n" in ours.split("\nStays")[0]
    assert "RDSOSMetrics" not in ours


def test_without_a_database_nothing_is_said_of_a_snapshot(settings: Settings) -> None:
    assert "a final snapshot" not in "\n".join(farewell.explanation(settings["dev"], _found()))
