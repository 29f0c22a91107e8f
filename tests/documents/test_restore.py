"""docs/operations.md, "Restore the database", carried out as it is written: its lines, its edits, its deploy.

Nothing here is RDS. The lines run in bash on an account in a file (tests/documents/rds_cli.py). What they leave there
is what the delivery's own check looks at before the deploy. The deploy is AWS's handler as far as
tests/stacks/rds_contract.py has it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from delivery import database_checks
from delivery.assembly import Assembly
from delivery.aws import Aws
from delivery.refusal import Refused
from settings import names
from settings.environment import EnvironmentSettings
from settings.files import load_environment
from settings.project import ROOT, Project
from stacks.environment import Environment
from tests.conftest import read_templates
from tests.documents import rds_cli
from tests.fixture import ENVIRONMENTS, PROJECT
from tests.quick_app import quick_app
from tests.stacks.rds_contract import Rds, RefusedByAws, Snapshot
from tests.stacks.templates import the

pytestmark = pytest.mark.synthesis

SECTION = re.search(
    r"^### Restore the database\n(.*?)^### ", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE | re.DOTALL
)
OLD = ENVIRONMENTS["large"]
NEW = "fresh"
RESTORED = f"{OLD.name}-restored"
KEY = "arn:aws:kms:eu-central-1:333333333333:key/11111111-1234-1234-1234-123456789012"
VERSION = "8.4.11"
"""RDS has raised it since the environment was made."""


def lines() -> str:
    """The shell lines of the section."""
    assert SECTION
    [block] = re.findall(r"^ *```sh\n(.*?)^ *```$", SECTION[1], re.MULTILINE | re.DOTALL)
    return str(block)


def step(number: int) -> str:
    """What a step of the section says."""
    assert SECTION
    found = re.search(rf"^{number}\. (.*?)(?=^\d\. |\n\n[A-Z])", SECTION[1], re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


@pytest.fixture
def account(tmp_path: Path) -> Path:
    """An account in which the environment is deployed, and older than the time that the document restores."""
    name = names.database(OLD.name)
    instance = {
        "DBInstanceIdentifier": name,
        "DBInstanceStatus": "available",
        "DBSubnetGroup": {"DBSubnetGroupName": "its-subnets"},
        "BackupRetentionPeriod": OLD.made_database.backup_days,
        "LatestRestorableTime": "2026-11-23T07:55:00Z",
        "AllocatedStorage": 150,  # it has grown by itself
        "Engine": "mysql",
        "EngineVersion": VERSION,
        "StorageEncrypted": True,
        "KmsKeyId": KEY,
        "DeletionProtection": True,
    }
    file = tmp_path / "account.json"
    file.write_text(json.dumps({"instances": {name: instance}, "snapshots": {}}))
    return file


def typed(shell: str, account: Path) -> subprocess.CompletedProcess[str]:
    """What a person gets who types these lines, in a shell that has the document's variables."""
    programs = account.parent / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "aws").write_text(f'#!/bin/sh\nexec {sys.executable} -m tests.documents.rds_cli {account} "$@"\n')
    (programs / "aws").chmod(0o755)
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", shell],
        cwd=ROOT,
        env={"PATH": f"{programs}{os.pathsep}/usr/bin:/bin", "E": OLD.name},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


class Account(Aws):
    """What the delivery asks of that account."""

    def __init__(self, file: Path) -> None:
        super().__init__(OLD.region)
        self._state: rds_cli.State = json.loads(file.read_text())

    def snapshot(self, name: str) -> dict[str, Any] | None:
        return self._state["snapshots"].get(name)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The project of the people who restore."""
    folder = tmp_path / "project"
    shutil.copytree(PROJECT.folder, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (folder / "environments").iterdir():
        if file.stem != OLD.name:
            file.unlink()
    return Project(folder)


def edited(project: Project, name: str, snapshot: str) -> EnvironmentSettings:
    """The environment `name`, whose file is the old one's, with what step 4 says, and none of its delivery's roles."""
    text = (project.environments / f"{OLD.name}.toml").read_text()
    assert '`database.snapshot = "…"`' in step(4)
    text = text.replace("[database]\n", f'[database]\nsnapshot = "{snapshot}"\n')
    (project.environments / f"{name}.toml").write_text(text.replace("order = 3\n", "order = 3\nprovider = false\n"))
    return load_environment(project, name)


def template(project: Project, name: str, folder: Path) -> dict[str, Any]:
    """The instance that a deploy asks for, after `make synth`."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"] | {"aws:cdk:bundling-stacks": []}
    app = quick_app(outdir=str(folder), context=context)
    Environment(app, project=project, settings=load_environment(project, name))
    app.synth()
    resources = read_templates(folder)[name]["Database"]["Resources"]
    return the(resources, "AWS::RDS::DBInstance")


def test_the_lines_make_a_snapshot_of_that_moment_and_leave_the_old_instance_alone(account: Path) -> None:
    before = json.loads(account.read_text())["instances"][names.database(OLD.name)]
    done = typed(lines(), account)
    assert done.returncode == 0, done.stderr
    after = json.loads(account.read_text())
    assert after["instances"][names.database(OLD.name)] == before
    assert after["instances"][RESTORED]["DBSubnetGroup"] == {"DBSubnetGroupName": "its-subnets"}
    assert after["snapshots"][RESTORED] | {"KmsKeyId": ""} == {
        "AllocatedStorage": 150,
        "DBInstanceIdentifier": RESTORED,
        "DBSnapshotIdentifier": RESTORED,
        "Encrypted": True,
        "Engine": "mysql",
        "EngineVersion": VERSION,
        "KmsKeyId": "",
        "Status": "available",
    }


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (r".*wait db-instance-available.*\n", "InvalidDBInstanceState"),
        (r".*restore-db-instance-to-point-in-time(?:.*\\\n)*.*\n", "not found: large-restored"),
    ],
    ids=["wait", "restore"],
)
def test_without_one_of_the_lines_it_is_refused(line: str, said: str, account: Path) -> None:
    done = typed(re.sub(line, "", lines()), account)
    assert done.returncode != 0
    assert said in done.stderr


def test_without_backups_there_is_no_point_in_time(account: Path) -> None:
    assert "(with `backup_days` above 0)" in step(2)
    state = json.loads(account.read_text())
    state["instances"][names.database(OLD.name)]["BackupRetentionPeriod"] = 0
    account.write_text(json.dumps(state))
    assert "PointInTimeRestoreNotEnabled" in typed(lines(), account).stderr


def test_a_new_environment_with_the_edited_file_is_deployed_from_it(
    account: Path, project: Project, tmp_path: Path
) -> None:
    assert "copy the file to `environments/<new>.toml`" in step(3)
    typed(lines(), account)
    settings = edited(project, NEW, RESTORED)
    assert settings.database.name == OLD.database.name
    wanted = template(project, NEW, tmp_path / "cdk.out")
    assembly = Assembly(folder=tmp_path / "cdk.out", environment=NEW)
    assert "raise `database.storage_gb` to what the snapshot has" in " ".join(step(4).split())
    with pytest.raises(Refused, match="the snapshot has 150 GB, and RDS can't shrink storage: write 150"):
        database_checks.acceptable(settings, assembly, Account(account), {})
    file = project.environments / f"{NEW}.toml"
    file.write_text(file.read_text().replace("storage_gb = 100\n", "storage_gb = 150\n"))
    settings = load_environment(project, NEW)
    wanted = template(project, NEW, tmp_path / "again")
    database_checks.acceptable(settings, Assembly(folder=tmp_path / "again", environment=NEW), Account(account), {})
    assert wanted["DBSnapshotIdentifier"] == RESTORED
    rds = Rds(default="8.4.10", snapshots=_snapshots(account))
    rds.create(wanted)
    assert rds.instance is not None
    assert (rds.instance.version, rds.instance.storage, rds.instance.protected) == (VERSION, 150, True)
    assert rds.drift(wanted) == set()
    # "Leave it in the file from then on."
    rds.update(wanted, {**wanted, "AllocatedStorage": "165"})
    with pytest.raises(RefusedByAws, match="custom-named resource"):
        rds.update(wanted, {**wanted, "DBName": "other"})


def test_the_old_environment_is_destroyed_first_or_keeps_its_name_from_the_new_one(
    account: Path, project: Project, tmp_path: Path
) -> None:
    assert "[destroy the old environment](#delete-an-environment) and keep its file" in " ".join(step(3).split())
    typed(lines(), account)
    before = template(project, OLD.name, tmp_path / "before")
    edited(project, OLD.name, RESTORED)
    after = template(project, OLD.name, tmp_path / "after")
    rds = Rds(default="8.4.10", snapshots=_snapshots(account))
    rds.create(before)
    for refused in (rds.delete, lambda: rds.update(before, after), lambda: rds.create(after)):
        with pytest.raises(RefusedByAws):
            refused()
    # "Delete an environment", step 1.
    rds.update(before, {**before, "DeletionProtection": False})
    rds.delete()
    rds.create(after)
    assert rds.instance is not None
    assert rds.instance.version == VERSION


def _snapshots(account: Path) -> dict[str, Snapshot]:
    found = json.loads(account.read_text())["snapshots"]
    return {
        name: Snapshot(version=each["EngineVersion"], storage=each["AllocatedStorage"]) for name, each in found.items()
    }


def test_the_time_in_the_document_is_one() -> None:
    [time] = re.findall(r"--restore-time (\S+)", lines())
    assert datetime.fromisoformat(time) < datetime.now(UTC)
