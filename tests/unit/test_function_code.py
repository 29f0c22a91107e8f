"""What runs in AWS is what the repository and its pins say, and no more."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from stacks.function_code import bundle
from stacks.settings import ROOT


@pytest.fixture
def code(tmp_path: Path) -> Path:
    bundle(tmp_path, region="eu-central-1")
    return tmp_path


def test_it_holds_pymysql_the_sources_and_one_regions_certificates(code: Path) -> None:
    assert {path.name for path in code.iterdir() if path.is_dir()} == {
        "certificates",
        "jobs",
        "migrations",
        "pymysql",
        *(path.name for path in code.glob("pymysql-*.dist-info")),
    }
    assert {path.name for path in code.glob("*.py")} == {path.name for path in (ROOT / "lambda").glob("*.py")}
    assert {path.name for path in (code / "jobs").iterdir()} == {
        path.name for path in (ROOT / "lambda/jobs").glob("*.py")
    }
    assert [path.name for path in (code / "certificates").iterdir()] == ["eu-central-1.pem"]
    assert {path.suffix for path in code.rglob("*") if path.is_file()} <= {".py", ".pem", ".sql", ""}


def test_it_is_small(code: Path) -> None:
    # Without cryptography: with it, it would be 5 MB.
    assert sum(path.stat().st_size for path in code.rglob("*") if path.is_file()) < 500_000


def test_its_pymysql_is_the_pinned_one(code: Path) -> None:
    pinned = re.search(r"^pymysql==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert pinned
    assert [path.name for path in code.glob("*.dist-info")] == [f"pymysql-{pinned[1]}.dist-info"]


def test_it_is_the_same_every_time(code: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    again = tmp_path_factory.mktemp("again")
    bundle(again, region="eu-central-1")
    assert _contents(again) == _contents(code)


def test_it_starts_with_nothing_but_itself(code: Path) -> None:
    # -S: no site-packages, so neither this project's virtual environment nor Lambda's boto3 can help out.
    script = f"import sys; sys.path.insert(0, {str(code)!r}); import handler, migrate, jobs.heartbeat"
    subprocess.run([sys.executable, "-I", "-S", "-B", "-c", script], check=True)


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
