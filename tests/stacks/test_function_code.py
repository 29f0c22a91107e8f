"""What runs in AWS is what the repository and its pins say, and no more."""

import os
import re
import shutil
import ssl
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from settings.files import SettingsError
from settings.project import ENGINE, ROOT, Project
from stacks.jobs.bundle import DEPENDENCY, bundle
from stacks.jobs.code import function_code
from stacks.jobs.pinned_wheel import LOCK, WHEELS, pinned_wheel
from tests.fixture import PROJECT, VARIANTS, FilesIn


@pytest.fixture
def code(tmp_path: Path) -> Path:
    bundle(tmp_path, project=PROJECT, region="eu-central-1")
    return tmp_path


def test_it_holds_pymysql_the_sources_and_one_regions_certificates(code: Path) -> None:
    [metadata] = code.glob("pymysql-*.dist-info")
    assert _names(code) == {"jobs", "migrations", "mysql_jobs", "pymysql", "settings", metadata.name}
    assert _names(code / "settings") == {"__init__.py", "schedule.py"}
    sources = {path.name for path in ENGINE.glob("*.py")}
    assert _names(code / "mysql_jobs") == {"certificates", "migrations", "outside", *sources}
    assert _names(code / "mysql_jobs" / "outside") == {path.name for path in (ENGINE / "outside").glob("*.py")}
    assert _names(code / "mysql_jobs" / "migrations") == _names(ENGINE / "migrations")
    assert _names(code / "mysql_jobs" / "certificates") == {"eu-central-1.pem"}
    assert _names(code / "jobs") == {path.name for path in PROJECT.jobs.glob("*.py")}
    assert _names(code / "migrations") == _names(PROJECT.migrations)
    assert {path.suffix for path in code.rglob("*") if path.is_file()} <= {".py", ".pem", ".sql", ""}


def test_an_existing_databases_authorities_are_beside_those_of_the_region(code: Path, tmp_path: Path) -> None:
    own = (VARIANTS / "company.pem").read_text()
    bundle(tmp_path / "own", project=FilesIn(VARIANTS), region="eu-central-1", certificates="company.pem")
    place = Path("mysql_jobs", "certificates", "eu-central-1.pem")
    assert (tmp_path / "own" / place).read_text() == (code / place).read_text() + own
    assert ssl.create_default_context(cafile=str(tmp_path / "own" / place)).get_ca_certs()


def test_it_is_small(code: Path) -> None:
    # Without cryptography: with it, it would be 5 MB.
    assert sum(path.stat().st_size for path in code.rglob("*") if path.is_file()) < 500_000


def test_its_pymysql_is_the_pinned_one(code: Path) -> None:
    pinned = re.search(r"^pymysql==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert pinned
    assert [path.name for path in code.glob("*.dist-info")] == [f"pymysql-{pinned[1]}.dist-info"]


def test_what_was_done_to_the_installed_package_is_not_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pinned_wheel(DEPENDENCY) as wheel:
        wheel.extractall(tmp_path / "installed")
    with (tmp_path / "installed" / "pymysql" / "connections.py").open("a") as file:
        file.write("raise SystemExit('changed')\n")
    monkeypatch.syspath_prepend(tmp_path / "installed")
    bundle(tmp_path / "code", project=PROJECT, region="eu-central-1")
    assert "changed" not in (tmp_path / "code" / "pymysql" / "connections.py").read_text()


def test_make_setup_keeps_the_wheel_that_is_pinned_and_no_other_package() -> None:
    [(pick, download)] = re.findall(
        r"^\t@(sed .*) \| (.* pip download .*)$", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    picked = subprocess.run(["bash", "-c", pick], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^(\S+)==", picked, re.MULTILINE) == [DEPENDENCY.lower()]
    assert "--hash=sha256:" in picked
    assert {"--require-hashes", "--no-deps", ".venv/wheels"} <= set(download.split())


def test_a_wheel_that_was_changed_is_refused(tmp_path: Path) -> None:
    shutil.copytree(WHEELS, tmp_path / "wheels")
    [wheel] = (tmp_path / "wheels").glob("pymysql-*.whl")
    with ZipFile(wheel, "a") as archive:
        archive.writestr("pymysql/extra.py", "raise SystemExit('changed')\n")
    with pytest.raises(SettingsError, match=r"requirements\.txt pins for PyMySQL: .* was changed\. .* make setup"):
        pinned_wheel(DEPENDENCY, wheels=tmp_path / "wheels")


def test_a_wheel_of_another_version_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    entry = f"pymysql==99.0 \\\n    --hash=sha256:{'0' * 64}\n    # via mysql-jobs\n"
    lock.write_text(re.sub(r"^pymysql==(.*\\\n)*.*\n.*\n", entry, (ROOT / "requirements.txt").read_text(), flags=re.M))
    assert entry in lock.read_text()
    with pytest.raises(SettingsError, match="is missing"):
        pinned_wheel(DEPENDENCY, lock=lock)


def test_without_the_wheel_a_synth_says_what_to_do_and_no_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("stacks.jobs.pinned_wheel.pinned_wheel.__kwdefaults__", {"lock": LOCK, "wheels": tmp_path})
    with pytest.raises(SettingsError, match=r"no wheel in \.venv/wheels .* rm -rf \.venv && make setup"):
        function_code(PROJECT, "eu-central-1")


def test_it_is_the_same_every_time(code: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    again = tmp_path_factory.mktemp("again")
    bundle(again, project=PROJECT, region="eu-central-1")
    assert _contents(again) == _contents(code)


def test_everybody_can_read_it_whatever_the_umask_here(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        bundle(tmp_path / "code", project=PROJECT, region="eu-central-1")
    finally:
        os.umask(before)
    modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in (tmp_path / "code").rglob("*")}
    assert modes == {(True, 0o755), (False, 0o644)}


def test_it_starts_with_nothing_but_itself(code: Path) -> None:
    # -S: no site-packages, so neither this project's virtual environment nor Lambda's boto3 can help out.
    script = f"import sys; sys.path.insert(0, {str(code)!r}); "
    script += "import mysql_jobs.handler, mysql_jobs.migrate, mysql_jobs.watch, jobs.pulse, settings.schedule"
    subprocess.run([sys.executable, "-I", "-S", "-B", "-c", script], check=True)


def test_a_project_without_jobs_and_migrations_has_code_too(tmp_path: Path) -> None:
    bundle(tmp_path / "code", project=Project(tmp_path), region="eu-central-1")
    assert _names(tmp_path / "code") >= {"mysql_jobs", "pymysql"}


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
