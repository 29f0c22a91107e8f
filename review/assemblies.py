"""The synthesized app of a project, made without the CDK CLI, so without credentials or network."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

from packages.locks import lock_file
from packages.requirements import base_file
from review import kept_assemblies
from review.failure import ReviewFailed
from settings.project import ROOT

PACKAGES = "requirements.txt"
"""All that a synthesis uses: neither the CDK CLI nor any other npm package takes part in it."""
PYMYSQL = re.compile(r"(?im)^pymysql==[^\\\n]*(?:\\\n[^\\\n]*)*")
"""Its lines there, with its hashes."""
VARIABLES = ("PATH", "HOME", "LANG", "TMPDIR", "JSII_RUNTIME_PACKAGE_CACHE_ROOT", "NODE_COMPILE_CACHE", "GUARDED_BY")
"""What the programs need to run. No other variable reaches the app: none decides what it synthesizes."""


def assembly(tree: str, project: Path, folder: Path) -> None:
    """Write the assembly of `project`, whose content is git's `tree`, into `folder`: as it was kept, or synthesized.

    Raises:
        ReviewFailed: the app failed, or its packages can't be installed; the message says why.
    """
    key = _key(tree, project)
    if kept_assemblies.restore(key, folder):
        return
    with tempfile.TemporaryDirectory(prefix="packages-") as packages:
        python = _python_for(project, Path(packages))
        _fetch_packages_of_jobs(project, python)
        synthesize(project, folder, python)
    kept_assemblies.keep(key, folder)


def synthesize(project: Path, folder: Path, python: Path) -> None:
    """Write the assembly of `project` into `folder`.

    Raises:
        ReviewFailed: the app failed; the message says why.
    """
    context = json.loads((project / "cdk.json").read_text())["context"]
    looked_up = project / "cdk.context.json"
    if looked_up.exists():
        context |= json.loads(looked_up.read_text())
    # As the CLI sets them: templates then have the paths of constructs, and say which code is bundled here.
    context |= {"aws:cdk:enable-path-metadata": True, "aws:cdk:enable-asset-metadata": True}
    variables = {name: os.environ[name] for name in VARIABLES if name in os.environ} | {
        "CDK_CONTEXT_JSON": json.dumps(context),
        "CDK_OUTDIR": str(folder),
        "CDK_VALIDATION": "false",  # half of the time; `make synth` and `make test` say what AWS would refuse
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",  # Node is beside Python
    }
    _run([str(python), "app.py"], folder=project, variables=variables, hint="it doesn't synthesize")


def _key(tree: str, project: Path) -> str:
    """The name of an assembly, by all that decides it: files, Python and packages, and how it is made and kept here."""
    installed = sorted(each.name for each in Path(sysconfig.get_path("purelib")).glob("*.dist-info"))
    used = installed if _has_these_packages(project) else PACKAGES
    programs = [Path(file).read_bytes() for file in (__file__, kept_assemblies.__file__)]
    return hashlib.sha256(repr((tree, sys.version, used, programs)).encode()).hexdigest()


def _has_these_packages(project: Path) -> bool:
    return (project / PACKAGES).read_bytes() == (ROOT / PACKAGES).read_bytes()


def _python_for(project: Path, folder: Path) -> Path:
    """Return a Python with the packages of `project`: this one if they are the same, else a new one in `folder`.

    Raises:
        ReviewFailed: its packages can't be installed.
    """
    if _has_these_packages(project):
        return Path(sys.executable)
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r")
    _run([str(python), *install, str(project / PACKAGES)], hint="its packages differ from these and can't be installed")
    if pinned := PYMYSQL.search((project / PACKAGES).read_text()):
        # Into each function it goes as its wheel: see the Makefile.
        (folder / "pymysql.txt").write_text(f"{pinned[0]}\n")
        download = ("-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes")
        given = ("--dest", str(folder / "wheels"), "--requirement", str(folder / "pymysql.txt"))
        _run([str(python), *download, *given], hint="its PyMySQL can't be fetched")
    return python


def _fetch_packages_of_jobs(project: Path, python: Path) -> None:
    """Let the wheels be there that `project` has locked; mostly they are, and nothing is fetched.

    Raises:
        ReviewFailed: one is not to be had.
    """
    jobs = project / "lambda" / "jobs"
    if any((lock_file(base_file(jobs)).is_file(), *jobs.glob("*.lock"))):
        command = [str(python), "-m", "packages.tools.fetch", "--only-wheels", str(jobs)]
        _run(command, hint="the packages of its jobs can't be fetched")


def _run(command: list[str], *, hint: str, folder: Path = ROOT, variables: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReviewFailed(f"{' '.join(command)}: {hint}\n{done.stderr.strip()}")
