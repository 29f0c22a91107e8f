"""What `make synth` says of an environment is what its file and its templates say, without the CDK."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from review.summary import connections, costs, limits, resources, summary
from settings.environment import EnvironmentSettings
from settings.project import ROOT
from tests.fixture import a_job, load

LARGE = load("large")


def _with(settings: EnvironmentSettings, section: str, **values: object) -> EnvironmentSettings:
    changed = getattr(settings, section).model_copy(update=values)
    return settings.model_copy(update={section: changed})


def test_every_job_is_listed_with_what_it_may_take() -> None:
    console = Console(width=100)
    with console.capture() as capture:
        console.print(summary(LARGE, []))
    rows = {line.split()[1]: line for line in capture.get().splitlines() if line.startswith("│")}
    assert list(rows) == [job.name for job in LARGE.jobs]
    assert [cell.strip() for cell in rows["sweep"].split("│")[1:-1]] == [
        "sweep",
        "cron(15 3 * * ? *) UTC",
        "300 s",
        "256 MB",
        "1",
    ]


def test_a_job_is_listed_with_its_module_its_time_zone_and_whether_it_is_switched_off() -> None:
    jobs = (
        a_job(name="tally_once", module="tally", schedule="at(2026-12-24T18:00:00)", time_zone="Europe/Berlin"),
        a_job(name="pulse", schedule="rate(1 hour)", enabled=False),
    )
    console = Console(width=120)
    with console.capture() as capture:
        console.print(summary(LARGE.model_copy(update={"jobs": jobs}), []))
    rows = [line.split("│")[1:3] for line in capture.get().splitlines() if line.startswith("│")]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["tally_once (tally)", "at(2026-12-24T18:00:00) Europe/Berlin"],
        ["pulse", "rate(1 hour), switched off"],
    ]


def test_it_fits_a_usual_terminal() -> None:
    console = Console(width=80)
    with console.capture() as capture:
        console.print(summary(LARGE, []))
    assert "…" not in capture.get()


def test_the_connections_add_up() -> None:
    assert connections(LARGE) == "70 of 616 at worst: runs 3, kills 3, watcher 1, clients 0, migrations 2, reserve 61"


def test_what_is_billed_while_nothing_runs_is_listed() -> None:
    counted = {"AWS::CloudWatch::Alarm": 12, "AWS::SecretsManager::Secret": 1, "AWS::Lambda::Function": 4}
    assert list(costs(LARGE, counted)) == [
        "2 x m7g.large",
        "2 x 100 GB gp3 (up to 1000 GB)",
        "endpoint in 3 zones",
        "alarms 12",
        "secrets 2",
    ]


def test_what_aws_limits_is_counted_beside_its_limit() -> None:
    role, other = Counter({"AWS::IAM::Role": 3}), Counter({"AWS::IAM::Role": 2, "AWS::SQS::Queue": 5})
    assert list(limits(LARGE, [role, other])) == [
        "largest of 2 stacks 7 of 500 resources",
        "IAM roles 5 of the account's 1000",
        "concurrency 5 of the account's 900",
    ]


def test_what_a_setting_adds_is_listed() -> None:
    plain = set(costs(LARGE, {}))
    assert set(costs(_with(LARGE, "proxy", enabled=True), {})) - plain == {"proxy of 2 vCPUs"}
    assert set(costs(_with(LARGE, "database", insights="advanced"), {})) - plain == {"advanced insights of 2 vCPUs"}
    assert "m7g.large" in set(costs(_with(LARGE, "database", multi_az=False), {}))
    assert plain - set(costs(_with(LARGE, "network", secrets_endpoint=False), {})) == {"endpoint in 3 zones"}


def test_the_resources_of_all_templates_of_an_environment_are_counted(tmp_path: Path) -> None:
    alarm, queue = {"Type": "AWS::CloudWatch::Alarm"}, {"Type": "AWS::SQS::Queue"}
    (tmp_path / "one.template.json").write_text(json.dumps({"Resources": {"A": alarm, "B": queue}}))
    (tmp_path / "two.template.json").write_text(json.dumps({"Resources": {"A": alarm}}))
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "zero.template.json").write_text("{}")  # whose jobs are gone
    assert resources(tmp_path) == [
        {"AWS::CloudWatch::Alarm": 1, "AWS::SQS::Queue": 1},
        {"AWS::CloudWatch::Alarm": 1},
        {},
    ]


def test_an_environment_that_was_not_synthesized_is_no_empty_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        resources(tmp_path / "assembly-basic")


def test_it_is_fast_as_it_does_without_the_cdk() -> None:
    code = "import sys, review.summary; sys.exit('aws_cdk' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
