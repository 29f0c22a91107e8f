"""An environment file is right, or every mistake in it is listed with its key and what to write."""

from datetime import timedelta
from pathlib import Path

import pytest

import app
from stacks.settings import ENVIRONMENTS, JOBS, JobSettings, SettingsError, load_environment, load_environments

WITHOUT_JOBS = (ENVIRONMENTS / "dev.toml").read_text().partition("[[jobs]]")[0]
GOOD = WITHOUT_JOBS + '[[jobs]]\nname = "heartbeat"\nschedule = "rate(5 minutes)"\n'


def test_the_environments_are_those_with_a_file() -> None:
    assert [settings.name for settings in load_environments()] == ["dev", "local", "prod", "staging"]


@pytest.mark.parametrize(
    ("before", "after", "mistake"),
    [
        (
            'account = "111111111111"',
            "account = 111111111111",
            "account = 111111111111: Input should be a valid string",
        ),
        ('account = "111111111111"', "", "account: missing: add it"),
        ('"eu-central-1"', '"eu-centrall-1"', "region = 'eu-centrall-1': lambda/certificates has no authorities"),
        ('"10.10.0.0/20"', '"10.10.0.1/20"', "network.cidr = '10.10.0.1/20': 10.10.0.1/20 has host bits set"),
        ('"10.10.0.0/20"', '"8.8.0.0/20"', "network.cidr = '8.8.0.0/20': write a private network"),
        ('["a", "b"]', '["a"]', "network.zones = ['a']: Tuple should have at least 2 items"),
        (
            '"t4g.micro"',
            '"db.t4g.micro"',
            "instance_class = 'db.t4g.micro': write a class without the leading db., like",
        ),
        ("backup_days = 1", "backup_days = 36", "database.backup_days = 36: Input should be less than or equal to 35"),
        ("multi_az = false", "multi_az = 0", "database.multi_az = 0: Input should be a valid boolean"),
        ("multi_az", "multi_ax", "database.multi_ax: there is no such key: did you mean multi_az?"),
        ("backup_days = 1", "backup_dys = 1", "database.backup_dys: there is no such key: did you mean backup_days?"),
        ("backup_days = 1", "colour = 1", "database.colour: there is no such key: remove it or correct its spelling"),
        ('account = "', 'acount = "', "acount: there is no such key: did you mean account?"),
        (
            'name = "heartbeat"',
            'name = "heartbeat"\ntimeout = 9',
            "jobs[0].timeout: there is no such key: did you mean",
        ),
        ("[network]", "[netwrk]", "netwrk: there is no such key: did you mean network?"),
        ('["a", "b"]', '"ab"', "network.zones = 'ab': write an array, in square brackets"),
        ("[[jobs]]", "[jobs]", "jobs: write an array, in square brackets"),
        ("[network]", "[[network]]", "network = [{'cidr': '10.10.0.0/20', 'zones': ['a', 'b']}]: write a table"),
        ("backup_days = 1", "max_storage_gb = 20\nstorage_gb = 30\nbackup_days = 1", "database: max_storage_gb is 20"),
        (
            'name = "heartbeat"',
            'name = "hartbeat"',
            "jobs[0].name = 'hartbeat': lambda/jobs/hartbeat.py does not exist",
        ),
        ("rate(5 minutes)", "every 5 minutes", "jobs[0].schedule = 'every 5 minutes': write rate(5 minutes), or cron("),
        (
            "rate(5 minutes)",
            "cron(*/10,59 * * * ? *)",
            "jobs[0]: timeout_seconds is 60, but cron(*/10,59 * * * ? *) starts the next run after 60 s: write less",
        ),
        (
            'name = "heartbeat"',
            'name = "heartbeat"\nmax_window_minutes = 5',
            "jobs[0].max_window_minutes = 5: write more than 5, the longest interval, or a catch-up would never end",
        ),
        (
            '"rate(5 minutes)"',
            '"cron(0 3 ? * MON-FRI *)"\nmax_window_minutes = 4320',
            "jobs[0].max_window_minutes = 4320: write more than 4320, the longest interval",
        ),
        ('"rate(5 minutes)"', '"daily"\nmax_window_minutes = 9', "jobs[0].schedule = 'daily': write rate(5 minutes)"),
        (
            'name = "heartbeat"',
            'name = "heartbeat"\nmax_window_minutes = 99999999',
            "jobs[0].max_window_minutes = 99999999: Input should be less than or equal to 5256000",
        ),
        (
            'name = "heartbeat"',
            'name = "heartbeat"\nparameters = {a = 1}',
            "jobs[0].parameters: lambda/jobs/heartbeat.py defines no Parameters: remove them, or write the dataclass",
        ),
        ('name = "heartbeat"', 'name = "heartbeat"\nparameters = 1', "jobs[0].parameters = 1: write a table"),
        (
            'name = "heartbeat"',
            f'name = "{"j" * 32}"',
            "write small letters, digits and underscores, a letter first, 31",
        ),
        ("rate(5 minutes)", "rate(1 minute)", "jobs[0]: timeout_seconds is 60, but rate(1 minute) starts the next run"),
        ('name = "heartbeat"', 'name = "heartbeat"\ntime_zone = "CEST"', "jobs[0].time_zone = 'CEST': write a name"),
        ('"111111111111"', '"1111-1111-1111"', "account = '1111-1111-1111': write the account's 12 digits"),
        ('name = "heartbeat"', 'name = "Heartbeat"', "jobs[0].name = 'Heartbeat': write small letters"),
        ("[network]", "[network", "not TOML"),
        ('account = "111111111111"', 'account = "111111111111"\nname = "dev"', "named for its file"),
    ],
)
def test_a_mistake_is_named(before: str, after: str, mistake: str, tmp_path: Path) -> None:
    assert before in GOOD
    file = tmp_path / "dev.toml"
    file.write_text(GOOD.replace(before, after, 1))
    with pytest.raises(SettingsError) as caught:
        load_environment(file)
    assert mistake in str(caught.value)
    assert f"{tmp_path.name}/dev.toml: " in str(caught.value)


@pytest.mark.parametrize(
    ("schedule", "given", "expected"),
    [
        ("rate(5 minutes)", None, timedelta(days=1)),
        ("rate(5 minutes)", 6, timedelta(minutes=6)),
        ("rate(12 hours)", None, timedelta(days=1)),
        ("rate(13 hours)", None, timedelta(hours=26)),
        ("cron(15 3 ? * MON-FRI *)", None, timedelta(days=6)),
        ("cron(15 3 ? * MON-FRI *)", 4321, timedelta(days=3, minutes=1)),
    ],
)
def test_the_longest_window_is_given_or_a_day_or_twice_the_longest_interval(
    schedule: str, given: int | None, expected: timedelta
) -> None:
    assert JobSettings(name="heartbeat", schedule=schedule, max_window_minutes=given).max_window == expected


PURGE = '''
"""Deletes what is over."""
from __future__ import annotations
from dataclasses import dataclass
from run import Run

@dataclass(frozen=True, kw_only=True)
class Table:
    table: str
    retention_days: int

    def __post_init__(self) -> None:
        if self.retention_days < 1:
            raise ValueError(f"retention_days is {self.retention_days}: write 1 or more")

@dataclass(frozen=True, kw_only=True)
class Parameters:
    batch_rows: int = 1000
    last: Table | None = None
    note: str = ""
    tables: tuple[Table, ...]

def tables(parameters: Parameters) -> dict[str, tuple[str, ...]]:
    return {each.table: ("SELECT", "DELETE") for each in parameters.tables}

def run(run: Run) -> None: ...
'''
ENTRY = """
[[jobs]]
name = "purge"
schedule = "rate(1 day)"
[jobs.parameters]
batch_rows = 500
[[jobs.parameters.tables]]
table = "session"
retention_days = 30
"""


@pytest.fixture
def purge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job that takes parameters, beside the project's own."""
    folder = tmp_path / "jobs"
    folder.mkdir()
    (folder / "heartbeat.py").write_text((JOBS / "heartbeat.py").read_text())
    (folder / "purge.py").write_text(PURGE)
    monkeypatch.setattr("stacks.settings.JOBS", folder)
    return folder / "purge.py"


def _mistakes(environment: str, folder: Path) -> list[str]:
    file = folder / "dev.toml"
    file.write_text(environment)
    with pytest.raises(SettingsError) as caught:
        load_environment(file)
    return str(caught.value).replace(f"{folder.name}/dev.toml: ", "").splitlines()


@pytest.mark.usefixtures("purge")
def test_a_job_has_the_parameters_of_its_environment(tmp_path: Path) -> None:
    (tmp_path / "dev.toml").write_text(GOOD + ENTRY)
    [heartbeat, job] = load_environment(tmp_path / "dev.toml").jobs
    assert heartbeat.parameters == {}
    assert job.parameters == {"batch_rows": 500, "tables": [{"table": "session", "retention_days": 30}]}
    assert heartbeat.rights == {"heartbeat": {"SELECT", "INSERT"}}
    assert job.rights == {"session": {"SELECT", "DELETE"}}
    assert job.module.description == "Deletes what is over."


@pytest.mark.usefixtures("purge")
@pytest.mark.parametrize(
    ("before", "after", "mistake"),
    [
        ("batch_rows = 500", 'batch_rows = "500"', ".batch_rows = '500': Input should be a valid integer"),
        ("batch_rows", "batch_row", ".batch_row: there is no such key: did you mean batch_rows?"),
        ("batch_rows", "colour", ".colour: there is no such key: remove it or correct its spelling"),
        ("table =", "tabel =", ".tables[0].tabel: there is no such key: did you mean table?"),
        ("retention_days = 30", "", ".tables[0].retention_days: missing: add it"),
        ("retention_days = 30", "retention_days = 0", ".tables[0]: retention_days is 0: write 1 or more"),
        ("retention_days = 30", 'retention_days = "x"', ".tables[0].retention_days = 'x': Input should be a valid"),
        ("batch_rows = 500", "last = 500", ".last = 500: write a table"),
        ("batch_rows = 500", 'last = {tble = "a"}', ".last.tble: there is no such key: did you mean table?"),
        ("[[jobs.parameters.tables]]", "[jobs.parameters.tables]", ".tables: write an array, in square brackets"),
        ("batch_rows = 500", f'note = "{"x" * 2000}"', ": they take 2062 characters as JSON: write 2000 at"),
        ("batch_rows = 500", "batch_rows = 2026-11-24", ": 2026-11-24 is a date: write it in quotes"),
        ("batch_rows = 500", "batch_rows = 08:00:00", ": 08:00:00 is a time: write it in quotes"),
        ('"session"', '"ledger"', ": lambda/jobs/purge.py states wrong rights: 'ledger': this table is the"),
    ],
)
def test_a_wrong_parameter_is_named(before: str, after: str, mistake: str, tmp_path: Path) -> None:
    assert before in ENTRY
    found = _mistakes(GOOD + ENTRY.replace(before, after, 1), tmp_path)
    assert any(line.startswith(f"jobs[1].parameters{mistake}") for line in found), found


@pytest.mark.usefixtures("purge")
def test_parameters_that_a_job_needs_are_missed(tmp_path: Path) -> None:
    entry = ENTRY.partition("[jobs.parameters]")[0]
    assert _mistakes(GOOD + entry, tmp_path) == ["jobs[1].parameters.tables: missing: add it"]


@pytest.mark.usefixtures("purge")
def test_mistakes_in_parameters_are_listed_with_all_others(tmp_path: Path) -> None:
    entry = ENTRY.replace("batch_rows = 500", "batch_row = true").replace("30", '"30"').replace("rate(1 day)", "daily")
    assert [line.partition(":")[0] for line in _mistakes(GOOD.replace("backup_days = 1", "") + entry, tmp_path)] == [
        "database.backup_days",
        "jobs[1].schedule = 'daily'",
        "jobs[1].parameters.tables[0].retention_days = '30'",
        "jobs[1].parameters.batch_row",
    ]


def test_a_job_whose_module_is_wrong_is_named(purge: Path, tmp_path: Path) -> None:
    purge.write_text(PURGE.replace('"""Deletes what is over."""', "").replace("def run(", "def walk("))
    assert _mistakes(GOOD + ENTRY, tmp_path) == [
        "jobs[1].name = 'purge': lambda/jobs/purge.py has no function run(run): write one; "
        "has no docstring: write what the job does, for the dashboard"
    ]


def test_rights_that_are_too_long_together_are_named(purge: Path, tmp_path: Path) -> None:
    purge.write_text(
        PURGE.replace('{each.table: ("SELECT", "DELETE") for', '{f"t{n}": ("SELECT",) for n in range(300) for')
    )
    [mistake] = _mistakes(GOOD + ENTRY, tmp_path)
    assert mistake.startswith("the jobs' rights take ")
    assert mistake.endswith(" characters as JSON: name fewer tables, 3000 at most")


def test_a_job_named_twice_is_named(tmp_path: Path) -> None:
    (tmp_path / "dev.toml").write_text(GOOD + '\n[[jobs]]\nname = "heartbeat"\nschedule = "rate(1 hour)"\n')
    with pytest.raises(SettingsError, match="more than one entry named heartbeat: keep one"):
        load_environment(tmp_path / "dev.toml")


def test_all_mistakes_of_all_files_are_listed_at_once(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text(GOOD.replace("backup_days = 1", "backup_days = 99\nbackup_dys = 2"))
    (tmp_path / "two.toml").write_text(GOOD.replace('"10.10.0.0/20"', '"nowhere"'))
    (tmp_path / "good.toml").write_text(GOOD)
    with pytest.raises(SettingsError) as caught:
        load_environments(tmp_path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert "backup_days = 99" in lines[0] + lines[1]
    assert "backup_dys" in lines[0] + lines[1]
    assert "two.toml: network.cidr = 'nowhere'" in lines[2]


def test_no_environment_at_all_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"write a file like dev\.toml"):
        load_environments(tmp_path)


def test_settings_cannot_change() -> None:
    settings = load_environment(ENVIRONMENTS / "dev.toml")
    with pytest.raises(ValueError, match="frozen"):
        settings.database.multi_az = True


def test_the_app_ends_with_the_mistakes_and_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dev.toml").write_text(GOOD.replace("multi_az = false", 'multi_az = "no"'))
    monkeypatch.setattr("app.load_environments", lambda: load_environments(tmp_path))
    with pytest.raises(SystemExit, match=r"database\.multi_az = 'no': Input should be a valid boolean"):
        app.main()
