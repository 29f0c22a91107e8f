"""An environment file is right, or every mistake in it is listed with its key and what to write."""

from pathlib import Path

import pytest

import app
from stacks.settings import ENVIRONMENTS, SettingsError, load_environment, load_environments

GOOD = (ENVIRONMENTS / "dev.toml").read_text()


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
        ("multi_az", "multi_ax", "database.multi_ax: there is no such key"),
        ("backup_days = 1", "max_storage_gb = 20\nstorage_gb = 30\nbackup_days = 1", "database: max_storage_gb is 20"),
        (
            'name = "heartbeat"',
            'name = "hartbeat"',
            "jobs[0].name = 'hartbeat': lambda/jobs/hartbeat.py does not exist",
        ),
        ("rate(5 minutes)", "every 5 minutes", "jobs[0].schedule = 'every 5 minutes': write rate(5 minutes), or cron("),
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
