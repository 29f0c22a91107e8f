"""Here, a job imports this machine's wheels of its packages, from its own zip, in Lambda's runtime client."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.execution_environment import ExecutionEnvironment
from packages.target import FUNCTION, HERE
from settings.project import ROOT, Project
from stacks.jobs.bundle import bundle
from tests.fixture import PROJECT
from tests.packages.wheels import AARCH64, compiled_for, elf, installed_wheel, lock, make_wheel

pytestmark = pytest.mark.integration

JOB = '''"""Says what it was given."""

from importlib.metadata import version
from importlib.resources import files

import tiny
import yaml

TABLES = {}


def told(event, context):
    return {
        "read": yaml.load("a: [1, 2]", yaml.CSafeLoader),
        "data": files(tiny).joinpath("data.txt").read_text(),
        "version": version("tiny"),
        "from": [tiny.__file__, yaml.__file__, yaml._yaml.__file__],
    }
'''


def test_pure_and_compiled_packages_run_in_the_runtime_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "store"
    monkeypatch.setattr("packages.wheels.WHEELS", store)
    project = Project(tmp_path / "project", target=HERE)
    project.jobs.mkdir(parents=True)
    project.job_file("told").write_text(JOB)
    (project.jobs.parent / "requirements.txt").write_text("tiny\npyyaml\n")
    pure = make_wheel(store, "tiny", "3.2", files={"tiny/__init__.py": "", "tiny/data.txt": "data"})
    compiled = installed_wheel(store, "pyyaml", ("yaml",), tag=compiled_for(HERE))
    functions = make_wheel(store, "pyyaml", files={"yaml/_yaml.so": elf(AARCH64)}, tag=compiled_for(FUNCTION))
    lock(project.jobs, [pure, functions], here=[pure, compiled])
    code = tmp_path / "code"
    bundle(code, project=project, region="eu-central-1", packages=project.packages("told"))
    with ExecutionEnvironment(
        code=code,
        handler="jobs.told.told",
        environment={"AWS_REGION": "eu-central-1"},
        function_name="told",
        timeout_seconds=30,
        log=tmp_path / "log",
    ) as function:
        invocation = function.invoke({})
    assert invocation.error is None, invocation.error
    assert isinstance(invocation.result, dict)
    places = invocation.result.pop("from")
    assert invocation.result == {"read": {"a": [1, 2]}, "data": "data", "version": "3.2"}
    assert [Path(each).relative_to(code).parts[0] for each in places] == ["tiny", "yaml", "yaml"]


def test_what_is_deployed_on_this_machine_has_this_machines_wheels(tmp_path: Path) -> None:
    store = tmp_path / "store"
    project = Project(tmp_path / "project")
    shutil.copytree(PROJECT.folder, project.folder)
    (project.jobs / "tally.txt").write_text("tiny\n")
    functions = make_wheel(store, "tiny", tag=compiled_for(FUNCTION))
    here = make_wheel(store, "tiny", files={"tiny/of_this_machine.py": ""}, tag=compiled_for(HERE))
    lock(project.jobs, [functions], here=[here], job="tally")
    # The app is a program of its own, which the CDK CLI starts.
    script = (
        f"import packages.wheels; from pathlib import Path; packages.wheels.WHEELS = Path({str(store)!r}); "
        "from local import app; app.main()"
    )
    command = [sys.executable, "-c", script, str(project.folder), "basic"]
    out = tmp_path / "cdk.out"
    subprocess.run(command, cwd=ROOT, env={**os.environ, "CDK_OUTDIR": str(out)}, capture_output=True, check=True)
    assert [*out.glob("asset.*/tiny/of_this_machine.py")]
