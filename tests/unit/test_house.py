"""The rules of the house that keep it livable: what may import what, and what no file may hold."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from stacks.settings import ROOT

LAMBDA_MODULES = {path.stem for path in (ROOT / "lambda").iterdir() if path.suffix == ".py" or path.name == "jobs"}


@pytest.mark.parametrize("file", sorted((ROOT / "lambda").rglob("*.py")), ids=lambda file: file.name)
def test_the_function_imports_pymysql_the_standard_library_and_itself_only(file: Path) -> None:
    assert _imports(file) <= {"pymysql"} | LAMBDA_MODULES | set(sys.stdlib_module_names)


@pytest.mark.parametrize("file", [ROOT / "app.py", *sorted((ROOT / "stacks").glob("*.py"))], ids=lambda file: file.name)
def test_synth_depends_on_the_repository_alone(file: Path) -> None:
    imports = _imports(file)
    assert not imports & LAMBDA_MODULES
    assert not imports & {"local", "os", "subprocess", "socket", "urllib", "http", "botocore", "boto3"}


def test_no_tracked_file_names_a_package_registry_or_this_machine() -> None:
    # Put together here, or this file would hold them.
    forbidden = (
        "pypi" + ".org",
        "python" + "hosted",
        "registry." + "npmjs",
        "registry." + "yarnpkg",
        "debian" + ".org",
        str(ROOT),
    )
    patterns = [argument for text in forbidden for argument in ("-e", text)]
    found = subprocess.run(
        ["git", "grep", "--fixed-strings", "--line-number", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stdout) == (1, "")


def _imports(file: Path) -> set[str]:
    imports = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            imports |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imports.add((node.module or "").partition(".")[0])
    return imports
