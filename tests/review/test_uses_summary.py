"""`make synth` shows what each job uses besides its database, by which way, and what the way costs."""

from pathlib import Path

from rich.console import Console

from review.uses_summary import uses_table
from settings.environment import EnvironmentSettings
from tests.fixture import ENVIRONMENTS, load_file

USES = """{
    "s3": {"my-exports/events/*": ("PutObject",)},
    "ses": {"identity/example.com": ("SendEmail",)},
    "kms": {"key/1234": ("Decrypt",)},
    "secret": ("billing-api",),
    "internet": ("api.billing.example:443",),
}"""
NEW = 'cidr = "10.10.0.0/20"\nzones = ["a", "b", "c"]\negress = "nat"'
THERE = 'vpc_id = "vpc-0123456789abcdef0"'


def _environment(folder: Path, network: str, region: str = "us-east-1") -> EnvironmentSettings:
    (folder / "jobs").mkdir()
    source = f'"""Exports."""\n\nTABLES = {{"event": ("SELECT",)}}\nUSES = {USES}\n\n\ndef run(run): ...\n'
    (folder / "jobs" / "export.py").write_text(source)
    (folder / "basic.toml").write_text(
        f'account = "111111111111"\nregion = "{region}"\n[network]\n{network}\n'
        '[database]\ninstance_class = "t4g.micro"\nmulti_az = true\nbackup_days = 7\ndeletion_protection = true\n'
        '[[jobs]]\nname = "export"\nschedule = "rate(5 minutes)"\n'
    )
    return load_file(folder / "basic.toml")


def _lines(environment: EnvironmentSettings) -> dict[str, tuple[str, str]]:
    """The way and its cost, by what is used."""
    table = uses_table([environment])
    assert table
    console = Console(width=200)
    with console.capture() as capture:
        console.print(table)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in capture.get().splitlines() if "│" in line]
    assert {job for job, *_ in rows} == {"basic: export"}
    return {used: (way, usd) for _job, used, way, usd in rows}


def test_each_use_has_its_way_and_its_cost(tmp_path: Path) -> None:
    assert _lines(_environment(tmp_path, NEW)) == {
        "s3 my-exports/events/*: PutObject": ("a gateway endpoint", "free"),
        "ses identity/example.com: SendEmail": ("an interface endpoint in 3 zones", "21.90"),
        "kms key/1234: Decrypt": ("no way: other services use it for the job", ""),
        "secret billing-api": ("the endpoint of Secrets Manager", "as before"),
        "api.billing.example:443": ("the NAT gateway", "36.50"),
    }


def test_a_price_of_another_region_says_so(tmp_path: Path) -> None:
    lines = _lines(_environment(tmp_path, NEW, region="sa-east-1"))
    assert lines["api.billing.example:443"] == ("the NAT gateway", "36.50 (as in us-east-1)")


def test_a_vpc_that_is_there_has_its_own_ways(tmp_path: Path) -> None:
    lines = _lines(_environment(tmp_path, THERE))
    assert lines["s3 my-exports/events/*: PutObject"] == ("the VPC's own way", "")
    assert lines["api.billing.example:443"] == ("the VPC's own way out", "")


def test_jobs_that_use_their_database_only_need_no_table() -> None:
    assert uses_table(ENVIRONMENTS.values()) is None
