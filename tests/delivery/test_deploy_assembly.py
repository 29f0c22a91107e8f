"""The names that make deploy and make destroy go by are those in the templates; and how the CDK CLI is left."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError

from delivery import assembly as assembly_module
from delivery import checks, command, deploy, outcome, question
from delivery.assembly import Assembly, synthesize
from delivery.aws import Aws, DeployedStack
from delivery.refusal import Refused
from settings import names
from settings.environment import EnvironmentSettings
from settings.project import ROOT
from tests.fixture import ENVIRONMENTS, PROJECT
from tests.stacks.templates import of_type, the


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_what_is_looked_for_has_that_name_in_the_templates(name: str, templates: dict[str, Any]) -> None:
    settings, resources = ENVIRONMENTS[name], templates[name]["Jobs"]["Resources"]
    instance = the(templates[name]["Database"]["Resources"], "AWS::RDS::DBInstance")
    assert instance["DBInstanceIdentifier"] == names.database(name)
    dashboard = the(resources, "AWS::CloudWatch::Dashboard")
    assert outcome.dashboard(settings).endswith(f"/{dashboard['DashboardName']}")
    groups = {each["Properties"].get("LogGroupName") for each in of_type(resources, "AWS::Logs::LogGroup").values()}
    assert {outcome.log_group(settings, job) for job in settings.jobs} <= groups
    assert len(of_type(resources, outcome.MIGRATION)) == 1


def test_an_app_that_does_not_synthesize_is_refused_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cdk.json").write_text('{"app": "echo wrong instance class >&2; exit 1"}')
    monkeypatch.setattr(assembly_module, "ROOT", tmp_path)
    with pytest.raises(Refused, match=r"basic can't be synthesized:\n(.*\n)*wrong instance class"):
        synthesize("basic", tmp_path / "cdk.out")


def test_what_the_cli_says_is_the_reason_for_no_diff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _cli(tmp_path, monkeypatch, "echo no such bucket; exit 1")
    with pytest.raises(Refused, match="cdk diff failed:\nno such bucket"):
        Assembly(folder=tmp_path, environment="basic").diff()
    _cli(tmp_path, monkeypatch, "echo of another version, which counts otherwise")
    with pytest.raises(Refused, match="which counts otherwise"):
        Assembly(folder=tmp_path, environment="basic").diff()


def test_an_interrupted_deploy_says_that_cloudformation_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The first second is for the deploy to be waiting for it.
    _cli(tmp_path, monkeypatch, f"sleep 1; kill -INT {os.getpid()}; exec sleep 60")

    def interrupted() -> int:
        Assembly(folder=tmp_path, environment="basic").deploy()
        return command.DONE

    assert command.run(interrupted) == command.INTERRUPTED
    assert "CloudFormation continues what it has begun" in capsys.readouterr().out


def test_what_is_synthesized_while_the_question_waits_is_not_deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    folders: list[Path] = []

    def keep(_settings: EnvironmentSettings, assembly: Assembly, *_: object, **_options: object) -> int:
        folders.append(assembly.folder)
        return command.DONE

    monkeypatch.setattr("sys.argv", ["deploy", "basic"])
    monkeypatch.setattr(deploy, "ROOT", PROJECT.folder)
    monkeypatch.setattr(checks, "clean_commit", lambda _: "0123456 (The app)")
    monkeypatch.setattr(checks, "account", lambda *_: None)
    monkeypatch.setattr(assembly_module, "synthesize", lambda name, folder: Assembly(folder=folder, environment=name))
    monkeypatch.setattr(deploy, "deploy", keep)
    assert deploy.main() == command.DONE
    [folder] = folders
    assert not folder.is_relative_to(ROOT)
    assert not folder.exists()


@pytest.mark.parametrize(("status", "done"), [(command.DONE, True), (command.FAILED, False)])
def test_credentials_that_expire_during_a_deploy_change_nothing_of_its_status(
    status: int, done: bool, assembly: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    aws = Aws("eu-central-1")
    asked: list[object] = []

    def stacks(names: list[str]) -> dict[str, DeployedStack]:
        asked.append(names)
        if len(asked) > 1:
            raise NoCredentialsError
        return {}

    monkeypatch.setattr(aws, "parameter", lambda _: "30")
    monkeypatch.setattr(aws, "stacks", stacks)
    monkeypatch.setattr(Assembly, "diff", lambda _: (3, "all is new"))
    monkeypatch.setattr(Assembly, "deploy", lambda _: done)
    basic = Assembly(folder=assembly, environment="basic")
    assert command.run(lambda: deploy.deploy(ENVIRONMENTS["basic"], basic, aws, question.yes)) == status
    assert "AWS can't be asked about the result any more" in capsys.readouterr().out


@pytest.mark.parametrize(("environment", "deployed"), [("basic", True), ("large", False), ("large", True)])
def test_whether_the_name_is_asked_for_is_judged_by_what_is_deployed_too(
    environment: str, deployed: bool, assembly: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # basic's file says deletion_protection = false: this may be the deploy that takes it away.
    aws, synthesized = Aws("eu-central-1"), Assembly(folder=assembly, environment=environment)
    stacks = {
        name: DeployedStack(
            name=name,
            status="UPDATE_COMPLETE",
            protected=deployed and name.endswith("-Database"),
            changed=datetime(2026, 11, 24, tzinfo=UTC),
        )
        for name in synthesized.names
    }
    monkeypatch.setattr(aws, "parameter", lambda _: "30")
    monkeypatch.setattr(aws, "stacks", lambda _: stacks)
    monkeypatch.setattr(aws, "template", synthesized.template)
    monkeypatch.setattr(Assembly, "diff", lambda _: (1, "something differs"))
    asked: list[bool] = []

    def answer(_: EnvironmentSettings, *, protected: bool) -> bool:
        asked.append(protected)
        return False

    ended = deploy.deploy(ENVIRONMENTS[environment], synthesized, aws, answer, accept="it is meant")
    assert ended == command.REFUSED
    assert asked == [True]


def _cli(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A program in the place of the CDK CLI."""
    program = folder / "cdk"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(assembly_module, "CDK", program)
