"""The game day's environments synthesize as any other: cdk-nag and cfn-lint find nothing, and nothing in them stays."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from documents.synthesis import synthesize
from gameday.project import MARK, RESTORED, GameProject, environment_name, notifications
from settings.project import ROOT
from tests.cfn_lint import findings, is_ignored
from tests.conftest import read_templates
from tests.fixture import ENVIRONMENTS
from tests.stacks.templates import of_type, the

pytestmark = pytest.mark.synthesis

SOURCE = ENVIRONMENTS["large"]
NAME = environment_name(SOURCE.name)
Stacks = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a proxy, and the environment that is made from a snapshot beside it."""
    folder = tmp_path_factory.mktemp("gameday")
    game = GameProject(folder / "project", SOURCE, name=NAME)
    game.change("proxy", enabled=True)
    other = GameProject(folder / "other", SOURCE, name=f"{NAME}{RESTORED}", snapshot="taken")
    [file] = other.project.environments.iterdir()
    file.rename(game.project.environments / file.name)
    return synthesize(game.project, folder / "cdk.out")


@pytest.fixture(scope="module")
def stacks(assembly: Path) -> Stacks:
    return read_templates(assembly)[NAME]


def test_cfn_lint_finds_nothing(assembly: Path) -> None:
    templates = sorted(assembly.glob("assembly-*/*.template.json"))
    assert len(templates) == 6
    assert [each for each in findings(templates, [SOURCE.region]) if not is_ignored(each)] == []


def test_nothing_stays_when_the_stacks_are_deleted(stacks: Stacks) -> None:
    policies = {
        (resource["Type"], resource.get("DeletionPolicy", "Delete"))
        for template in stacks.values()
        for resource in template["Resources"].values()
    }
    assert {policy for _, policy in policies} == {"Delete"}
    [instance] = of_type(stacks["Database"]["Resources"], "AWS::RDS::DBInstance").values()
    assert (instance["DeletionPolicy"], instance["UpdateReplacePolicy"]) == ("Delete", "Delete")
    assert not instance["Properties"]["DeletionProtection"]
    assert instance["Properties"].get("DeleteAutomatedBackups", True)


def test_each_stack_has_the_mark(stacks: Stacks) -> None:
    assert {name: template["Metadata"][MARK] for name, template in stacks.items()} == dict.fromkeys(stacks, True)


def test_what_the_people_on_call_would_hear_is_heard(stacks: Stacks) -> None:
    database = stacks["Database"]
    assert the(database["Resources"], "AWS::SQS::Queue")["QueueName"] == notifications(NAME)
    subscription = the(database["Resources"], "AWS::SNS::Subscription")
    assert (subscription["Protocol"], subscription["TopicArn"]) == ("sqs", {"Ref": "AlarmsTopic3A2DFEBA"})


@pytest.mark.deployment
def test_the_command_synthesizes_it_for_the_cli(tmp_path: Path) -> None:
    game = GameProject(tmp_path / "project", ENVIRONMENTS["basic"], name=environment_name("basic"))
    done = subprocess.run(
        [sys.executable, "-m", "gameday.app", str(game.project.folder)],
        cwd=ROOT,
        env={"CDK_OUTDIR": str(tmp_path / "cdk.out"), "PATH": str(Path(sys.executable).parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "cdk.out" / "manifest.json").read_text())
    assert f"assembly-{game.name}" in manifest["artifacts"]
