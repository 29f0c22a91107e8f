"""Every state of a stack has an answer that works: done on a model of CloudFormation, it ends in a deploy."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import botocore.session
import pytest

from delivery import checks
from delivery.aws import DeployedStack
from delivery.refusal import Refused
from delivery.states import sentence, state, steps

REGION = "eu-central-1"
STATUSES: list[str] = botocore.session.Session().get_service_model("cloudformation").shape_for("StackStatus").enum

DEPLOYABLE = {
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
    # The CLI deletes it and creates it again, if it may; see `deployStack` of the CLI.
    "ROLLBACK_COMPLETE",
    "REVIEW_IN_PROGRESS",
    "DELETE_COMPLETE",
}


@dataclass
class Model:
    """A stack, and the instance in it, as far as AWS refuses something of them."""

    status: str
    protected: bool
    instance_protected: bool

    def do(self, command: str) -> None:
        """Do what the AWS CLI would. AssertionError: AWS would refuse it."""
        verb = command.split()[2]
        assert ("--stack-name" in command) == (verb != "modify-db-instance")
        assert f"--region {REGION}" in command
        match verb:
            case "update-termination-protection":
                self.protected = False
            case "modify-db-instance":
                assert "--db-instance-identifier large-mysql-jobs" in command
                self.instance_protected = False
            case "delete-stack":
                # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-protect-stacks.html
                assert not self.protected, "TerminationProtection is enabled"
                # aws-rds-dbinstance's DeleteHandler only calls DeleteDBInstance.
                self.status = "DELETE_FAILED" if self.instance_protected else "DELETE_COMPLETE"
            case "rollback-stack":
                assert self.status in ("CREATE_FAILED", "UPDATE_FAILED")  # API_RollbackStack
                self.status = "UPDATE_ROLLBACK_COMPLETE"
            case "continue-update-rollback":
                assert self.status in ("UPDATE_ROLLBACK_FAILED", "IMPORT_ROLLBACK_FAILED")
                self.status = self.status.replace("FAILED", "COMPLETE")
            case _:
                raise AssertionError(verb)

    def deployable(self) -> bool:
        recreated = self.status in ("ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS")
        return self.status in DEPLOYABLE and not (recreated and self.protected)


def deployed(status: str, *, protected: bool, name: str = "large-Database") -> DeployedStack:
    return DeployedStack(name=name, status=status, protected=protected, changed=datetime(2026, 11, 24, tzinfo=UTC))


@pytest.mark.parametrize("protected", [True, False])
@pytest.mark.parametrize("status", STATUSES)
def test_what_is_said_of_a_state_works_protected_or_not(status: str, protected: bool) -> None:
    said = list(steps(deployed(status, protected=protected), REGION))
    # A first deploy that failed leaves the instance protected, if it was made at all.
    model = Model(status=status, protected=protected, instance_protected=protected)
    assert bool(said) != model.deployable()
    if said == ["wait until it has finished"]:
        assert status.endswith("_IN_PROGRESS")
        return
    for command in re.findall(r"`(aws [^`]+)`", " ".join(said)):
        model.do(command)
    assert model.deployable()


def test_a_deploy_is_refused_as_long_as_something_is_to_do_first() -> None:
    for status in STATUSES:
        for protected in (True, False):
            stack = deployed(status, protected=protected)
            if first := list(steps(stack, REGION)):
                with pytest.raises(Refused, match=rf"- large-Database \({status}\) ") as refused:
                    checks.updatable({stack.name: stack}, REGION)
                assert all(each in str(refused.value) for each in first)
            else:
                checks.updatable({stack.name: stack}, REGION)


def test_a_protected_database_that_failed_to_be_created_is_lifted_out_step_by_step() -> None:
    text = sentence(deployed("ROLLBACK_FAILED", protected=True), REGION)
    order = ["modify-db-instance --no-deletion-protection", "--no-enable-termination-protection", "delete-stack"]
    assert sorted(order, key=text.index) == order
    jobs = sentence(deployed("ROLLBACK_FAILED", protected=False, name="large-Jobs"), REGION)
    assert "modify-db-instance" not in jobs
    assert "update-termination-protection" not in jobs


def test_an_unknown_state_is_said_to_be_unknown_and_is_not_deployed_over() -> None:
    assert "do not know" in state("PAUSED_FOR_REVIEW").means
    with pytest.raises(Refused, match=r"large-Database \(PAUSED_FOR_REVIEW\) is in a state that these commands do not"):
        checks.updatable({"large-Database": deployed("PAUSED_FOR_REVIEW", protected=False)}, REGION)
    assert state("SOMETHING_NEW_IN_PROGRESS").first == "wait until it has finished"


def test_a_stack_with_nothing_to_do_says_only_how_it_is() -> None:
    assert sentence(deployed("CREATE_COMPLETE", protected=True), REGION) == (
        "large-Database (CREATE_COMPLETE) is deployed"
    )
