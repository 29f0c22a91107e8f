"""[database.existing]: every mistake of a database that is there is listed, and nothing of it is ours to set."""

from pathlib import Path

import pytest

from settings.connection_budget import connection_budget
from settings.environment import AdoptedDatabaseSettings, DatabaseSettings
from settings.files import SettingsError
from tests.fixture import VARIANTS, load_file
from tests.settings.test_environment_files import GOOD as MADE

GOOD = (VARIANTS / "adopted.toml").read_text()
AURORA = (VARIANTS / "joined.toml").read_text()
WHERE = "database.existing"


def _mistakes(text: str, folder: Path) -> list[str]:
    file = folder / "basic.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_file(file)
    return [line.removeprefix(f"{folder.name}/basic.toml: ") for line in str(caught.value).splitlines()]


@pytest.mark.parametrize(
    ("old", "new", "mistakes"),
    [
        ('engine = "mysql"\n', "", [f"{WHERE}.engine: missing: add it"]),
        (
            'engine = "mysql"',
            'engine = "aurora-postgresql"',
            [f'{WHERE}.engine = "aurora-postgresql": did you mean aurora-mysql?'],
        ),
        (
            'endpoint = "shop',
            'endpiont = "x"\nendpoint = "shop',
            [f"{WHERE}.endpiont: there is no such key: did you mean endpoint?"],
        ),
        (
            'name = "Shop-1"\n',
            'nmae = "x"\n',
            ["database.name: missing: add it", "database.nmae: there is no such key: did you mean name?"],
        ),
        (
            'name = "Shop-1"',
            'name = "MySQL"',
            ['database.name = "MySQL": this schema is MySQL\'s own: write another name, like jobs'],
        ),
        (
            'identifier = "shop"',
            'identifier = "Shop"',
            [f'{WHERE}.identifier = "Shop": write the name of the instance or the cluster, like orders'],
        ),
        (
            "sg-0fedcba9876543210",
            "default",
            [f'{WHERE}.security_group = "default": write a security group\'s id, like sg-0123456789abcdef0'],
        ),
        (
            "rds!db-12345678-abcdef",
            "rds!db",
            [
                f'{WHERE}.login = "arn:aws:secretsmanager:ap-southeast-2:222222222222:secret:rds!db": '
                "write the whole ARN of a secret, with the six characters at its end"
            ],
        ),
        ("max_connections = 300", "max_connections = 1", [f"{WHERE}.max_connections = 1: write 10 or more"]),
        (
            "max_connections = 300",
            'max_connections = 300\ncertificates = "company.pem"',
            [
                f'{WHERE}.certificates = "company.pem": {{folder}}/company.pem does not exist: '
                "write it, or remove the key"
            ],
        ),
        (
            "ap-southeast-2:222222222222:secret",
            "eu-west-1:222222222222:secret",
            [f"{WHERE}.login is in eu-west-1: write the ARN of one in ap-southeast-2"],
        ),
        (
            "key/87654321",
            "key/mrk-0",
            [
                f'{WHERE}.login_key = "arn:aws:kms:ap-southeast-2:222222222222:key/mrk-0-1234-1234-1234-123456789012": '
                "write a KMS key's ARN"
            ],
        ),
        (
            "abc123def456.ap-southeast-2",
            "abc123def456.eu-west-1",
            [
                f'{WHERE}.endpoint = "shop.abc123def456.eu-west-1.rds.amazonaws.com": it is not in ap-southeast-2: '
                "write one of that region"
            ],
        ),
        (
            '"db-A',
            '"cluster-A',
            [
                f'{WHERE}.resource_id = "cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ": the engine is mysql: write db-…, '
                "the instance's"
            ],
        ),
        (
            '[network]\nvpc_id = "vpc-0123456789abcdef0"\n',
            '[network]\ncidr = "10.0.0.0/20"\nzones = ["a", "b"]\n',
            ["network.cidr: shop is in a network that is there: write the vpc_id of that instead of cidr and zones"],
        ),
        (
            'region = "ap',
            'accept_risk = ["single_zone"]\nregion = "ap',
            ["accept_risk: single_zone is not ours to take, as shop is others': remove it"],
        ),
        (
            "max_connections = 300",
            "max_connections = 10",
            [
                "jobs: they may open 17 connections at once, and shop accepts 10: 2 of the runs (pulse 1, tally 1) + 2 "
                "to end their statements at the deadline + 1 to watch the jobs + 2 of the migrations + 10 in reserve: "
                "write less concurrency, or let its owner raise max_connections"
            ],
        ),
    ],
)
def test_a_mistake_is_told_word_for_word(old: str, new: str, mistakes: list[str], tmp_path: Path) -> None:
    assert old in GOOD
    expected = [each.replace("{folder}", tmp_path.name) for each in mistakes]
    assert _mistakes(GOOD.replace(old, new, 1), tmp_path) == expected


@pytest.mark.parametrize(
    "key", sorted(DatabaseSettings.model_fields.keys() - AdoptedDatabaseSettings.model_fields.keys())
)
def test_no_key_that_makes_a_database_is_taken_beside_it(key: str, tmp_path: Path) -> None:
    text = GOOD.replace("[database]\n", f"[database]\n{key} = 7\n", 1)
    reason = "it is for a database that is made, and existing names one that is there: remove it"
    assert _mistakes(text, tmp_path) == [f"database.{key}: {reason}"]


@pytest.mark.parametrize(
    "endpoint", ["orders.cluster-ro-abc123def456", "orders-1.abc123def456", "own.cluster-custom-abc123def456"]
)
def test_only_a_clusters_writer_endpoint_is_taken(endpoint: str, tmp_path: Path) -> None:
    (tmp_path / "company.pem").write_bytes((VARIANTS / "company.pem").read_bytes())
    [mistake] = _mistakes(AURORA.replace("orders.cluster-abc123def456", endpoint), tmp_path)
    assert mistake.endswith("the engine is aurora-mysql: write the cluster's writer endpoint, <name>.cluster-…")


def test_a_made_database_has_alarms_without_a_word(tmp_path: Path) -> None:
    [mistake] = _mistakes(f"{MADE}[alarms]\ndatabase = true\n", tmp_path)
    assert mistake == "alarms.database = true: a database that is made always has alarms: remove it"


def test_a_file_of_authorities_has_certificates(tmp_path: Path) -> None:
    (tmp_path / "company.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    [mistake] = _mistakes(AURORA, tmp_path)
    assert mistake == (
        f'{WHERE}.certificates = "company.pem": {tmp_path.name}/company.pem has no certificate: write one in PEM'
    )


def test_the_budget_is_held_against_what_the_server_was_asked() -> None:
    settings = load_file(VARIANTS / "adopted.toml")
    budget = connection_budget(database=settings.database, proxy=settings.proxy, jobs=settings.jobs)
    assert (budget.available, budget.reserve) == (300, 30)
