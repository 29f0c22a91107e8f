"""The game day's environment is like the one that is named, and has nothing that is a team's: no data, no jobs."""

import ast
from datetime import timedelta
from pathlib import Path

import pytest

from gameday.exercises import alarms, database
from gameday.project import JOBS, LONGEST_NAME, RESTORED, TEMPLATE, GameProject, environment_name
from settings.environment import DatabaseSettings, EnvironmentSettings
from settings.missed_runs import silence
from settings.project import ROOT
from stacks.watching import job_alarms
from tests.fixture import ENVIRONMENTS, load_file

LIKE = ("account", "region", "network", "encryption_key", "permissions_boundary", "tags")
ALL = [*ENVIRONMENTS.values()]


@pytest.fixture(params=ALL, ids=lambda settings: settings.name)
def source(request: pytest.FixtureRequest) -> EnvironmentSettings:
    settings: EnvironmentSettings = request.param
    return settings


def made(source: EnvironmentSettings, folder: Path) -> GameProject:
    return GameProject(folder / "project", source, name=environment_name(source.name))


def test_it_is_like_the_environment_that_is_named(source: EnvironmentSettings, tmp_path: Path) -> None:
    settings = made(source, tmp_path).settings
    for key in LIKE:
        assert getattr(settings, key) == getattr(source, key), key
    for key in ("instance_class", "multi_az", "auth", "insights", "port", "name"):
        assert getattr(settings.database, key) == getattr(source.database, key), key
    assert settings.proxy.enabled == source.proxy.enabled


def test_nothing_of_it_outlives_the_day_and_nobody_is_told(source: EnvironmentSettings, tmp_path: Path) -> None:
    settings = made(source, tmp_path).settings
    assert (settings.made_database.deletion_protection, settings.made_database.keeps_backups) == (False, False)
    assert (settings.made_database.snapshot, settings.made_database.storage_gb) == (None, 20)
    assert (settings.alarms.email, settings.delivery, settings.accept_change) == (None, None, ())
    assert [job.name for job in settings.jobs] == [job["name"] for job in JOBS]


EVERY_KEY = """
account = "111111111111"
region = "eu-central-1"
[network]
cidr = "10.0.0.0/20"
zones = ["a", "b"]
[database]
name = "work"
auth = "secret"
port = 1150
instance_class = "m7g.large"
storage_gb = 59578
max_storage_gb = 65536
storage_iops = 20000
storage_mbps = 1000
multi_az = true
backup_days = 30
backup_copy_key = "arn:aws:kms:eu-west-1:111111111111:key/12345678-1234-1234-1234-123456789012"
backup_window = "02:00-02:30"
maintenance_window = "sun:03:00-sun:03:30"
deletion_protection = true
snapshot = "before"
monitoring_seconds = 60
insights = "advanced"
[[database.clients]]
cidr = "10.200.4.0/22"
connections = 10
reason = "Reports"
[proxy]
enabled = true
borrow_timeout_seconds = 20
[alarms]
email = "on-call@example.com"
[tags]
"cost center" = "4: 2"
[[accept_change]]
resource = "Database/Instance"
danger = "data"
reason = "anew"
"""


def test_an_environment_with_every_key_has_a_game_day(tmp_path: Path) -> None:
    file = tmp_path / "every.toml"
    file.write_text(EVERY_KEY + '\n[[jobs]]\nname = "pulse"\nschedule = "rate(1 hour)"\n')
    source = load_file(file)
    assert source.database.model_fields_set == DatabaseSettings.model_fields.keys()
    settings = made(source, tmp_path).settings
    assert settings.tags == {"cost center": "4: 2"}
    assert (settings.proxy.enabled, settings.proxy.borrow_timeout_seconds) == (True, 5)
    assert (settings.made_database.storage_iops, settings.made_database.max_storage_gb) == (None, 100)
    assert (settings.made_database.snapshot, settings.alarms.email) == (None, None)
    assert (settings.made_database.backup_copy_key, settings.made_database.clients) == (None, ())


def test_a_change_holds_for_the_changes_after_it(source: EnvironmentSettings, tmp_path: Path) -> None:
    game = made(source, tmp_path)
    game.change("proxy", enabled=True)
    game.change("database", storage_gb=22)
    assert (game.settings.proxy.enabled, game.settings.made_database.storage_gb) == (True, 22)
    assert game.settings.database.auth == source.database.auth


def test_its_name_leaves_room_for_the_restored_environment() -> None:
    name = environment_name("a" * LONGEST_NAME)
    assert len(name + RESTORED) == LONGEST_NAME
    assert name + RESTORED != environment_name("a" * (LONGEST_NAME - 1))


def test_the_exercises_count_on_what_the_engine_does(tmp_path: Path) -> None:
    jobs = {job.name: job for job in made(ALL[0], tmp_path).settings.jobs}
    assert alarms.FAILED_RUNS == job_alarms.FAILED_ATTEMPTS <= jobs["fail"].attempts
    assert silence(jobs["beat"]).total_seconds() < alarms.MISSED_SECONDS / 2
    assert silence(jobs["nap"]) > timedelta(days=2)  # it would ring all day
    assert jobs["beat"].timeout_seconds == database.BUDGET_SECONDS
    assert database.NAP.total_seconds() < jobs["nap"].timeout_seconds - 2


def test_its_migration_and_its_jobs_agree_on_the_table() -> None:
    tables = {
        key.value
        for file in (TEMPLATE / "lambda" / "jobs").glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant)
    } - {"traces", "sessions", "slept"}
    assert tables == {"trace"}
    assert "CREATE TABLE trace" in (ROOT / TEMPLATE / "lambda" / "migrations" / "0001_trace.sql").read_text()
