"""docs/operations.md tells a person at night what to do: each alarm, and only what is there."""

import ast
import json
import re
from typing import Any, get_args, get_type_hints

import pytest
from pydantic import BaseModel

from documents.synthesis import synthesize
from mysql_jobs import claim, request, run
from mysql_jobs.report import Report
from settings import environment as all_settings
from settings.environment import EnvironmentSettings
from settings.project import ROOT
from stacks.database.events import EVENTS
from stacks.database.parameter_group import PARAMETERS
from tests.conftest import read_templates
from tests.fixture import ENVIRONMENTS, PROJECT, FilesIn, load_file
from tests.stacks.templates import Resources, of_type

FILE = ROOT / "docs" / "operations.md"
TEXT = FILE.read_text()

BLOCKS = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", TEXT, re.MULTILINE | re.DOTALL)
PROSE = re.sub(r"^ *```.*?^ *```$", "", TEXT, flags=re.MULTILINE | re.DOTALL)
INLINE = re.findall(r"`([^`\n]+)`", PROSE)

INSIGHTS_WORDS = {"fields", "filter", "sort", "limit", "and", "or", "in", "asc", "desc"}
LAMBDA_FIELDS = {"timestamp", "message", "level", "record"}
"""What Lambda and CloudWatch add to a line: @timestamp, @message, level, and the platform's own record."""
OUTCOMES = {
    *get_args(claim.Refusal),
    *get_args(get_type_hints(run.Outcome)["word"]),
    Report(job="", request_id="").entries["outcome"],
}


@pytest.fixture(scope="module")
def every_template(
    templates: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[EnvironmentSettings, Resources]]:
    """All that runs in each environment, and in a burstable one with a proxy."""
    file = tmp_path_factory.mktemp("environments") / "proxy.toml"
    basic = (PROJECT.environments / "basic.toml").read_text()
    file.write_text(f"{basic}\n[proxy]\nenabled = true\nborrow_timeout_seconds = 4\n")
    variant = read_templates(synthesize(FilesIn(file.parent), tmp_path_factory.mktemp("cdk.out")))
    deployed = [*ENVIRONMENTS.values(), load_file(file)]
    return [(each, {**templates, **variant}[each.name]["Jobs"]["Resources"]) for each in deployed]


def test_every_alarm_has_a_section_and_no_section_is_without_an_alarm(
    every_template: list[tuple[EnvironmentSettings, Resources]],
) -> None:
    alarms = {
        _pattern(alarm["Properties"]["AlarmName"], settings)
        for settings, resources in every_template
        for alarm in of_type(resources, "AWS::CloudWatch::Alarm").values()
    }
    sections = re.findall(r"^### `(<environment>-[^`]+)`$", PROSE, re.MULTILINE)
    assert sorted(sections) == sorted(alarms)


def test_an_alarms_section_says_what_to_do_and_when_to_sleep() -> None:
    for section in re.split(r"^##+ ", PROSE, flags=re.MULTILINE):
        if section.startswith("`<environment>-"):
            assert re.findall(r"^- \*\*(\w+)\*\*:", section, re.MULTILINE) == ["Means", "Look", "Do", "Bed"], section


def test_an_alarm_that_the_text_mentions_has_a_section() -> None:
    sections = set(re.findall(r"^### `([^`]+)`$", PROSE, re.MULTILINE))
    others = {f"<environment>-{name}" for name in ("mysql-jobs", "migrate", "<job>", "restored", "delivery-Roles")}
    assert {name for name in INLINE if re.fullmatch(r"<environment>-[\w<>-]+", name)} <= sections | others


def test_every_rds_event_that_is_subscribed_to_is_explained() -> None:
    rows = re.search(r"^\| category .*\n\|.*\n((?:\|.*\n)+)", PROSE, re.MULTILINE)
    assert rows
    assert re.findall(r"^\| ([\w ]+) \|", rows[1], re.MULTILINE) == list(EVENTS)


def test_every_graph_that_is_quoted_is_on_the_dashboard(
    every_template: list[tuple[EnvironmentSettings, Resources]],
) -> None:
    pages = "".join(
        json.dumps(page["Properties"]["DashboardBody"], ensure_ascii=False).replace('\\"', '"')
        for _, resources in every_template
        for page in of_type(resources, "AWS::CloudWatch::Dashboard").values()
    )
    titles = set(re.findall(r'"title":"([^"]+)"', pages)) | set(re.findall(r'"markdown":"## ([^"]+)"', pages))
    # The others: what the dashboard calls this, what `make synth` says, and a security group.
    assert set(re.findall("“([^”]+)”", PROSE)) - {"quotes", "runs", "kills", "The jobs"} <= titles


def test_every_word_in_code_is_an_outcome_a_field_a_setting_or_a_column() -> None:
    columns = re.findall(
        r"^    (\w+) ", (ROOT / "lambda/mysql_jobs/migrations/0001_ledger.sql").read_text(), re.MULTILINE
    )
    examples = set(re.findall(r"\b(?:E|JOB)=(\w+)", TEXT))  # what its first block sets
    known = OUTCOMES | _log_fields() | _settings() | set(PARAMETERS) | {*columns, *request.KEYS} | examples
    words = {re.sub(r" = .*", "", code) for code in INLINE}
    words = {word for word in words if re.fullmatch(r"[a-z][a-z_.]*", word)}
    assert words <= known


def test_every_outcome_that_is_asked_for_exists() -> None:
    asked: set[str] = set()
    for kind, text in BLOCKS:
        if kind in ("insights", "sql"):
            for after in re.findall(r"\boutcome (?:=|in) (\[[^\]]*\]|\S+)", text):
                asked |= set(re.findall(r"\w+", after))
    assert asked
    assert asked <= OUTCOMES


def test_every_field_in_a_query_is_one_that_a_run_writes() -> None:
    queries = [text for kind, text in BLOCKS if kind == "insights"]
    assert queries
    for query in queries:
        words = set(re.findall(r"(?<!\.)\b[a-z]\w*", re.sub(r'"[^"]*"', "", query)))
        assert words - INSIGHTS_WORDS <= _log_fields() | LAMBDA_FIELDS


def test_every_file_that_is_named_exists() -> None:
    for code in INLINE:
        if re.fullmatch(r"(stacks|settings|lambda|docs|tests)/[\w./]+", code):
            assert (ROOT / code).exists(), code


def _pattern(name: str, settings: EnvironmentSettings) -> str:
    """An alarm's name, with <environment> and <job> for what differs."""
    what = name.removeprefix(f"{settings.name}-")
    for job in settings.jobs:
        if what.startswith(f"{job.name}-"):
            return f"<environment>-<job>-{what.removeprefix(f'{job.name}-')}"
    return f"<environment>-{what}"


def _log_fields() -> set[str]:
    """What lambda/mysql_jobs/report.py writes; the handler names the stages that it times."""
    report = ast.parse((ROOT / "lambda/mysql_jobs/report.py").read_text())
    fields = {
        node.slice.value
        for node in ast.walk(report)
        if isinstance(node, ast.Subscript)
        and ast.unparse(node.value) == "self.entries"
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, str)
    }
    stages = re.findall(r'report\.timing\("(\w+)"\)', (ROOT / "lambda/mysql_jobs/handler.py").read_text())
    return fields | set(Report(job="", request_id="").entries) | {f"{stage}_ms" for stage in stages}


def _settings() -> set[str]:
    """The keys of an environment file, alone and below their section."""
    models = [each for each in vars(all_settings).values() if isinstance(each, type) and issubclass(each, BaseModel)]
    keys = {key for model in models for key in model.model_fields}
    sections = {key: field.annotation for key, field in EnvironmentSettings.model_fields.items()}
    return keys | {
        f"{section}.{key}"
        for section, annotation in sections.items()
        for model in (annotation, *(get_args(each)[0] for each in get_args(annotation) if get_args(each)))
        if isinstance(model, type) and issubclass(model, BaseModel)
        for key in model.model_fields
    }
