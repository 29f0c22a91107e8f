"""What `make try` refuses before it asks anyone; what it does with an environment is in test_make_run.py."""

import sys
from pathlib import Path

import pytest

from local import kept, sql, try_job
from tests.fixture import PROJECT, a_job

pytestmark = pytest.mark.deployment


@pytest.fixture(autouse=True)
def nothing_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where somebody keeps an environment up while the tests run."""
    monkeypatch.setattr(kept, "STATE", tmp_path / "kept.json")


@pytest.mark.parametrize("event", ["{dry_run: true}", "{'dry_run': true}", "[]"])
def test_an_event_that_is_not_json_is_refused(
    event: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["try", "pulse", "--event", event])
    with pytest.raises(SystemExit) as ended:
        try_job.main()
    assert ended.value.code == 1
    assert 'write an object like {"dry_run": true}' in capsys.readouterr().err


@pytest.mark.parametrize(("program", "argument"), [(try_job, "pulse"), (sql, "SELECT 1")])
def test_without_a_kept_environment_the_command_is_named(
    program: object, argument: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["program", argument])
    with pytest.raises(SystemExit) as ended:
        program.main()  # type: ignore[attr-defined]
    assert ended.value.code == 1
    assert "`make run KEEP=1`" in capsys.readouterr().err


def test_of_two_kept_environments_the_latest_is_found_until_it_ends(tmp_path: Path) -> None:
    with kept.kept(folder=tmp_path, environment="basic", variables={}):
        with kept.kept(folder=tmp_path, environment="large", variables={}):
            assert kept.find().environment == "large"
        with pytest.raises(kept.NothingKept):
            kept.find()


def test_an_environment_whose_program_was_killed_is_not_found(tmp_path: Path) -> None:
    with kept.kept(folder=tmp_path, environment="basic", variables={}):
        text = kept.STATE.read_text()
        kept.STATE.write_text(text.replace(f'"pid": {kept.find().pid}', '"pid": 99999999'))
        with pytest.raises(kept.NothingKept):
            kept.find()


def test_a_job_that_is_not_entered_says_which_parameter_it_lacks() -> None:
    with pytest.raises(
        try_job.CannotTry, match=r"sweep is not in environments/basic\.toml.*: parameters\.tables: Field"
    ):
        try_job._not_entered(PROJECT, "sweep", "basic")


def test_a_tried_job_has_its_own_variables_and_its_own_login(tmp_path: Path) -> None:
    migrate = {"DATABASE_USER": "admin", "JOBS_AUTH": "secret", "JOBS_SECRETS": "basic-mysql-jobs/", "RIGHTS": "{}"}
    environment = kept.Kept(pid=1, folder=str(tmp_path), environment="basic", variables=migrate)
    functions = try_job.Functions(environment=environment, folder=tmp_path)
    functions.code.mkdir()
    tried = functions.job(a_job(name="pulse", schedule="rate(1 hour)", variables={"LOG_LEVEL": "DEBUG"}))
    assert tried.variable("LOG_LEVEL") == "DEBUG"
    assert tried.variable("DATABASE_USER") == "job_basic_pulse"
