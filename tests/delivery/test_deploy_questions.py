"""What make deploy and make destroy ask, what counts as a yes, and what protects an environment from the second."""

import io
import re
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from delivery import destruction, left_in_database, question
from delivery.aws import DeployedStack
from delivery.refusal import Refused
from settings.environment import AdoptedDatabaseSettings
from settings.project import ROOT
from tests.fixture import ENVIRONMENTS, VARIANTS, load_file


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "typed", "deploys"),
    [
        ("basic", "y", True),
        ("basic", "Yes", True),
        ("basic", "basic", True),
        ("basic", "n", False),
        ("basic", "", False),
        ("basic", "middle", False),
        ("large", "large", True),
        ("large", "y", False),
        ("large", "Prod", False),
        ("large", "", False),
    ],
)
def test_a_protected_environment_has_to_be_named_and_others_take_a_yes(
    environment: str, typed: str, deploys: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(f"{typed}\n"))
    protected = ENVIRONMENTS[environment].made_database.deletion_protection
    assert question.deploy(ENVIRONMENTS[environment], protected=protected) is deploys


def test_the_question_names_the_account_and_the_region(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("\n"))
    question.deploy(ENVIRONMENTS["large"], protected=True)
    assert capsys.readouterr().out == (
        "\nDeploy to large (account 333333333333, eu-central-1)? Type the environment's name: "
    )


def test_a_deploy_is_not_answered_by_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(Refused, match="`make deploy ENV=basic YES=1`"):
        question.deploy(ENVIRONMENTS["basic"], protected=False)


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
@pytest.mark.parametrize(("typed", "destroys"), [("basic\n", True), ("y\n", False), ("\n", False), ("", False)])
def test_only_the_name_destroys_typed_or_piped(
    stream: type[io.StringIO], typed: str, destroys: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", stream(typed))
    assert question.destroy(ENVIRONMENTS["basic"]) is destroys


def _found(
    *, protected: bool = False, instance: dict[str, Any] | None = None, policy: str = "Snapshot"
) -> destruction.Found:
    changed = datetime(2026, 11, 24, tzinfo=UTC)
    stack = DeployedStack(name="basic-Database", status="CREATE_COMPLETE", protected=protected, changed=changed)
    return destruction.Found(stacks={stack.name: stack}, instance=instance, instance_policy=policy)


def _instance(*, protected: bool) -> dict[str, Any]:
    return {
        "DBInstanceIdentifier": "basic-mysql-jobs",
        "DBInstanceClass": "db.t4g.micro",
        "AllocatedStorage": 20,
        "DeletionProtection": protected,
    }


def test_what_protects_an_environment_is_named_each_by_itself() -> None:
    basic = ENVIRONMENTS["basic"]
    assert list(destruction.protections(basic, _found(instance=_instance(protected=False)))) == []
    assert list(destruction.protections(basic, _found(instance=_instance(protected=True)))) == [
        "RDS protects basic-mysql-jobs from being deleted"
    ]
    assert list(destruction.protections(basic, _found(protected=True))) == [
        "CloudFormation protects basic-Database from being deleted"
    ]
    assert list(destruction.protections(ENVIRONMENTS["large"], _found())) == [
        "environments/large.toml says deletion_protection = true"
    ]


def test_what_stays_depends_on_what_was_there_before() -> None:
    key = "arn:aws:kms:eu-central-1:111111111111:key/00000000-0000-0000-0000-000000000000"
    network = ENVIRONMENTS["basic"].network.model_copy(update={"vpc_id": "vpc-01234567", "cidr": None})
    monitored = ENVIRONMENTS["basic"].database.model_copy(update={"monitoring_seconds": 60})
    changed = {"network": network, "encryption_key": key, "database": monitored}
    given = ENVIRONMENTS["basic"].model_copy(update=changed)
    found = _found(instance=_instance(protected=False))
    ours, theirs = ("\n".join(destruction.explanation(each, found)) for each in (ENVIRONMENTS["basic"], given))
    goes, stays = theirs.split("\nStays")
    assert "VPC" not in goes
    assert "- the VPC vpc-01234567, which existed before\n" in stays
    assert f"- your key {key}\n" in stays
    assert "RDSOSMetrics" in stays
    assert "- the VPC 10.10.0.0/20\n" in ours.split("\nStays")[0]
    assert "RDSOSMetrics" not in ours


def test_an_existing_database_stays_and_its_sql_is_for_a_person() -> None:
    adopted = load_file(VARIANTS / "adopted.toml")
    found = _found()
    assert list(destruction.protections(adopted, found)) == []
    goes, _, stays = "\n".join(destruction.explanation(adopted, found)).partition("\nStays")
    assert "the database" not in goes.replace("the database's security group", "")
    assert "- the rules in the database's security group that let the jobs in\n" in goes
    assert "- the database shop, which others own: nothing of it is changed or deleted\n" in stays
    assert "the schema mysql_jobs_adopted with the ledger" in stays
    removal = "\n".join(left_in_database.removal(adopted, cast(AdoptedDatabaseSettings, adopted.database)))
    assert "    DROP SCHEMA `mysql_jobs_adopted`;\n" in removal
    assert r"WHERE user LIKE 'job\_adopted\_%';" in removal


def test_the_document_prints_the_same_sql() -> None:
    document = (ROOT / "docs" / "existing-database.md").read_text()
    [name] = re.findall(r"^DROP SCHEMA `mysql_jobs_(\w+)`;$", document, re.MULTILINE)
    example = ENVIRONMENTS["basic"].model_copy(update={"name": name})
    assert "\n".join(left_in_database.statements(example)) in document


def test_without_jobs_none_are_listed() -> None:
    without = ENVIRONMENTS["basic"].model_copy(update={"jobs": ()})
    assert "- the jobs" not in "\n".join(destruction.explanation(without, _found()))
    assert "- the jobs pulse, tally, sweep," in "\n".join(destruction.explanation(ENVIRONMENTS["basic"], _found()))


def test_a_final_snapshot_is_promised_only_where_the_deployed_policy_says_so() -> None:
    def said(policy: str) -> tuple[str, str]:
        found = _found(instance=_instance(protected=False), policy=policy)
        goes, _, stays = "\n".join(destruction.explanation(ENVIRONMENTS["basic"], found)).partition("\nStays")
        return goes, stays

    goes, stays = said("Snapshot")
    assert ("- the database basic-mysql-jobs" in goes, "WITHOUT" in goes, "a final snapshot" in stays) == (1, 0, 1)
    goes, stays = said("Delete")
    assert ("WITHOUT A FINAL SNAPSHOT" in goes, "a final snapshot" in stays) == (True, False)
    goes, stays = said("Retain")
    assert ("the database" in goes.replace("of the database", ""), "the database itself" in stays) == (False, True)


def test_without_a_database_nothing_is_said_of_a_snapshot() -> None:
    assert "a final snapshot" not in "\n".join(destruction.explanation(ENVIRONMENTS["basic"], _found()))
