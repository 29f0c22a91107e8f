"""The names that make deploy and make destroy go by are those in the templates; and how the CDK CLI is left."""

import os
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError

from delivery import assembly as assembly_module
from delivery import checks, command, deploy, farewell, outcome, question
from delivery.assembly import Assembly, synthesize
from delivery.aws import Aws, DeployedStack
from delivery.refusal import Refused
from stacks.settings import ROOT, EnvironmentSettings
from tests.unit.templates import Resources, of_type


def test_the_database_is_looked_for_by_its_name(
    environment: str, templates: dict[str, Any], settings: dict[str, EnvironmentSettings]
) -> None:
    [instance] = of_type(templates[environment]["Database"]["Resources"], "AWS::RDS::DBInstance").values()
    assert instance["Properties"]["DBInstanceIdentifier"] == farewell.identifier(settings[environment])


def test_where_to_look_is_there(environment: str, jobs: Resources, settings: dict[str, EnvironmentSettings]) -> None:
    [dashboard] = of_type(jobs, "AWS::CloudWatch::Dashboard").values()
    assert outcome.dashboard(settings[environment]).endswith(f"/{dashboard['Properties']['DashboardName']}")
    groups = {each["Properties"].get("LogGroupName") for each in of_type(jobs, "AWS::Logs::LogGroup").values()}
    assert {outcome.log_group(settings[environment], job) for job in settings[environment].jobs} <= groups


def test_a_migration_that_fails_is_known_by_its_type(jobs: Resources) -> None:
    assert len(of_type(jobs, outcome.MIGRATION)) == 1


def test_an_app_that_does_not_synthesize_is_refused_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cdk.json").write_text('{"app": "echo wrong instance class >&2; exit 1"}')
    monkeypatch.setattr(assembly_module, "ROOT", tmp_path)
    with pytest.raises(Refused, match=r"dev can't be synthesized:\n(.*\n)*wrong instance class"):
        synthesize("dev", tmp_path / "cdk.out")


def test_what_the_cli_says_is_the_reason_for_no_diff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _cli(tmp_path, monkeypatch, "echo no such bucket; exit 1")
    with pytest.raises(Refused, match="cdk diff failed:\nno such bucket"):
        Assembly(folder=tmp_path, environment="dev").diff()
    _cli(tmp_path, monkeypatch, "echo of another version, which counts otherwise")
    with pytest.raises(Refused, match="which counts otherwise"):
        Assembly(folder=tmp_path, environment="dev").diff()


def test_an_interrupted_deploy_says_that_cloudformation_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The first second is for the deploy to be waiting for it.
    _cli(tmp_path, monkeypatch, f"sleep 1; kill -INT {os.getpid()}; exec sleep 60")

    def interrupted() -> int:
        Assembly(folder=tmp_path, environment="dev").deploy()
        return command.DONE

    assert command.run(interrupted) == command.INTERRUPTED
    assert "what CloudFormation has begun, it goes on with" in capsys.readouterr().out


def test_what_is_synthesized_while_the_question_waits_is_not_deployed(
    settings: dict[str, EnvironmentSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[Path] = []

    def keep(_settings: EnvironmentSettings, assembly: Assembly, *_: object) -> int:
        folders.append(assembly.folder)
        return command.DONE

    monkeypatch.setattr("sys.argv", ["deploy", "dev"])
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
    status: int,
    done: bool,
    assembly: Path,
    settings: dict[str, EnvironmentSettings],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
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
    dev = Assembly(folder=assembly, environment="dev")
    assert command.run(lambda: deploy.deploy(settings["dev"], dev, aws, question.yes)) == status
    assert "AWS can't be asked any more" in capsys.readouterr().out


def _cli(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A program in the place of the CDK CLI."""
    program = folder / "cdk"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(assembly_module, "CDK", program)
