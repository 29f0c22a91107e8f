"""The packages of a job are in its zip, whole and the same every time; a job without any has the zip it always had."""

import json
import re
import shutil
from pathlib import Path

import pytest

from documents import snapshots
from documents.synthesis import synthesize
from packages.target import FUNCTION, HERE
from settings.project import Project
from stacks.jobs.bundle import bundle
from tests.conftest import read_templates
from tests.fixture import PROJECT
from tests.packages.wheels import AARCH64, Files, compiled_for, elf, lock, make_wheel

REGION = "eu-central-1"
FILES: Files = {
    "tiny/__init__.py": "",
    "tiny/data/numbers.csv": "1,2\n",
    "tiny/bin/tool": "#!/bin/sh\n",
    "tiny.libs/libtiny.so.1": elf(AARCH64),
    "tiny-1.0.data/purelib/beside/__init__.py": "",
    "tiny-1.0.data/scripts/tiny-tool": "#!python\n",
    "tiny-1.0.data/headers/tiny.h": "",
}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `make setup` would leave wheels."""
    monkeypatch.setattr("packages.wheels.WHEELS", tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture
def project(tmp_path: Path, store: Path) -> Project:
    """The fixture's, whose job tally has a package of its own."""
    project = Project(tmp_path / "project")
    shutil.copytree(PROJECT.folder, project.folder)
    for file in project.environments.glob("*.toml"):
        if file.stem != "basic":
            file.unlink()
    (project.jobs / "tally.txt").write_text("tiny\n")
    here = make_wheel(store, "tiny", tag=compiled_for(HERE))
    lock(project.jobs, [make_wheel(store, "tiny", files=FILES, tag=compiled_for(FUNCTION))], here=[here], job="tally")
    return project


def test_a_zip_holds_its_packages_whole(project: Project, tmp_path: Path) -> None:
    bundle(tmp_path / "plain", project=project, region=REGION)
    bundle(tmp_path / "code", project=project, region=REGION, packages=project.packages("tally"))
    added = _contents(tmp_path / "code").keys() - _contents(tmp_path / "plain").keys()
    assert added == {
        "beside/__init__.py",
        "bin/tiny-tool",
        "tiny-1.0.dist-info/METADATA",
        "tiny-1.0.dist-info/RECORD",
        "tiny-1.0.dist-info/WHEEL",
        "tiny.libs/libtiny.so.1",
        "tiny/__init__.py",
        "tiny/bin/tool",
        "tiny/data/numbers.csv",
    }
    assert (tmp_path / "code" / "tiny" / "data" / "numbers.csv").read_text() == "1,2\n"


def test_a_zip_is_the_same_every_time(project: Project, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        bundle(tmp_path / folder, project=project, region=REGION, packages=project.packages("tally"))
    assert _contents(tmp_path / "one") == _contents(tmp_path / "two")


def test_what_is_a_program_in_a_wheel_can_be_run_and_nothing_else(project: Project, tmp_path: Path) -> None:
    bundle(tmp_path / "code", project=project, region=REGION, packages=project.packages("tally"))
    modes = {name: (tmp_path / "code" / name).stat().st_mode & 0o777 for name in ("tiny/bin/tool", "tiny/__init__.py")}
    assert modes == {"tiny/bin/tool": 0o755, "tiny/__init__.py": 0o644}


def test_on_this_machine_it_holds_the_wheels_for_this_machine(project: Project, tmp_path: Path) -> None:
    here = Project(project.folder, target=HERE)
    bundle(tmp_path / "code", project=here, region=REGION, packages=here.packages("tally"))
    assert not (tmp_path / "code" / "tiny.libs").exists()
    [metadata] = (tmp_path / "code").glob("tiny-*.dist-info/WHEEL")
    assert f"Tag: {compiled_for(HERE)}\n" in metadata.read_text()


@pytest.mark.synthesis
def test_one_zip_for_each_set_and_a_job_without_packages_has_that_of_a_project_without_any(
    project: Project, tmp_path: Path
) -> None:
    plain = Project(tmp_path / "plain")
    shutil.copytree(project.folder, plain.folder)
    for file in plain.jobs.glob("tally.[tl]*"):
        file.unlink()
    with_packages = synthesize(project, tmp_path / "with.out", validated=False)
    without = synthesize(plain, tmp_path / "without.out", validated=False)
    keys, keys_before = _keys(with_packages), _keys(without)
    assert set(keys_before.values()) == {keys["basic-pulse"]}
    assert {name for name, key in keys.items() if key != keys["basic-pulse"]} == {"basic-tally"}
    [folder] = [each for each in with_packages.glob(f"asset.{keys['basic-tally']}*") if each.is_dir()]
    assert (folder / "tiny" / "data" / "numbers.csv").is_file()


@pytest.mark.synthesis
def test_where_one_job_reaches_for_more_the_others_have_the_plain_zip_that_migrations_have_byte_for_byte(
    project: Project, tmp_path: Path
) -> None:
    tally = project.jobs / "tally.py"
    tally.write_text(f'{tally.read_text()}\nUSES = {{"secret": ("billing-api",)}}\n')
    assembly = synthesize(project, tmp_path / "cdk.out", validated=False)
    keys = _keys(assembly)
    assert {name for name, key in keys.items() if key != keys["basic-migrate"]} == {"basic-tally"}
    bundle(tmp_path / "plain", project=project, region=REGION)
    [folder] = [each for each in assembly.glob(f"asset.{keys['basic-pulse']}*") if each.is_dir()]
    assert _contents(folder) == _contents(tmp_path / "plain")
    assert not {name.partition("/")[0] for name in _contents(folder)} & {"botocore", "urllib3"}


@pytest.mark.synthesis
def test_the_snapshot_has_the_versions_of_packages_and_none_of_their_files(project: Project, tmp_path: Path) -> None:
    assembly = synthesize(project, tmp_path / "cdk.out", validated=False)
    code = json.loads(snapshots.snapshots(assembly)["function-code.json"])
    assert code["tiny"] == "1.0"
    assert {name.partition("/")[0] for name in code if "/" in name} == {"jobs", "migrations", "mysql_jobs", "settings"}


def _keys(assembly: Path) -> dict[str, str]:
    """The key of each function's code, by the function's name."""
    return {
        resource["Properties"]["FunctionName"]: re.sub(r"\.zip$", "", resource["Properties"]["Code"]["S3Key"])
        for stacks in read_templates(assembly).values()
        for template in stacks.values()
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Lambda::Function" and "FunctionName" in resource["Properties"]
    }


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
