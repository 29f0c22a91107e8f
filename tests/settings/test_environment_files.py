"""An environment file is right, or every mistake in it is listed with its key, the reason and what to write."""

import os
from pathlib import Path

import pytest

import app
from settings.files import SettingsError, load_environments
from settings.project import Project
from tests.fixture import ENVIRONMENTS, PROJECT, load_file, load_files

GOOD = """\
account = "111111111111"
region = "eu-central-1"

[network]
cidr = "10.10.0.0/20"
zones = ["a", "b"]

[database]
instance_class = "m7g.large"
multi_az = true
backup_days = 7
deletion_protection = true

[[jobs]]
name = "pulse"
schedule = "rate(5 minutes)"
"""
PARAGRAPHS = (Path(__file__).with_name("environment_mistakes.txt")).read_text().strip("\n").split("\n\n")[1:]


def test_the_environments_are_those_with_a_file() -> None:
    assert [settings.name for settings in ENVIRONMENTS.values()] == ["basic", "large", "local", "middle"]


def test_an_environment_needs_no_jobs_nor_a_folder_for_them(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.environments.mkdir()
    (project.environments / "basic.toml").write_text(GOOD.partition("[[jobs]]")[0])
    [settings] = load_environments(project)
    assert settings.jobs == ()


def test_a_job_without_a_module_is_named_whether_there_are_others_or_none(tmp_path: Path) -> None:
    missing = 'jobs[0].name = "puls": lambda/jobs/puls.py does not exist: '
    text = GOOD.replace('"pulse"', '"puls"')
    assert _mistakes(text, tmp_path) == [f"{missing}did you mean pulse?"]
    (tmp_path / "jobs").mkdir()
    assert _mistakes(text, tmp_path) == [f"{missing}write the job"]


def test_an_account_has_one_identity_provider(tmp_path: Path) -> None:
    delivery = '[delivery]\nrepository = "octo-org/jobs"\n'
    for name in ("one", "two"):
        (tmp_path / f"{name}.toml").write_text(GOOD + delivery)
    (tmp_path / "elsewhere.toml").write_text((GOOD + delivery).replace("111111111111", "222222222222"))
    with pytest.raises(SettingsError) as caught:
        load_files(tmp_path)
    assert str(caught.value) == (
        "environments/two.toml: delivery.provider = true: one makes GitHub's identity provider in account "
        "111111111111, and an account can have one: write false"
    )
    (tmp_path / "two.toml").write_text(f"{GOOD}{delivery}provider = false\n")
    assert len(load_files(tmp_path)) == 3


def test_what_the_mistakes_are_edits_of_is_right(tmp_path: Path) -> None:
    (tmp_path / "basic.toml").write_text(GOOD)
    assert load_file(tmp_path / "basic.toml").name == "basic"


@pytest.mark.parametrize("paragraph", PARAGRAPHS, ids=lambda text: text.partition("\n! ")[2][:60])
def test_a_mistake_is_told_word_for_word(paragraph: str, tmp_path: Path) -> None:
    lines = paragraph.splitlines()
    before = "".join(f"{line[2:]}\n" for line in lines if line[0] in " -")
    after = "".join(f"{line[2:]}\n" for line in lines if line[0] in " +")
    assert before in GOOD
    assert _mistakes(GOOD.replace(before, after, 1), tmp_path) == [line[2:] for line in lines if line[0] == "!"]


def test_all_mistakes_are_listed_at_once_also_those_across_values(tmp_path: Path) -> None:
    environment = """\
acount = "111111111111"
region = "eu-centrall-1"
accept_risk = ["single_zone", "no_backup"]
tags.project = "mine"

[network]
vpc_id = "vpc-0123456789abcdef0"
cidr = "10.10.0.0/20"

[database]
instance_class = "t4g.micro"
multi_az = true
backup_days = 1
deletion_protection = false
insights = "standard"
storage_gb = 200

[[jobs]]
name = "pulse"
schedule = "rate(1 minute)"

[[jobs]]
name = "tally"
schedule = "daily"

[[jobs]]
name = "tally"
schedule = "rate(1 hour)"
retry_minutes = 60
timeout_seconds = 5
"""
    assert _mistakes(environment, tmp_path) == [
        "account: missing: add it",
        'region = "eu-centrall-1": lambda/mysql_jobs/certificates has no authorities for this region: '
        "did you mean eu-central-1?",
        'accept_risk[1] = "no_backup": did you mean no_backups?',
        'jobs[1] (tally).schedule = "daily": write rate(5 minutes), '
        "cron(minute hour day-of-month month day-of-week year), or, once, at(2026-12-24T18:00:00)",
        "jobs[2] (tally).timeout_seconds = 5: write 10 or more",
        "acount: there is no such key: did you mean account?",
        "tags.project: this project sets this tag itself, and IAM ignores case: remove it",
        "network: vpc_id names an existing VPC, cidr a new one: remove one or the other",
        "database: max_storage_gb is 100, but RDS lets 200 GB grow only if that is 10 % more: write 220 or more",
        'database.insights = "standard": t4g.micro has no Database Insights: '
        "remove it, or write a class of medium size or more",
        "jobs[0] (pulse): timeout_seconds is 60, but rate(1 minute) starts the next run after 60 s: "
        "write less than 60, or a longer schedule",
    ]


def test_all_mistakes_of_all_files_are_listed_at_once(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text(GOOD.replace("backup_days = 7", "backup_days = 99\nbackup_dys = 2"))
    (tmp_path / "two.toml").write_text(GOOD.replace('"10.10.0.0/20"', '"nowhere"'))
    (tmp_path / "good.toml").write_text(GOOD)
    with pytest.raises(SettingsError) as caught:
        load_files(tmp_path)
    folder = tmp_path.name
    assert str(caught.value).splitlines() == [
        f"{folder}/one.toml: database.backup_days = 99: write 35 at most",
        f"{folder}/one.toml: database.backup_dys: there is no such key: did you mean backup_days?",
        f'{folder}/two.toml: network.cidr = "nowhere": write a network like 10.0.0.0/20',
    ]


def test_a_file_must_have_a_name_that_an_environment_can_have(tmp_path: Path) -> None:
    (tmp_path / "My-Env.toml").write_text(GOOD)
    with pytest.raises(SettingsError, match=r"the file's name = \"My-Env\": write a file name of small letters"):
        load_file(tmp_path / "My-Env.toml")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "basic.toml").write_bytes(b'region = "\xff"')
    with pytest.raises(SettingsError, match=r"basic\.toml: not TOML: 'utf-8' codec can't decode"):
        load_file(tmp_path / "basic.toml")


@pytest.mark.parametrize(
    "edit",
    [
        ('cidr = "10.10.0.0/20"', 'cidr = "100.64.0.0/20"'),
        ('cidr = "10.10.0.0/20"', 'cidr = "172.31.0.0/16"'),
        ("multi_az = true", "multi_az = true\nstorage_gb = 59578\nmax_storage_gb = 65536"),
        ("multi_az = true", 'multi_az = true\nsnapshot = "rds:large-mysql-jobs-2026-11-23-02-10"'),
        (
            "multi_az = true",
            'multi_az = true\nsnapshot = "arn:aws:rds:eu-central-1:222222222222:snapshot:awsbackup:job-1"',
        ),
        ("multi_az = true", 'multi_az = true\nname = "orders"'),
        (
            "multi_az = true",
            'multi_az = true\nbackup_window = "02:00-02:30"\nmaintenance_window = "sun:02:30-sun:03:00"',
        ),
        (GOOD, f"\N{BYTE ORDER MARK}{GOOD}"),
        ("\n", "\r\n"),
    ],
)
def test_what_aws_takes_is_right(edit: tuple[str, str], tmp_path: Path) -> None:
    text = GOOD.replace(*edit)
    assert text != GOOD
    (tmp_path / "basic.toml").write_bytes(text.encode())
    assert load_file(tmp_path / "basic.toml").name == "basic"


def test_a_file_that_an_editor_makes_beside_it_is_no_environment(tmp_path: Path) -> None:
    (tmp_path / "basic.toml").write_text(GOOD)
    (tmp_path / ".#basic.toml").symlink_to("somebody@somewhere.1234")
    (tmp_path / ".basic.toml").write_text("[")
    assert [each.name for each in load_files(tmp_path)] == ["basic"]


def test_what_is_no_file_is_named_with_the_mistakes_of_all_others(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "link.toml").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "wrong.toml").write_text(GOOD.replace("backup_days = 7", "backup_days = 99"))
    with pytest.raises(SettingsError) as caught:
        load_files(tmp_path)
    where = tmp_path.name
    assert str(caught.value).splitlines() == [
        f"{where}/folder.toml: is not a file: write an environment file, or remove it",
        f"{where}/link.toml: is a link to nothing: write an environment file, or remove it",
        f"{where}/pipe.toml: is not a file: write an environment file, or remove it",
        f"{where}/wrong.toml: database.backup_days = 99: write 35 at most",
    ]


@pytest.mark.parametrize("value", ["[" * 5000, f"a = {'9' * 5000}", f"a = 0x{'f' * 5000}"])
def test_what_python_can_not_read_is_named(value: str, tmp_path: Path) -> None:
    (tmp_path / "basic.toml").write_text(value)
    with pytest.raises(SettingsError, match=r"basic\.toml: not TOML: "):
        load_file(tmp_path / "basic.toml")


def test_no_environment_at_all_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="has no environment: write a file like "):
        load_files(tmp_path)


def test_the_app_ends_with_the_mistakes_and_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "basic.toml").write_text(GOOD.replace("multi_az = true", 'multi_az = "no"'))
    monkeypatch.setattr("app.load_environments", lambda _project: load_files(tmp_path))
    with pytest.raises(SystemExit, match=r'database\.multi_az = "no": write true or false, without quotes'):
        app.main()


PURGE = '''
"""Deletes what is over."""
from __future__ import annotations
from dataclasses import dataclass
from mysql_jobs.run import Run

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
def purge(tmp_path: Path) -> Path:
    """A job that takes parameters, beside the project's own."""
    folder = tmp_path / "jobs"
    folder.mkdir()
    (folder / "pulse.py").write_text((PROJECT.jobs / "pulse.py").read_text())
    (folder / "purge.py").write_text(PURGE)
    return folder / "purge.py"


@pytest.mark.usefixtures("purge")
def test_a_job_has_the_parameters_of_its_environment(tmp_path: Path) -> None:
    (tmp_path / "basic.toml").write_text(GOOD + ENTRY)
    [pulse, job] = load_file(tmp_path / "basic.toml").jobs
    assert pulse.parameters == {}
    assert job.parameters == {"batch_rows": 500, "tables": [{"table": "session", "retention_days": 30}]}
    assert pulse.rights == {"pulse": {"SELECT", "INSERT"}}
    assert job.rights == {"session": {"SELECT", "DELETE"}}
    assert job.job_module.description == "Deletes what is over."


@pytest.mark.usefixtures("purge")
@pytest.mark.parametrize(
    ("before", "after", "mistake"),
    [
        ("batch_rows = 500", 'batch_rows = "500"', '.batch_rows = "500": write a whole number, without quotes'),
        ("batch_rows", "batch_row", ".batch_row: there is no such key: did you mean batch_rows?"),
        ("batch_rows", "colour", ".colour: there is no such key: write one of batch_rows, last, note, tables"),
        ("table =", "tabel =", ".tables[0].tabel: there is no such key: did you mean table?"),
        ("retention_days = 30", "", ".tables[0].retention_days: missing: add it"),
        ("retention_days = 30", "retention_days = 0", ".tables[0]: retention_days is 0: write 1 or more"),
        ("retention_days = 30", 'retention_days = "x"', '.tables[0].retention_days = "x": write a whole number'),
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
    assert any(line.startswith(f"jobs[1] (purge).parameters{mistake}") for line in found), found


@pytest.mark.usefixtures("purge")
def test_parameters_that_a_job_needs_are_missed(tmp_path: Path) -> None:
    entry = ENTRY.partition("[jobs.parameters]")[0]
    assert _mistakes(GOOD + entry, tmp_path) == ["jobs[1] (purge).parameters.tables: missing: add it"]


@pytest.mark.usefixtures("purge")
def test_mistakes_in_parameters_are_listed_with_all_others(tmp_path: Path) -> None:
    entry = ENTRY.replace("batch_rows = 500", "batch_row = true").replace("30", '"30"').replace("rate(1 day)", "daily")
    assert [line.partition(":")[0] for line in _mistakes(GOOD.replace("backup_days = 7", "") + entry, tmp_path)] == [
        "database.backup_days",
        'jobs[1] (purge).schedule = "daily"',
        'jobs[1] (purge).parameters.tables[0].retention_days = "30"',
        "jobs[1] (purge).parameters.batch_row",
    ]


def test_a_job_whose_module_is_wrong_is_named(purge: Path, tmp_path: Path) -> None:
    purge.write_text(PURGE.replace('"""Deletes what is over."""', "").replace("def run(", "def walk("))
    assert _mistakes(GOOD + ENTRY, tmp_path) == [
        'jobs[1].name = "purge": lambda/jobs/purge.py has no function run(run): write one; '
        "has no docstring: write what the job does, for the dashboard"
    ]


def test_a_parameter_without_a_type_is_named_where_its_value_is(purge: Path, tmp_path: Path) -> None:
    purge.write_text(PURGE.replace("batch_rows: int = 1000", "batch_rows = 1000"))
    assert _mistakes(GOOD + ENTRY, tmp_path) == [
        'jobs[1].name = "purge": lambda/jobs/purge.py has a Parameters.batch_rows without a type, so it is no field: '
        "write batch_rows: int = 1000"
    ]


@pytest.mark.usefixtures("purge")
@pytest.mark.parametrize(
    ("entry", "mistake"),
    [
        ('[[jobs]]\nschedule = "daily"', 'jobs[1].schedule = "daily": '),
        ('[[jobs]]\nname = 5\nschedule = "daily"', 'jobs[1].schedule = "daily": '),
        ('[[jobs]]\nname = "a\\nb"\nschedule = "daily"', 'jobs[1].schedule = "daily": '),
        ('[[jobs]]\nname = "prge"\nschedule = "daily"', 'jobs[1] (prge).schedule = "daily": '),
    ],
)
def test_a_job_is_named_if_its_name_can_be_read(entry: str, mistake: str, tmp_path: Path) -> None:
    found = _mistakes(GOOD + entry, tmp_path)
    assert [line.startswith(("jobs[1].name", mistake)) for line in found] == [True, True], found


def test_an_entry_that_is_no_job_has_its_place(tmp_path: Path) -> None:
    jobs = GOOD.partition("[[jobs]]")[0]
    assert _mistakes("jobs = [1]\n" + jobs, tmp_path) == ["jobs[0] = 1: write a table"]


@pytest.mark.usefixtures("purge")
@pytest.mark.parametrize(("name", "whose"), [("migrate", "the migrations"), ("watch", "what watches the jobs")])
def test_a_job_with_the_name_of_a_function_of_the_engine_is_named(name: str, whose: str, tmp_path: Path) -> None:
    assert _mistakes(GOOD + ENTRY.replace('"purge"', f'"{name}"\nmodule = "purge"'), tmp_path) == [
        f'jobs[1] ({name}).name = "{name}": the function of {whose} has this name: rename the job'
    ]


@pytest.mark.usefixtures("purge")
def test_two_jobs_have_one_module_each_with_its_own_schedule_and_parameters(tmp_path: Path) -> None:
    again = (
        ENTRY.replace('"purge"', '"tidy"\nmodule = "purge"').replace("1 day", "1 hour").replace('"session"', '"cart"')
    )
    (tmp_path / "basic.toml").write_text(GOOD + ENTRY + again)
    [pulse, purge, tidy] = load_file(tmp_path / "basic.toml").jobs
    assert [(each.name, each.module_name) for each in (pulse, purge, tidy)] == [
        ("pulse", "pulse"),
        ("purge", "purge"),
        ("tidy", "purge"),
    ]
    assert tidy.job_module.file == "lambda/jobs/purge.py"
    assert (purge.schedule, tidy.schedule) == ("rate(1 day)", "rate(1 hour)")
    assert [set(each.rights) for each in (purge, tidy)] == [{"session"}, {"cart"}]


@pytest.mark.usefixtures("purge")
def test_two_jobs_may_be_the_same_in_everything_but_their_names(tmp_path: Path) -> None:
    (tmp_path / "basic.toml").write_text(GOOD + ENTRY + ENTRY.replace('"purge"', '"tidy"\nmodule = "purge"'))
    assert [each.name for each in load_file(tmp_path / "basic.toml").jobs] == ["pulse", "purge", "tidy"]


@pytest.mark.usefixtures("purge")
@pytest.mark.parametrize(
    ("keys", "mistake"),
    [
        ('name = "tidy"', 'jobs[1].name = "tidy": lambda/jobs/tidy.py does not exist: write the job, or name one of '),
        (
            'name = "tidy"\nmodule = "prge"',
            'jobs[1] (tidy).module = "prge": lambda/jobs/prge.py does not exist: did you mean purge?',
        ),
        ('name = "tidy"\nmodule = "Tidy"', 'jobs[1] (tidy).module = "Tidy": write small letters, digits and'),
        ('name = "tidy"\nmodule = 5', "jobs[1] (tidy).module = 5: write it in quotes"),
        ('name = "Tidy"\nmodule = "purge"', 'jobs[1].name = "Tidy": write small letters, digits and'),
    ],
)
def test_the_module_of_a_job_is_what_has_to_be_there(keys: str, mistake: str, tmp_path: Path) -> None:
    [found] = _mistakes(GOOD + ENTRY.replace('name = "purge"', keys), tmp_path)
    assert found.startswith(mistake)


@pytest.mark.usefixtures("purge")
def test_the_parameters_of_a_job_are_those_of_its_module(tmp_path: Path) -> None:
    entry = ENTRY.replace('"purge"', '"tidy"\nmodule = "purge"').replace("batch_rows", "batch_row")
    assert _mistakes(GOOD + entry, tmp_path) == [
        "jobs[1] (tidy).parameters.batch_row: there is no such key: did you mean batch_rows?"
    ]


def _mistakes(environment: str, folder: Path) -> list[str]:
    file = folder / "basic.toml"
    file.write_text(environment)
    with pytest.raises(SettingsError) as caught:
        load_file(file)
    where = f"{folder.name}/basic.toml: "
    lines = str(caught.value).splitlines()
    assert all(line.startswith(where) for line in lines), lines
    return [line.removeprefix(where) for line in lines]
