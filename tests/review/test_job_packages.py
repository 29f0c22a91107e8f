"""Another version of a package is said in review; what the base has locked is there when the base is synthesized."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from packages.target import HERE
from packages.tools import import_time
from review import assemblies
from review.failure import ReviewFailed
from review.job_packages import changed_packages
from review.package_summary import package_table
from review.report import markdown
from settings.files import load_environments
from settings.project import ROOT, Project
from tests.fixture import PROJECT
from tests.packages.wheels import Files, lock, make_wheel

CALLS = '''"""Calls."""

TABLES = {}
USES = {"internet": ("api.example.com:443",)}


def run(run):
    run.http.request("POST", "https://api.example.com/")
'''
JOB = '"""Reports."""\n\nimport tiny\n\nTABLES = {}\n\n\ndef run(run):\n    return None\n'


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("packages.wheels.WHEELS", tmp_path / "store")
    return tmp_path / "store"


def _project(folder: Path, *wheels: Path, job: str | None = None) -> Project:
    project = Project(folder)
    project.jobs.mkdir(parents=True, exist_ok=True)
    (project.jobs / "report.py").write_text(JOB)
    (project.jobs.parent / "requirements.txt" if job is None else project.jobs / f"{job}.txt").write_text("tiny\n")
    lock(project.jobs, wheels, job=job)
    return project


def test_each_package_that_is_another_is_named(tmp_path: Path, store: Path) -> None:
    same, gone, new = (make_wheel(store, name) for name in ("same", "gone", "new"))
    old_tiny, tiny = make_wheel(store, "tiny", "1.0"), make_wheel(store, "tiny", "2.0")
    before = _project(tmp_path / "before", same, gone, old_tiny)
    after = _project(tmp_path / "after", same, new, tiny)
    _project(tmp_path / "after", same, job="report")
    lines = list(changed_packages(before.folder, after.folder))
    assert lines == [
        "`lambda/jobs/report.lock`: `same` 1.0 is new",
        "`lambda/requirements.lock`: `gone` 1.0 is gone, `new` 1.0 is new, `tiny` from 1.0 to 2.0",
    ]
    report = markdown("Against `main`", [], [], (), lines)
    assert "## Code of others in the functions\n\n- `lambda/jobs/report.lock`: `same` 1.0 is new\n" in report


def test_another_file_of_the_same_version_is_named(tmp_path: Path, store: Path) -> None:
    before = _project(tmp_path / "before", make_wheel(store, "tiny"))
    after = _project(tmp_path / "after", make_wheel(store, "tiny", files={"tiny.py": "other = 1"}))
    [line] = changed_packages(before.folder, after.folder)
    assert line == "`lambda/requirements.lock`: `tiny` 1.0 is another file of the same version"


def test_nothing_is_said_where_nothing_is_another(tmp_path: Path, store: Path) -> None:
    project = _project(tmp_path, make_wheel(store, "tiny"))
    assert list(changed_packages(project.folder, project.folder)) == []
    assert list(changed_packages(PROJECT.folder, PROJECT.folder)) == []
    assert "Code of others" not in markdown("Against `main`", [], [])


def test_the_packages_that_the_base_has_locked_are_fetched_before_it_is_synthesized(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = _project(tmp_path / "project", make_wheel(tmp_path / "gone", "tiny"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(
        ReviewFailed, match=r"the packages of its jobs can't be fetched(.|\n)*requirements\.lock: the whe"
    ):
        assemblies.assembly("tree of this test", _with_tools(project.folder), tmp_path / "out")


def _with_tools(folder: Path) -> Path:
    (folder / "requirements.txt").write_bytes((ROOT / "requirements.txt").read_bytes())
    return folder


def test_pymysqls_lines_are_found_with_their_hashes() -> None:
    found = assemblies.PYMYSQL.search((ROOT / "requirements.txt").read_text())
    assert found
    first, *hashes = found[0].splitlines()
    assert first.startswith("pymysql==")
    assert hashes
    assert all(line.strip().startswith("--hash=sha256:") for line in hashes)


def test_each_set_is_a_row_with_its_size_and_its_import_on_this_machine(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_time, "INSTALLED", tmp_path / "installed")
    slow: Files = {"tiny/__init__.py": "import time; time.sleep(0.3)", "tiny/data": bytes(2_000_000)}
    tiny = make_wheel(store, "tiny", files=slow)
    project = _project(tmp_path / "project", tiny)
    (project.jobs / "plain.py").write_text(JOB.replace("import tiny\n", ""))
    (project.jobs / "calls.py").write_text(CALLS)
    (project.jobs / "calls.txt").write_text("urllib3\n")
    client = make_wheel(store, "urllib3", files={"urllib3/__init__.py": "import time; time.sleep(0.2)"})
    lock(project.jobs, [tiny, client], job="calls")
    (project.jobs / "report.txt").write_text("heavy\n")
    lock(project.jobs, [tiny, make_wheel(store, "heavy")], job="report")
    project.environments.mkdir()
    settings = (PROJECT.environments / "basic.toml").read_text().partition("[[jobs]]")[0]
    jobs = "".join(f'[[jobs]]\nname = "{job}"\nschedule = "rate(1 hour)"\n' for job in ("report", "plain", "calls"))
    settings = settings.replace("[network]\n", '[network]\negress = "nat"\n')
    (project.environments / "one.toml").write_text(settings + jobs)
    for job in ("report", "calls"):
        here = Project(project.folder, target=HERE).packages(job)
        assert here
        for wheel in here.wheels:
            wheel.unpack(tmp_path / "installed")
    table = package_table(project, load_environments(project))
    assert table
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(table)
    shown = console.export_text()
    rows = [" ".join(line.replace("│", " ").split()) for line in shown.splitlines() if "│" in line]
    assert rows[0].startswith("calls tiny 1.0 2.0 MB 2.0 MB 0.2")
    assert rows[1] == "urllib3 1.0"
    assert rows[2] == "plain tiny 1.0 2.0 MB 2.0 MB none"
    assert rows[3].startswith("report heavy 1.0 2.0 MB 2.0 MB 0.3")
    assert rows[4] == "tiny 1.0"


def test_jobs_without_packages_have_no_table() -> None:
    assert package_table(PROJECT, load_environments(PROJECT)) is None
