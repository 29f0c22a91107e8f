"""The picture shows what the templates have, and nothing else."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from documents.picture.arrows import Architecture, architecture
from documents.picture.differences import ROWS, differences
from documents.picture.drawing import svg
from documents.picture.layout import BOLD, LETTER, heading, layout, wrapped
from documents.picture.routes import routes
from review.templates import read_environments
from settings.project import ROOT
from stacks import compliance
from stacks.environment import Environment
from tests.documents.conftest import DRAWN, Stacks, read
from tests.fixture import ENVIRONMENTS, PROJECT
from tests.quick_app import quick_app


@pytest.mark.parametrize("environment", [*ENVIRONMENTS])
def test_every_environment_is_drawn(environment: str, assembly: Path) -> None:
    one = architecture(read_environments(assembly)[environment])
    texts = _texts(one)
    for box in one.boxes:
        assert box.kind in ROWS
        assert box.kind == "flow logs" or any(box.title in text for text in texts), box
    assert not layout(one).elsewhere
    assert len(list(routes(one, layout(one)))) > 10


@pytest.mark.parametrize(
    ("kind", "box"),
    [
        ("AWS::SQS::Queue", "queues"),
        ("AWS::EC2::VPCEndpoint", "endpoint"),
        ("AWS::CloudWatch::Dashboard", "dashboard"),
        ("AWS::CloudWatch::Alarm", "alarms"),
        ("AWS::Scheduler::Schedule", "schedule"),
        ("AWS::SNS::Topic", "topic"),
        ("AWS::SNS::Subscription", "subscriber"),
        ("AWS::RDS::DBInstance", "database"),
        ("AWS::EC2::VPC", "vpc"),
    ],
)
def test_what_is_taken_out_of_the_templates_is_gone_with_its_arrows(kind: str, box: str, stacks: Stacks) -> None:
    [title, *_] = [each.title for each in _drawn(stacks).of(box)]
    assert any(title in text for text in _texts(_drawn(stacks)))
    _remove(stacks, kind)
    without = _drawn(stacks)
    assert not without.of(box)
    assert not any(title in text for text in _texts(without) if title not in _titles(without))
    assert all(box not in (arrow.source.kind, arrow.target.kind) for arrow in without.arrows)


@pytest.mark.parametrize(
    ("kind", "source", "target"),
    [
        ("AWS::Lambda::EventInvokeConfig", "function", "queues"),
        ("AWS::RDS::EventSubscription", "database", "topic"),
        ("AWS::EC2::SecurityGroupIngress", "function", "database"),
    ],
)
def test_an_arrow_goes_with_what_it_stands_for(kind: str, source: str, target: str, stacks: Stacks) -> None:
    assert (source, target) in _arrows(_drawn(stacks))
    _remove(stacks, kind)
    assert (source, target) not in _arrows(_drawn(stacks))


def test_the_metrics_of_log_lines_lead_to_the_alarms_on_them(stacks: Stacks) -> None:
    assert ("job logs", "alarms") in _arrows(_drawn(stacks))
    without = json.loads(json.dumps(stacks["Jobs"]).replace('"METRICS"', '"OTHER"'))
    assert ("job logs", "alarms") not in _arrows(_drawn(stacks | {"Jobs": without}))


def test_a_function_that_its_own_runs_start_says_so(stacks: Stacks) -> None:
    assert any("goes on at once" in text for text in _texts(_drawn(stacks)))
    _remove(stacks, "AWS::Events::Rule")
    assert not any("goes on at once" in text for text in _texts(_drawn(stacks)))


def test_an_arrow_says_how_many_of_the_frame_it_stands_for(stacks: Stacks) -> None:
    schedules = [each for each in stacks["Jobs"]["Resources"].values() if each["Type"] == "AWS::Scheduler::Schedule"]
    targets = [each["Properties"]["Target"] for each in schedules]
    having = [each for each in targets if "DeadLetterConfig" in each]
    assert len(having) == len(targets) - 1  # all but the watcher's
    assert f"not delivered ({len(having)} of {len(targets)})" in _texts(_drawn(stacks))
    del having[0]["DeadLetterConfig"]
    assert f"not delivered ({len(having) - 1} of {len(targets)})" in _texts(_drawn(stacks))


def test_a_login_with_iam_is_shown_where_the_role_may(stacks: Stacks) -> None:
    assert "IAM login" in _labels(_drawn(stacks))
    grants = json.dumps(stacks["Jobs"]).replace("rds-db:connect", "rds-db:other")
    assert "IAM login" not in _labels(_drawn(stacks | {"Jobs": json.loads(grants)}))


@pytest.mark.synthesis
def test_a_proxy_stands_between_the_jobs_and_the_database(stacks: Stacks, tmp_path: Path) -> None:
    assert ("function", "proxy") not in _arrows(_drawn(stacks))
    settings = ENVIRONMENTS[DRAWN]
    proxied = settings.model_copy(update={"proxy": settings.proxy.model_copy(update={"enabled": True})})
    flags = json.loads((ROOT / "cdk.json").read_text())["context"]
    flags |= {"aws:cdk:bundling-stacks": [], "aws:cdk:enable-path-metadata": True}
    app = quick_app(outdir=str(tmp_path), context=flags)
    environment = Environment(app, project=PROJECT, settings=proxied)
    compliance.acknowledge(environment)
    app.synth()
    one = architecture(read_environments(tmp_path)[DRAWN])
    assert {("function", "proxy"), ("proxy", "database")} <= _arrows(one)
    assert any(text == "RDS Proxy" for text in _texts(one))


def test_an_environment_in_a_vpc_that_is_there_can_be_drawn(stacks: Stacks) -> None:
    stacks["Network"] = {"Resources": {}}
    texts = _texts(_drawn(stacks))
    assert "The jobs" in texts
    assert not any("VPC" in text for text in texts)


def test_the_differences_of_one_environment_are_none(stacks: Stacks) -> None:
    assert differences([_drawn(stacks)]) == {}
    assert "What differs" not in _texts(_drawn(stacks))


@pytest.mark.parametrize("name", ["tally", "a_job_whose_name_is_longer_than_a_box_is_wide"])
def test_nothing_is_drawn_over_another_box_or_beyond_its_own(name: str, stacks: Stacks) -> None:
    one = _drawn(json.loads(json.dumps(stacks).replace("tally", name)))
    boxes = [(box, rect) for box, rect in layout(one).boxes.items() if box.kind != "vpc"]
    for number, (box, rect) in enumerate(boxes):
        for other, beside in boxes[number + 1 :]:
            besides = rect.right <= beside.x or beside.right <= rect.x
            assert besides or rect.bottom <= beside.y or beside.bottom <= rect.y, (box, other)
        assert len(heading(box, rect.width)) * BOLD <= rect.width, box
        assert all(len(line) * LETTER <= rect.width for line in wrapped(box, rect.width)), box


def _drawn(stacks: Stacks) -> Architecture:
    return architecture(read(stacks))


def _remove(stacks: Stacks, kind: str) -> None:
    for template in stacks.values():
        resources = template["Resources"]
        template["Resources"] = {name: each for name, each in resources.items() if each["Type"] != kind}


def _arrows(one: Architecture) -> set[tuple[str, str]]:
    return {(arrow.source.kind, arrow.target.kind) for arrow in one.arrows}


def _labels(one: Architecture) -> str:
    return ", ".join(route.label for route in routes(one, layout(one)))


def _titles(one: Architecture) -> set[str]:
    return {box.title for box in one.boxes}


def _texts(one: Architecture) -> list[str]:
    """All that is written in the picture of one environment."""
    picture = ET.fromstring(svg(one))  # noqa: S314 - its own
    return [each.text or "" for each in picture.iter("{http://www.w3.org/2000/svg}text")]
