"""What must fit together in an environment: what is just allowed, what is just not, and the sums in between."""

import inspect
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from mysql_jobs.deadline import MARGIN_SECONDS as DEADLINE_MARGIN_SECONDS
from settings import checks
from settings.connection_budget import connection_budget
from settings.environment import ProxySettings
from settings.files import SettingsError
from settings.own_variables import MOST_BYTES, OTHERS_BYTES, measured
from tests.fixture import ENVIRONMENTS, PROJECT, a_job, load_file

PULSE = '[[jobs]]\nname = "pulse"\nschedule = "rate(5 minutes)"\n'
TALLY = '[[jobs]]\nname = "tally"\nschedule = "rate(15 minutes)"\n'


def _mistakes(
    folder: Path,
    *,
    top: str = "",
    network: str = 'cidr = "10.10.0.0/20"\nzones = ["a", "b"]',
    database: str = 'instance_class = "t4g.micro"',
    jobs: str = PULSE,
) -> list[str]:
    file = folder / "basic.toml"
    file.write_text(
        f'account = "111111111111"\nregion = "eu-central-1"\n{top}\n'
        f"[network]\n{network}\n"
        f"[database]\nmulti_az = true\nbackup_days = 7\ndeletion_protection = true\n{database}\n"
        f"{jobs}"
    )
    try:
        load_file(file)
    except SettingsError as error:
        return str(error).replace(f"{folder.name}/basic.toml: ", "").splitlines()
    return []


def test_connections_beyond_what_the_class_accepts_are_refused_with_the_sum(tmp_path: Path) -> None:
    jobs = f"{PULSE}concurrency = 18\n{TALLY}"
    assert _mistakes(tmp_path, jobs=jobs) == [
        "jobs: they may open 51 connections at once, and t4g.micro accepts 49: 19 of the runs (pulse 18, tally 1) "
        "+ 19 to end their statements at the deadline + 1 to watch the jobs + 2 of the migrations + 10 in reserve: "
        "write less concurrency, or a larger instance_class"
    ]


@pytest.mark.parametrize(
    ("change", "was", "then"),
    [
        ("less concurrency", "concurrency = 18", "concurrency = 17"),
        ("a larger class", "t4g.micro", "t4g.small"),
    ],
)
def test_what_the_connections_message_proposes_helps(change: str, was: str, then: str, tmp_path: Path) -> None:
    database, jobs = 'instance_class = "t4g.micro"', f"{PULSE}concurrency = 18\n{TALLY}"
    assert _mistakes(tmp_path, database=database, jobs=jobs)
    assert _mistakes(tmp_path, database=database.replace(was, then), jobs=jobs.replace(was, then)) == [], change


def test_through_a_proxy_nothing_is_killed_so_twice_the_runs_fit(tmp_path: Path) -> None:
    top = "proxy.enabled = true"
    assert _mistakes(tmp_path, top=top, jobs=f"{PULSE}concurrency = 36\n") == []
    [mistake] = _mistakes(tmp_path, top=top, jobs=f"{PULSE}concurrency = 37\n")
    assert "37 of the runs (pulse 37) + 0 to end their statements" in mistake


def test_what_clients_open_is_part_of_the_connections(tmp_path: Path) -> None:
    assert _mistakes(tmp_path, jobs=_clients(1, connections=34) + PULSE) == []
    settings = load_file(tmp_path / "basic.toml")
    budget = connection_budget(database=settings.database, proxy=settings.proxy, jobs=settings.jobs)
    assert (budget.clients, budget.used, budget.available) == (34, 49, 49)
    [mistake] = _mistakes(tmp_path, jobs=_clients(2, connections=18) + PULSE)
    assert "+ 36 of the clients + 2 of the migrations" in mistake


def test_as_many_clients_as_a_security_group_has_rules_for_also_while_the_port_changes(tmp_path: Path) -> None:
    assert 2 * checks.CLIENTS + checks.OWN_RULES == checks.RULES == 60
    assert _mistakes(tmp_path, database='instance_class = "m7g.large"', jobs=_clients(29) + PULSE) == []
    assert _mistakes(tmp_path, database='instance_class = "m7g.large"', jobs=_clients(30) + PULSE) == [
        "database.clients: there are 30: write 29 at most, as a security group has 60 rules, and for another port both "
        "are there for a while; a prefix list can name many networks"
    ]


def test_a_client_beside_the_vpc_may_be_as_wide_as_a_vpc_and_as_narrow_as_a_host(tmp_path: Path) -> None:
    for cidr in ("10.11.0.0/16", "10.10.16.0/20", "172.31.255.255/32"):
        assert _mistakes(tmp_path, jobs=f"{_client(cidr)}{PULSE}") == [], cidr
    vpc_id = 'vpc_id = "vpc-0123456789abcdef0"'  # whose networks nobody here knows
    assert _mistakes(tmp_path, network=vpc_id, jobs=f"{_client('10.10.0.0/20')}{PULSE}") == []


def test_every_character_that_ec2_takes_may_be_in_a_reason_and_no_other(tmp_path: Path) -> None:
    reason = "Az 09._-:/()#,@[]+=;{}!$*"
    for text in (reason, reason + "x" * (255 - len(reason))):
        assert _mistakes(tmp_path, jobs=f"{_client(reason=text)}{PULSE}") == []
    for text in ("x" * 256, "a & b", "café", "it's", "two\\nlines", " "):
        assert len(_mistakes(tmp_path, jobs=f"{_client(reason=text)}{PULSE}")) == 1, text


def _clients(number: int, *, connections: int = 1) -> str:
    return "".join(_client(f"10.20.{each}.0/24", connections=connections) for each in range(number))


def _client(cidr: str = "10.20.0.0/24", *, connections: int = 1, reason: str = "Reports") -> str:
    return f'[[database.clients]]\ncidr = "{cidr}"\nconnections = {connections}\nreason = "{reason}"\n'


def test_of_a_large_instance_a_tenth_is_reserved(tmp_path: Path) -> None:
    assert _mistakes(tmp_path, database='instance_class = "m7g.large"') == []
    settings = load_file(tmp_path / "basic.toml")
    budget = connection_budget(database=settings.database, proxy=settings.proxy, jobs=settings.jobs)
    assert (budget.runs, budget.kills, budget.watcher, budget.clients) == (1, 1, 1, 0)
    assert (budget.migrations, budget.reserve) == (2, 61)
    assert (budget.used, budget.available) == (66, 616)


def test_without_jobs_nothing_watches_them(tmp_path: Path) -> None:
    assert _mistakes(tmp_path, jobs="") == []
    settings = load_file(tmp_path / "basic.toml")
    assert connection_budget(database=settings.database, proxy=settings.proxy, jobs=settings.jobs).opened == 2


def test_a_run_that_has_no_next_one_may_take_any_time(tmp_path: Path) -> None:
    once = PULSE.replace("rate(5 minutes)", "at(2027-01-01T00:00:00)")
    assert (
        _mistakes(tmp_path, jobs=f"{once}timeout_seconds = 900\nflexible_minutes = 1440\nretry_minutes = 360\n") == []
    )


@pytest.mark.parametrize(
    ("database", "right"),
    [
        ("storage_gb = 100\nmax_storage_gb = 110", True),
        ("storage_gb = 100\nmax_storage_gb = 109", False),
        ("storage_gb = 25\nmax_storage_gb = 28", True),
        ("storage_gb = 25\nmax_storage_gb = 27", False),
        ("storage_gb = 90", True),
        ("storage_gb = 91", False),
    ],
)
def test_storage_grows_by_a_tenth_at_least(database: str, right: bool, tmp_path: Path) -> None:
    assert (_mistakes(tmp_path, database=f'instance_class = "m7g.large"\n{database}') == []) == right


@pytest.mark.parametrize(
    ("database", "mistakes"),
    [
        ("storage_gb = 400\nstorage_iops = 12000\nstorage_mbps = 3000", 0),
        ("storage_gb = 399\nstorage_iops = 12000\nstorage_mbps = 3000", 2),
        ("storage_gb = 400\nstorage_mbps = 3000", 0),
        ("storage_gb = 400\nstorage_mbps = 3001", 1),
        ("storage_gb = 400\nstorage_iops = 16000\nstorage_mbps = 4000", 0),
    ],
)
def test_the_speed_of_storage_is_one_that_gp3_has(database: str, mistakes: int, tmp_path: Path) -> None:
    database = f'instance_class = "m7g.large"\nmax_storage_gb = 1000\n{database}'
    assert len(_mistakes(tmp_path, database=database)) == mistakes


@pytest.mark.parametrize(
    ("name", "there"), [("t4g.micro", False), ("t3.small", False), ("t4g.medium", True), ("m7g.large", True)]
)
@pytest.mark.parametrize("mode", ["standard", "advanced"])
def test_insights_need_a_class_that_has_them(name: str, there: bool, mode: str, tmp_path: Path) -> None:
    found = _mistakes(tmp_path, database=f'instance_class = "{name}"\ninsights = "{mode}"')
    assert (found == []) == there


@pytest.mark.parametrize(
    ("setting", "risk"),
    [
        (("multi_az = true", "multi_az = false"), "single_zone"),
        (("backup_days = 7", "backup_days = 0"), "no_backups"),
        (("deletion_protection = true", "deletion_protection = false"), "no_deletion_protection"),
    ],
)
def test_a_risk_is_accepted_by_its_own_word_only(setting: tuple[str, str], risk: str, tmp_path: Path) -> None:
    words = ("single_zone", "no_backups", "no_deletion_protection")
    for word in words:
        _mistakes(tmp_path, top=f'accept_risk = ["{word}"]')
        file = tmp_path / "basic.toml"
        file.write_text(file.read_text().replace(*setting))
        if word == risk:
            load_file(file)
        else:
            with pytest.raises(SettingsError, match=f'or add "{risk}" to accept_risk'):
                load_file(file)


def test_an_existing_vpc_needs_neither_cidr_nor_zones_nor_an_endpoint(tmp_path: Path) -> None:
    assert _mistakes(tmp_path, network='vpc_id = "vpc-0123456789abcdef0"\nsecrets_endpoint = false') == []


def test_the_smallest_network_has_room_for_a_subnet_in_every_zone(tmp_path: Path) -> None:
    # So no check is needed; stacks/network/network.py makes /26 subnets.
    assert _mistakes(tmp_path, network='cidr = "10.0.0.0/24"\nzones = ["a", "b", "c"]') == []
    assert _mistakes(tmp_path, network='cidr = "10.0.0.0/25"\nzones = ["a", "b", "c"]')
    assert len(list(IPv4Network("10.0.0.0/24").subnets(new_prefix=26))) >= 3


def test_the_longest_names_fit_what_aws_allows(tmp_path: Path) -> None:
    # So no check is needed. Functions and schedules have 64 characters at most, queues 80:
    # https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / f"{'j' * 31}.py").write_text((PROJECT.jobs / "pulse.py").read_text())
    assert _mistakes(tmp_path, jobs=PULSE.replace("pulse", "j" * 31)) == []
    file = (tmp_path / "basic.toml").rename(tmp_path / f"{'e' * 16}.toml")
    settings = load_file(file)
    assert len(f"{settings.name}-{settings.jobs[0].name}-dead-letters") <= 64


@pytest.mark.parametrize(
    ("arn", "right"),
    [
        ("arn:aws:kms:eu-central-1:111111111111:key/12345678-1234-1234-1234-123456789012", True),
        ("arn:aws:kms:eu-central-1:111111111111:key/mrk-1234abcd12ab34cd56ef1234567890ab", True),
        ("arn:aws:kms:us-east-1:111111111111:key/mrk-1234abcd12ab34cd56ef1234567890ab", False),
    ],
)
def test_the_key_is_one_of_the_region(arn: str, right: bool, tmp_path: Path) -> None:
    assert (_mistakes(tmp_path, top=f'encryption_key = "{arn}"') == []) == right


def test_backups_are_copied_to_another_region(tmp_path: Path) -> None:
    key = 'backup_copy_key = "arn:aws:kms:eu-west-1:111111111111:key/12345678-1234-1234-1234-123456789012"'
    assert _mistakes(tmp_path, database=f'instance_class = "t4g.micro"\n{key}') == []


@pytest.mark.parametrize(
    ("snapshot", "right"),
    [
        ("before-the-move", True),
        ("arn:aws:rds:eu-central-1:111111111111:snapshot:before", True),
        ("arn:aws:rds:eu-west-1:111111111111:snapshot:before", False),
    ],
)
def test_the_snapshot_is_one_of_the_region(snapshot: str, right: bool, tmp_path: Path) -> None:
    database = f'instance_class = "t4g.micro"\nsnapshot = "{snapshot}"'
    assert (_mistakes(tmp_path, database=database) == []) == right


@pytest.mark.parametrize(
    ("tag", "right"),
    [
        ('"cost-center/Größe: 1+1=2 @home" = "a b"', True),
        (f'{"k" * 128} = "{"v" * 256}"', True),
        ('empty = ""', True),
        ('"" = "x"', False),
        (f'{"k" * 129} = "x"', False),
        (f'long = "{"v" * 257}"', False),
        ('"AWS:team" = "x"', False),
        ('team = "aws:x"', False),
        ('awsome = "aws x"', True),
        ('team = "a;b"', False),
        ('environment = "x"', False),
        ('Environment = "x"', False),
        ('PROJECT = "x"', False),
        ('team = "a"\ntags.area = "b"', True),
        ('team = "a"\ntags.Team = "b"', False),
    ],
)
def test_a_tag_is_one_that_aws_takes(tag: str, right: bool, tmp_path: Path) -> None:
    assert (_mistakes(tmp_path, top=f"tags.{tag}") == []) == right


def test_there_are_no_more_tags_than_aws_takes(tmp_path: Path) -> None:
    tags = [f'tags.t{number} = "x"' for number in range(46)]
    assert _mistakes(tmp_path, top="\n".join(tags[1:])) == []
    assert _mistakes(tmp_path, top="\n".join(tags)) == [
        "tags: there are 46: write 45 at most, as AWS allows 50 with those that this project sets"
    ]


@pytest.mark.parametrize(
    ("job", "right"),
    [
        ("timeout_seconds = 299", True),
        ("timeout_seconds = 300", False),
        ("timeout_seconds = 60\nflexible_minutes = 3", True),
        ("timeout_seconds = 60\nflexible_minutes = 4", False),
        ("timeout_seconds = 59\nflexible_minutes = 4", True),
        ("retry_minutes = 4", True),
        ("retry_minutes = 5", False),
    ],
)
def test_a_run_has_ended_when_the_next_begins(job: str, right: bool, tmp_path: Path) -> None:
    assert (_mistakes(tmp_path, jobs=PULSE + job) == []) == right


def test_what_the_flexible_minutes_message_proposes_is_right(tmp_path: Path) -> None:
    for timeout in (10, 59, 60, 61, 179, 180, 299):
        job = f"{PULSE}timeout_seconds = {timeout}\nflexible_minutes = "
        [mistake] = _mistakes(tmp_path, jobs=f"{job}5")
        most = int(mistake.partition(": write ")[2].partition(" ")[0]) if ": write " in mistake else 0
        assert _mistakes(tmp_path, jobs=f"{job}{most}") == []
        assert _mistakes(tmp_path, jobs=f"{job}{most + 1}") != []


@pytest.mark.parametrize(
    ("enabled", "borrow", "right"), [("true", 7, True), ("true", 8, False), ("false", 8, True), ("true", 9, False)]
)
def test_the_proxy_answers_before_the_run_must_end(enabled: str, borrow: int, right: bool, tmp_path: Path) -> None:
    proxy = f"proxy = {{enabled = {enabled}, borrow_timeout_seconds = {borrow}}}"
    assert (_mistakes(tmp_path, top=proxy, jobs=f"{PULSE}timeout_seconds = 10") == []) == right


def test_too_many_connections_name_some_of_many_jobs(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    names = [f"job{number:02}" for number in range(checks.SOME + 1)]
    for name in names:
        (tmp_path / "jobs" / f"{name}.py").write_text((PROJECT.jobs / "pulse.py").read_text())
    jobs = "".join(f"{PULSE.replace('pulse', name)}concurrency = 2\n" for name in names)
    [mistake] = _mistakes(tmp_path, jobs=jobs)
    assert "job00 2, job01 2, " in mistake
    assert "job19 2 and 1 others) + " in mistake


@pytest.mark.parametrize(
    ("auth", "proxy", "jobs", "right"),
    [
        ("secret", False, 400, True),
        ("secret", False, 401, False),
        ("secret", True, 150, True),
        ("secret", True, 151, False),
        ("secret", True, 0, False),
        ("secret", False, 0, True),
        ("iam", True, 1000, True),
        ("iam", True, 0, True),
    ],
)
def test_the_logins_of_the_jobs_have_room(auth: str, proxy: bool, jobs: int, right: bool) -> None:
    settings = ENVIRONMENTS["basic"]
    database = settings.database.model_copy(update={"auth": auth})
    found = list(checks._logins_have_room(database, ProxySettings(enabled=proxy), settings.jobs[:1] * jobs))
    assert (found == []) == right
    assert all("write" in each for each in found)


def test_the_margin_is_that_of_the_runs() -> None:
    assert checks.MARGIN_SECONDS == DEADLINE_MARGIN_SECONDS


def test_a_check_that_asks_for_no_setting_is_a_mistake_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def _databases_are_there(databases: object) -> Iterator[str]:
        yield f"never said of {databases}"

    monkeypatch.setattr(checks, "CHECKS", (*checks.CHECKS, _databases_are_there))
    with pytest.raises(TypeError, match="_databases_are_there has the parameters databases, which are no settings"):
        _mistakes(tmp_path)


def test_every_check_is_made() -> None:
    yielding = {
        name
        for name, function in inspect.getmembers(checks, inspect.isfunction)
        if "Iterator[str]" in str(function.__annotations__.get("return"))
    }
    assert {check.__name__ for check in checks.CHECKS} == yielding - {"mistakes", "provider_mistakes"}


def test_variables_and_parameters_have_the_room_that_lambda_has_less_that_of_the_login(tmp_path: Path) -> None:
    job = a_job(name="pulse", schedule="rate(5 minutes)", variables={"NOTE": ""})
    room = MOST_BYTES - OTHERS_BYTES - measured(job.function_variables)
    fits = f'{PULSE}variables.NOTE = "{"x " * (room // 2)}{"x" * (room % 2)}"\n'
    assert _mistakes(tmp_path, jobs=fits) == []
    assert _mistakes(tmp_path, jobs=fits.replace("x", "xü", 1)) == [
        "jobs[0] (pulse): its variables and parameters take 3,074 bytes as Lambda counts them, which has 4,096, 1,024 "
        "of them for the login: write 2 less"
    ]


def _using(folder: Path, uses: str) -> str:
    """The entry of a job that uses these."""
    (folder / "jobs").mkdir()
    source = f'"""Exports."""\n\nTABLES = {{"event": ("SELECT",)}}\nUSES = {uses}\n\n\ndef run(run): ...\n'
    (folder / "jobs" / "export.py").write_text(source)
    return '[[jobs]]\nname = "export"\nschedule = "rate(5 minutes)"\n'


NETWORK = 'cidr = "10.10.0.0/24"\nzones = ["a", "b"]'


def test_a_job_that_uses_the_internet_needs_a_way_there(tmp_path: Path) -> None:
    jobs = _using(tmp_path, '{"internet": ("b.example.com:443", "a.example.com:8443")}')
    assert _mistakes(tmp_path, network=NETWORK, jobs=jobs) == [
        "jobs[0] (export): export uses a.example.com:8443, b.example.com:443, and this network has no way out: write "
        'egress = "nat" in [network], about 40 USD a month'
    ]
    assert _mistakes(tmp_path, network=f'{NETWORK}\negress = "nat"', jobs=jobs) == []
    assert _mistakes(tmp_path, network='vpc_id = "vpc-0123456789abcdef0"', jobs=jobs) == []


def test_a_job_that_uses_aws_and_secrets_needs_no_way_to_the_internet(tmp_path: Path) -> None:
    jobs = _using(tmp_path, '{"s3": {"my-exports/*": ("PutObject",)}, "secret": ("billing-api",)}')
    assert _mistakes(tmp_path, network=NETWORK, jobs=jobs) == []


def test_a_function_has_room_for_the_groups_of_its_ways_out(tmp_path: Path) -> None:
    most = (
        '"secret": ("a",), "internet": ("a.example.com:22", "b.example.com:22"), "s3": {"my-exports": ("ListBucket",)}'
    )
    many = f'{{{most}, "sqs": {{"orders": ("SendMessage",)}}}}'
    jobs = _using(tmp_path, many)
    network = f'{NETWORK}\negress = "nat"'
    assert _mistakes(tmp_path, network=network, jobs=jobs) == []
    job = tmp_path / "jobs" / "export.py"
    job.write_text(job.read_text().replace('"b.example.com:22"', '"b.example.com:443"'))
    assert _mistakes(tmp_path, network=network, jobs=jobs) == [
        "jobs[0] (export): export uses 5 ways out of the network (22, 443, s3, secretsmanager, sqs), each is a "
        "security group, and its function takes 4 beside that of all jobs: split the job"
    ]


def test_the_policies_of_a_role_and_of_an_endpoint_have_room_for_what_jobs_use(tmp_path: Path) -> None:
    folder = "my-exports/a-folder-with-a-rather-long-name-{}/*"
    jobs = _using(tmp_path, repr({"s3": {folder.format(number): ("PutObject",) for number in range(100)}}))
    job = tmp_path / "jobs" / "export.py"
    text = job.read_text()
    assert _mistakes(tmp_path, network=NETWORK, jobs=jobs) == []
    job.write_text(text.replace("rather-long", "name-that-is-as-long-as-people-make-them"))
    of_the_role = (
        "jobs[0] (export): what export uses makes a policy of 9,506 characters, and its role has room for 8,000: state "
        "what they have in common, like a folder with * at its end, or split the job"
    )
    assert _mistakes(tmp_path, network=NETWORK, jobs=jobs) == [of_the_role]
    job.write_text(text.replace("rather-long", "long-name" * 18))
    assert _mistakes(tmp_path, network=NETWORK, jobs=jobs) == [
        of_the_role.replace("9,506", "21,706"),
        "jobs: what they use of s3 makes a policy of 21,706 characters, and its endpoint takes 19,480: state what many "
        "of them have in common, like a folder with * at its end",
    ]
    # Where no endpoint is made, a role is long all the same.
    assert len(_mistakes(tmp_path, network='vpc_id = "vpc-0123456789abcdef0"', jobs=jobs)) == 1
