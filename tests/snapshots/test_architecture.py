"""docs/architecture.svg shows what the templates have, and nothing else. `make snapshots` draws it anew."""

import copy
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import aws_cdk as cdk
import pytest

from local.emulator import ACCOUNT as EMULATED
from stacks import compliance
from stacks.environment import Environment
from stacks.environment_files import load_environments
from stacks.settings import ROOT
from tests.snapshots.architecture.arrows import Architecture, read
from tests.snapshots.architecture.differences import ROWS, differences
from tests.snapshots.architecture.drawing import svg
from tests.snapshots.architecture.layout import BOLD, LETTER, heading, layout, wrapped
from tests.snapshots.architecture.references import ArchitectureError
from tests.snapshots.architecture.routes import routes

PICTURE = ROOT / "docs" / "architecture.svg"
DRAWN = "prod"
"""The environment that the picture shows; below it stands what the others differ in."""

Stacks = dict[str, dict[str, Any]]
Templates = dict[str, Stacks]


@pytest.fixture
def stacks(templates: Templates) -> Stacks:
    """The templates of the environment that is drawn, to be changed."""
    return copy.deepcopy(templates[DRAWN])


def test_the_picture_shows_what_the_templates_have(templates: Templates, request: pytest.FixtureRequest) -> None:
    deployed = [read(each.name, templates[each.name]) for each in load_environments() if each.account != EMULATED]
    drawn = svg(read(DRAWN, templates[DRAWN]), [each.name for each in deployed], differences(deployed))
    if request.config.option.update_snapshots:
        PICTURE.write_text(drawn)
    elif not PICTURE.is_file() or PICTURE.read_text() != drawn:
        pytest.fail(
            "docs/architecture.svg is not what the templates say: make snapshots, and look at it", pytrace=False
        )


@pytest.mark.parametrize("environment", [each.name for each in load_environments()])
def test_every_environment_can_be_drawn(environment: str, templates: Templates) -> None:
    one = read(environment, templates[environment])
    texts = _texts(one)
    for box in one.boxes:
        assert box.kind in ROWS
        assert box.kind == "flow logs" or any(box.title in text for text in texts), box
    assert len(list(routes(one, layout(one)))) > 0


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
    [title, *_] = [each.title for each in read(DRAWN, stacks).of(box)]
    assert any(title in text for text in _texts(read(DRAWN, stacks)))
    _remove(stacks, kind)
    without = read(DRAWN, stacks)
    assert not without.of(box)
    assert not any(title in text for text in _texts(without) if title not in _titles(without))
    assert all(box not in (arrow.source.kind, arrow.target.kind) for arrow in without.arrows)


@pytest.mark.parametrize(
    ("kind", "source", "target"),
    [
        ("AWS::Lambda::EventInvokeConfig", "function", "queues"),
        ("AWS::Logs::MetricFilter", "job logs", "alarms"),
        ("AWS::RDS::EventSubscription", "database", "topic"),
        ("AWS::EC2::FlowLog", "vpc", "flow logs"),
        ("AWS::EC2::SecurityGroupIngress", "function", "database"),
    ],
)
def test_an_arrow_goes_with_what_it_stands_for(kind: str, source: str, target: str, stacks: Stacks) -> None:
    assert (source, target) in _arrows(read(DRAWN, stacks))
    _remove(stacks, kind)
    assert (source, target) not in _arrows(read(DRAWN, stacks))


def test_an_arrow_says_how_many_of_the_frame_it_stands_for(stacks: Stacks) -> None:
    schedules = [each for each in stacks["Jobs"]["Resources"].values() if each["Type"] == "AWS::Scheduler::Schedule"]
    assert "not delivered" in _texts(read(DRAWN, stacks))
    del schedules[0]["Properties"]["Target"]["DeadLetterConfig"]
    assert f"not delivered ({len(schedules) - 1} of {len(schedules)})" in _texts(read(DRAWN, stacks))


def test_a_login_with_iam_is_shown_where_the_role_may(stacks: Stacks) -> None:
    assert "IAM login" in _labels(read(DRAWN, stacks))
    grants = json.dumps(stacks["Jobs"]).replace("rds-db:connect", "rds-db:other")
    assert "IAM login" not in _labels(read(DRAWN, stacks | {"Jobs": json.loads(grants)}))


def test_a_proxy_stands_between_the_jobs_and_the_database(stacks: Stacks, tmp_path: Path) -> None:
    assert ("function", "proxy") not in _arrows(read(DRAWN, stacks))
    [settings] = [each for each in load_environments() if each.name == DRAWN]
    proxied = settings.model_copy(update={"proxy": settings.proxy.model_copy(update={"enabled": True})})
    flags = json.loads((ROOT / "cdk.json").read_text())["context"]
    app = cdk.App(outdir=str(tmp_path), context={**flags, "aws:cdk:bundling-stacks": []})
    environment = Environment(app, settings=proxied)
    compliance.acknowledge(environment)
    app.synth()
    parts = (environment.network, environment.database, environment.jobs)
    folder = tmp_path / f"assembly-{DRAWN}"
    one = read(DRAWN, {each.node.id: json.loads((folder / each.template_file).read_text()) for each in parts})
    assert {("function", "proxy"), ("proxy", "database")} <= _arrows(one)
    assert any(text == "RDS Proxy" for text in _texts(one))


def test_an_environment_in_a_vpc_that_is_there_can_be_drawn(stacks: Stacks) -> None:
    stacks["Network"] = {"Resources": {}}
    texts = _texts(read(DRAWN, stacks))
    assert "The jobs" in texts
    assert not any("VPC" in text for text in texts)


def test_a_type_that_the_picture_does_not_know_is_an_error(stacks: Stacks) -> None:
    stacks["Network"]["Resources"]["Gateway"] = {"Type": "AWS::EC2::InternetGateway"}
    with pytest.raises(ArchitectureError, match=r"Network/Gateway: .* no place for AWS::EC2::InternetGateway"):
        read(DRAWN, stacks)


@pytest.mark.parametrize("name", ["rollup", "a_job_whose_name_is_longer_than_a_box_is_wide"])
def test_nothing_is_drawn_over_another_box_or_beyond_its_own(name: str, stacks: Stacks) -> None:
    one = read(DRAWN, json.loads(json.dumps(stacks).replace("rollup", name)))
    boxes = [(box, rect) for box, rect in layout(one).boxes.items() if box.kind != "vpc"]
    for number, (box, rect) in enumerate(boxes):
        for other, beside in boxes[number + 1 :]:
            besides = rect.right <= beside.x or beside.right <= rect.x
            assert besides or rect.bottom <= beside.y or beside.bottom <= rect.y, (box, other)
        assert len(heading(box, rect.width)) * BOLD <= rect.width, box
        assert all(len(line) * LETTER <= rect.width for line in wrapped(box, rect.width)), box


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
    picture = ET.fromstring(svg(one, [one.name], {}))  # noqa: S314 - its own
    return [each.text or "" for each in picture.iter("{http://www.w3.org/2000/svg}text")]
