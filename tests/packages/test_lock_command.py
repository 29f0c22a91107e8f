"""make lock and make setup, with the real pip, from an index that a test makes itself."""

import json
import re
from pathlib import Path

import pytest

from packages.locks import lock_text, read_lock
from packages.requirements import PackagesError
from packages.target import FUNCTION, HERE, MACHINES, Target
from packages.tools import fetch, lock
from packages.tools.import_time import CannotImport, import_seconds
from packages.wheels import LockedWheel
from settings.project import ROOT, Project
from tests.packages.wheels import compiled_for, hashed, make_wheel

OLDER = Target("3.11", "x86_64")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, from which alone pip takes what it takes. Locks are for three machines, to save time."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setattr(lock, "MACHINES", sorted({FUNCTION, HERE, OLDER}))
    return folder


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the packages of this machine are laid out."""
    folder = tmp_path / "installed"
    monkeypatch.setattr(fetch, "INSTALLED", folder)
    monkeypatch.setattr("packages.tools.import_time.INSTALLED", folder)
    return folder


def _ask(project: Project, text: str, *, job: str | None = None) -> None:
    file = project.jobs.parent / "requirements.txt" if job is None else project.jobs / f"{job}.txt"
    file.write_text(text)


def _locked(project: Project, job: str | None = None) -> dict[str, dict[str, str]]:
    """The versions of the packages, by machine."""
    file = project.jobs.parent / "requirements.lock" if job is None else project.jobs / f"{job}.lock"
    return {target: {each.package: each.version for each in wheels} for target, wheels in read_lock(file)[1].items()}


def test_the_newest_that_fits_is_locked_with_all_that_it_needs(project: Project, index: Path) -> None:
    for version in ("1.0", "1.9", "2.0"):
        make_wheel(
            index, "tiny", version, needs=["part", 'old; python_version < "3.12"', 'new; python_version > "3.12"']
        )
    for name in ("part", "old", "new"):
        make_wheel(index, name)
    _ask(project, "tiny<2\n")
    assert lock.lock(project.jobs, engines="1.2.4") == []
    everywhere = {"part": "1.0", "tiny": "1.9"}
    found = _locked(project)
    # What markers say is of the function's Python, not of the one that runs pip.
    assert found[FUNCTION.name] == everywhere | {"new": "1.0"}
    assert found[OLDER.name] == everywhere | {"old": "1.0"}
    assert project.packages("report")


def test_compiled_wheels_are_locked_for_each_machine(project: Project, index: Path) -> None:
    for target in {FUNCTION, HERE, OLDER}:
        make_wheel(index, "fast", tag=compiled_for(target))
    _ask(project, "fast")
    lock.lock(project.jobs, engines="1.2.4")
    wheels = read_lock(project.jobs.parent / "requirements.lock")[1]
    for target in (FUNCTION, HERE, OLDER):
        assert [each.file for each in wheels[target.name]] == [f"fast-1.0-{compiled_for(target)}.whl"]


def test_a_lock_says_nothing_of_where_its_wheels_are_from(project: Project, index: Path) -> None:
    make_wheel(index, "tiny")
    _ask(project, "tiny")
    lock.lock(project.jobs, engines="1.2.4")
    text = (project.jobs.parent / "requirements.lock").read_text()
    assert str(index) not in text
    assert "://" not in text


def test_a_package_without_a_wheel_for_the_functions_is_named_and_nothing_is_written(
    project: Project, index: Path
) -> None:
    make_wheel(index, "tiny", needs=["fast>=1"])
    make_wheel(index, "fast", tag=compiled_for(HERE if HERE.machine != FUNCTION.machine else OLDER))
    _ask(project, "tiny")
    with pytest.raises(PackagesError, match=r"\.txt: fast>=1 \(from tiny\) has no wheel for Python 3\.14 on aarch64 "):
        lock.lock(project.jobs, engines="1.2.4")
    assert not (project.jobs.parent / "requirements.lock").exists()


def test_a_version_that_this_machine_can_work_with_too_is_preferred(project: Project, index: Path) -> None:
    make_wheel(index, "tiny", "1.0")
    make_wheel(index, "tiny", "2.0", python=">=3.12")
    _ask(project, "tiny")
    lock.lock(project.jobs, engines="1.2.4")
    assert {each["tiny"] for each in _locked(project).values()} == {"1.0"}


def test_a_machine_that_nothing_fits_is_left_out_and_said(
    project: Project, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(index, "tiny", "2.0", python=">=3.14")
    monkeypatch.setattr(lock, "HERE", FUNCTION)
    monkeypatch.setattr(lock, "MACHINES", [FUNCTION, OLDER])
    _ask(project, "tiny")
    [note] = lock.lock(project.jobs, engines="1.2.4")
    assert note == f"lambda/requirements.lock: not for {OLDER}, which no versions fit that the functions get"
    assert _locked(project) == {FUNCTION.name: {"tiny": "2.0"}}


def test_what_this_machine_cannot_work_with_is_refused(
    project: Project, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(index, "tiny", "2.0", python=">=3.14")
    monkeypatch.setattr(lock, "HERE", OLDER)
    _ask(project, "tiny")
    with pytest.raises(PackagesError, match=r"with what the functions.* for Python 3\.11 on x86_64 .* make PYTHON="):
        lock.lock(project.jobs, engines="1.2.4")


def test_jobs_that_need_different_versions_are_named(project: Project, index: Path) -> None:
    for version in ("1.0", "2.0"):
        make_wheel(index, "tiny", version)
    _ask(project, "tiny<2", job="plain")
    _ask(project, "tiny>=2", job="report")
    with pytest.raises(PackagesError, match=r"plain\.txt and lambda/jobs/report\.txt: no versions fit(.|\n)*tiny<2"):
        lock.lock(project.jobs, engines="1.2.4")


def test_a_package_has_one_version_whichever_jobs_need_it(project: Project, index: Path) -> None:
    for version in ("1.0", "2.0"):
        make_wheel(index, "tiny", version)
    make_wheel(index, "heavy")
    _ask(project, "tiny")
    _ask(project, "heavy\ntiny<2", job="report")
    lock.lock(project.jobs, engines="1.2.4")
    assert _locked(project)[FUNCTION.name] == {"tiny": "1.0"}
    assert _locked(project, "report")[FUNCTION.name] == {"heavy": "1.0", "tiny": "1.0"}


def test_what_is_locked_stays_until_it_no_longer_fits(project: Project, index: Path) -> None:
    make_wheel(index, "tiny", "1.0")
    _ask(project, "tiny")
    lock.lock(project.jobs, engines="1.2.4")
    make_wheel(index, "tiny", "2.0")
    make_wheel(index, "more")
    _ask(project, "tiny\nmore")
    lock.lock(project.jobs, engines="1.2.4")
    assert _locked(project)[FUNCTION.name] == {"more": "1.0", "tiny": "1.0"}
    _ask(project, "tiny>1\nmore")
    lock.lock(project.jobs, engines="1.2.4")
    assert _locked(project)[FUNCTION.name] == {"more": "1.0", "tiny": "2.0"}


def test_pymysql_stays_the_engines(project: Project, index: Path) -> None:
    for version in ("1.2.4", "9.0"):
        make_wheel(index, "PyMySQL", version, files={"pymysql/__init__.py": ""})
    make_wheel(index, "tiny", needs=["PyMySQL"])
    _ask(project, "tiny")
    lock.lock(project.jobs, engines="1.2.4")
    assert _locked(project)[FUNCTION.name] == {"tiny": "1.0"}
    make_wheel(index, "tiny", "2.0", needs=["PyMySQL>2"])
    _ask(project, "tiny>1")
    with pytest.raises(PackagesError, match=r"(?i)pymysql"):
        lock.lock(project.jobs, engines="1.2.4")


def test_a_file_that_is_no_jobs_is_named(project: Project, index: Path) -> None:
    _ask(project, "tiny", job="reprot")
    with pytest.raises(PackagesError, match=r"^lambda/jobs/reprot\.txt is no job's, .* lambda/jobs/reprot\.py: rename"):
        lock.lock(project.jobs, engines="1.2.4")


def test_locks_go_with_what_they_are_of(project: Project, index: Path) -> None:
    make_wheel(index, "tiny")
    _ask(project, "tiny")
    _ask(project, "tiny", job="report")
    lock.lock(project.jobs, engines="1.2.4")
    _ask(project, "")
    (project.jobs / "report.txt").unlink()
    with pytest.raises(PackagesError, match="make lock"):
        project.packages("plain")
    with pytest.raises(PackagesError, match="make lock"):
        project.packages("report")
    lock.lock(project.jobs, engines="1.2.4")
    assert list(project.folder.rglob("*.lock")) == []
    assert project.packages("report") is None


def test_the_engines_pymysql_is_the_pinned_one() -> None:
    assert f"pymysql=={lock.engines_version()} " in (ROOT / "requirements.txt").read_text()


def test_every_machine_of_a_team_is_locked_for() -> None:
    names = {target.name for target in MACHINES}
    assert {"3.11-x86_64", "3.14-x86_64", "3.14-aarch64", HERE.name} <= names


# make setup


def _lock(project: Project, requirements: str) -> None:
    _ask(project, requirements)
    lock.lock(project.jobs, engines="1.2.4")


def test_what_is_locked_is_fetched_for_both_and_laid_out_for_this_machine(
    project: Project, index: Path, store: Path, installed: Path
) -> None:
    for target in {FUNCTION, HERE, OLDER}:
        files = {"fast/__init__.py": f"MACHINE = {target.name!r}\n", "fast/data.txt": "data"}
        make_wheel(index, "fast", files=files, tag=compiled_for(target))
    _lock(project, "fast")
    fetch.fetch(project.jobs, FUNCTION)
    fetch.fetch(project.jobs, HERE)
    assert list(fetch.lay_out(project.jobs)) == []
    assert {file.name for file in store.iterdir()} == {
        f"fast-1.0-{compiled_for(target)}.whl" for target in (FUNCTION, HERE)
    }
    assert (installed / "fast" / "data.txt").read_text() == "data"
    assert HERE.name in (installed / "fast" / "__init__.py").read_text()


def test_a_second_setup_fetches_nothing(project: Project, index: Path, store: Path) -> None:
    wheel = make_wheel(index, "tiny")
    _lock(project, "tiny")
    fetch.fetch(project.jobs, FUNCTION)
    wheel.unlink()
    fetch.fetch(project.jobs, FUNCTION)
    (store / wheel.name).write_bytes(b"changed")
    with pytest.raises(PackagesError, match=r"requirements\.lock: the wheels can't be fetched"):
        fetch.fetch(project.jobs, FUNCTION)


def test_a_wheel_that_is_another_one_at_the_index_is_refused(project: Project, index: Path, store: Path) -> None:
    make_wheel(index, "tiny")
    _lock(project, "tiny")
    make_wheel(index, "tiny", files={"tiny/__init__.py": "raise SystemExit('changed')"})
    with pytest.raises(PackagesError, match=r"can't be fetched(.|\n)*HASHES"):
        fetch.fetch(project.jobs, FUNCTION)
    assert list(store.iterdir()) == []


def test_what_the_tools_have_in_another_version_is_said(
    project: Project, index: Path, store: Path, installed: Path
) -> None:
    make_wheel(index, "packaging", "0.1")
    _lock(project, "packaging")
    fetch.fetch(project.jobs, HERE)
    [note] = fetch.lay_out(project.jobs)
    assert re.match(
        r"The tests of jobs have packaging [\d.]+, .* the functions, make run and make try have 0\.1$", note
    )


def test_two_locks_that_disagree_are_named(project: Project, index: Path, store: Path, installed: Path) -> None:
    make_wheel(index, "tiny", "1.0")
    _ask(project, "tiny", job="plain")
    lock.lock(project.jobs, engines="1.2.4")
    kept = (project.jobs / "plain.lock").read_text()
    make_wheel(index, "tiny", "2.0")
    (project.jobs / "plain.lock").unlink()
    _ask(project, "tiny", job="report")
    lock.lock(project.jobs, engines="1.2.4")
    (project.jobs / "plain.lock").write_text(kept)
    with pytest.raises(PackagesError, match=r"plain\.lock has tiny 1\.0, and lambda/jobs/report\.lock 2\.0: make lock"):
        list(fetch.lay_out(project.jobs))


def test_packages_that_are_gone_are_gone_here(project: Project, index: Path, store: Path, installed: Path) -> None:
    make_wheel(index, "tiny")
    _lock(project, "tiny")
    fetch.fetch(project.jobs, HERE)
    list(fetch.lay_out(project.jobs))
    assert installed.is_dir()
    _lock(project, "")
    list(fetch.lay_out(project.jobs))
    assert not installed.exists()


def test_a_machine_that_has_no_wheels_can_do_all_but_run_these_jobs(
    project: Project, index: Path, store: Path, installed: Path
) -> None:
    make_wheel(index, "tiny")
    wheel = make_wheel(store, "fast", tag=compiled_for(FUNCTION))
    _lock(project, "tiny")
    _ask(project, "fast", job="report")
    (project.jobs / "report.lock").write_text(lock_text("a test", ["tiny", "fast"], {FUNCTION: hashed([wheel])}))
    fetch.fetch(project.jobs, FUNCTION)
    fetch.fetch(project.jobs, HERE)
    [note] = fetch.not_for_here(project.jobs)
    assert note.startswith(f"lambda/jobs/report.lock has nothing for {HERE}: make run, make try and tests can't run")
    assert list(fetch.lay_out(project.jobs)) == []
    assert (installed / "tiny").is_dir()  # the other jobs' packages are there
    assert project.packages("report") is not None
    with pytest.raises(PackagesError, match=r"report\.lock has nothing for .*: no versions fit both that and the"):
        Project(project.folder, target=HERE).packages("report")


def test_what_make_lock_leaves_as_it_was_is_not_installed_anew() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\nlock: ")[2].partition("\n\n")[0].splitlines()
    kept = "cat requirements-dev.txt package-lock.json"
    [before] = [number for number, line in enumerate(recipe) if line.endswith(f"{kept} > .cache/locked-before")]
    assert recipe[-1] == f"\t@if {kept} | cmp --silent - .cache/locked-before; then touch $(INSTALLED); fi"
    assert before < min(number for number, line in enumerate(recipe) if "pip-compile" in line)


def test_imports_are_measured_without_what_was_compiled_before(
    project: Project, index: Path, store: Path, installed: Path
) -> None:
    slow = "import time\ntime.sleep(0.2)\n"
    make_wheel(index, "tiny", files={"slow.py": slow, "broken.py": "import nothing_like_it"})
    _lock(project, "tiny")
    fetch.fetch(project.jobs, HERE)
    list(fetch.lay_out(project.jobs))
    assert 0.2 <= import_seconds({"slow", "json"}) < 5
    assert list(installed.rglob("*.pyc")) == []
    with pytest.raises(CannotImport, match="ModuleNotFoundError: No module named 'nothing_like_it'"):
        import_seconds({"broken"})


def test_make_runs_it_when_a_lock_changes() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(
        r"^\$\(READY\): \$\(INSTALLED\) \$\(LOCKS\)\n\t@python -m packages\.tools\.fetch\n", makefile, re.M
    )
    assert re.search(r"^LOCKS := .*lambda/requirements\.lock .*lambda/jobs/\*\.lock", makefile, re.M)
    # A lock that can't be fetched must not be in the way of the command that mends it.
    assert re.search(r"^lock: \$\(INSTALLED\) ", makefile, re.M)


@pytest.mark.integration
def test_real_packages_are_locked_and_fetched_from_the_configured_index(project: Project, store: Path) -> None:
    _ask(project, "idna>=3\nmarkupsafe>=3\n")
    lock.lock(project.jobs, engines=lock.engines_version())
    packages = project.packages("report")
    assert packages
    assert packages.versions.keys() == {"idna", "markupsafe"}
    fetch.fetch(project.jobs, FUNCTION)
    compiled = next(each for each in packages.wheels if each.package == "markupsafe")
    assert isinstance(compiled, LockedWheel)
    assert "aarch64" in compiled.file
    assert packages.provides("markupsafe._speedups")
    assert json.dumps(packages.versions)
