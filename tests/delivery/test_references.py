"""A change in one stack reaches those that read it in the same deploy, or the deploy is refused before it begins."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest

from delivery.references import stale
from review.schemas import fixed_name, schema
from review.templates import SynthesizedEnvironment, read_templates
from settings.environment import ClientSettings, EnvironmentSettings
from settings.project import ROOT
from stacks.environment import Environment
from tests.fixture import ENVIRONMENTS, PROJECT
from tests.quick_app import quick_app

REGION = "eu-central-1"
KEY = "arn:aws:kms:eu-central-1:333333333333:key/12345678-1234-1234-1234-123456789012"
Templates = dict[str, dict[str, Any]]
"""An environment's, by stack."""
Synthesize = Callable[[EnvironmentSettings], Templates]

STABLE = {
    "": "the id or the name",
    "DbiResourceId": "an instance keeps it: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBInstance.html",
    "Endpoint.Address": "made of the instance's identifier",
    "GroupId": "the id",
    "MasterUserSecret.SecretArn": "RDS makes the secret with the instance, and rotates its value",
}
"""What may cross from stack to stack: an attribute that changes in place would leave its readers behind."""

CHANGES: dict[str, Any] = {
    "network.cidr": "10.44.0.0/20",
    "network.zones": ("a", "b"),
    "network.egress": "nat",
    "network.flow_log_days": 30,
    "database.name": "other",
    "database.instance_class": "m7g.xlarge",
    "database.storage_iops": 13_000,
    "database.storage_mbps": 600,
    "database.snapshot": "before",
    "database.monitoring_seconds": 15,
    "database.insights": "advanced",
    "database.auth": "secret",
    "database.backup_copy_key": KEY.replace("eu-central-1", "eu-west-1"),
    "database.backup_window": "01:00-02:00",
    "database.maintenance_window": "sun:03:00-sun:04:00",
    "database.clients": (ClientSettings(cidr="10.200.4.0/22", connections=1, reason="Reports"),),
    "alarms.email": "others@example.com",
    "encryption_key": KEY,
    "permissions_boundary": "team",
    "tags": {"team": "one"},
    "jobs": ENVIRONMENTS["large"].jobs[:1],
}
"""Another value of each setting that is neither a number nor a switch."""
NOT_IN_A_STACK = {
    "name": "makes it another environment",
    "account": "makes it another environment",
    "region": "makes it another environment",
    "accept_risk": "of the checks",
    "accept_change": "of the review",
    "delivery": "of another stage",
    "alarms.database": "of an environment whose database is there",
    "network.prefix_lists": "as text in the rules of jobs that use these services",
    "network.vpc_id": "as text in each template that uses the VPC",
}


@pytest.fixture(scope="module")
def synthesize(tmp_path_factory: pytest.TempPathFactory) -> Synthesize:
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    context |= {"aws:cdk:bundling-stacks": [], "aws:cdk:enable-path-metadata": True}

    def synthesize(settings: EnvironmentSettings) -> Templates:
        folder = tmp_path_factory.mktemp("cdk.out")
        app = quick_app(outdir=str(folder), context=context)
        environment = Environment(app, project=PROJECT, settings=settings)
        app.synth()
        return {
            stack.node.id: json.loads((folder / f"assembly-{settings.name}" / stack.template_file).read_text())
            for stack in (environment.network, environment.database, environment.jobs)
        }

    return synthesize


def _with(settings: EnvironmentSettings, setting: str, value: Any) -> EnvironmentSettings:
    section, _, name = setting.rpartition(".")
    if not section:
        return settings.model_copy(update={name: value})
    return settings.model_copy(update={section: getattr(settings, section).model_copy(update={name: value})})


LARGE = _with(_with(ENVIRONMENTS["large"], "proxy.enabled", True), "jobs", ENVIRONMENTS["large"].jobs[:2])
"""What is deployed before each change: with a proxy, as more crosses from stack to stack then."""


@pytest.fixture(scope="module")
def deployed(synthesize: Synthesize) -> Templates:
    return synthesize(LARGE)


def _settings() -> Iterator[str]:
    for name in EnvironmentSettings.model_fields:
        section = type(getattr(LARGE, name))
        fields = getattr(section, "model_fields", {}) if name != "delivery" else {}
        yield from (f"{name}.{each}" for each in fields) if fields else (name,)


def _other(setting: str) -> Any:
    if setting in CHANGES:
        return CHANGES[setting]
    section, _, name = setting.rpartition(".")
    match getattr(getattr(LARGE, section) if section else LARGE, name):
        case bool(value):
            return not value
        case int(value):
            return value + 1
        case value:
            raise AssertionError(f"{setting} is {value!r}: write another value into CHANGES")


def _read(templates: Templates) -> SynthesizedEnvironment:
    return read_templates(LARGE.name, LARGE.account, LARGE.region, templates, {})


def _crossing(templates: Templates) -> set[tuple[str, str, str]]:
    """What other stacks read: the stack that it is in, the logical id of the resource, and the attribute."""
    found = set()
    for stack, template in templates.items():
        others = json.dumps([each["Resources"] for name, each in templates.items() if name != stack])
        for name, output in template.get("Outputs", {}).items():
            if f'"OutputName": "{name}"' in others:
                [(how, what)] = output["Value"].items()
                logical_id, attribute = (what, "") if how == "Ref" else what
                found.add((stack, logical_id, attribute))
    return found


def _fixed(resource: dict[str, Any]) -> set[str]:
    """The properties whose change replaces a resource; none of one that CloudFormation would refuse to replace."""
    if fixed_name(REGION, resource["Type"], resource["Properties"]) is not None:
        return set()
    return {place[0] for place in schema(REGION, resource["Type"]).fixed if len(place) == 1}


def _path(resource: dict[str, Any]) -> str:
    path: str = resource["Metadata"]["aws:cdk:path"]
    return path.removeprefix("large/").removesuffix("/Resource")


def test_what_crosses_from_stack_to_stack_stays_as_long_as_its_resource(deployed: Templates) -> None:
    crossing = _crossing(deployed)
    assert {attribute for _stack, _logical_id, attribute in crossing} == STABLE.keys()


def test_whatever_replaces_the_source_of_an_output_is_refused(deployed: Templates) -> None:
    tried = 0
    for stack, logical_id, _attribute in _crossing(deployed):
        resource = deployed[stack]["Resources"][logical_id]
        for name in _fixed(resource) & resource["Properties"].keys():
            changed = deepcopy(deployed)
            changed[stack]["Resources"][logical_id]["Properties"][name] = "something else"
            lines = list(stale(_read(deployed), _read(changed)))
            assert any(each.startswith(f"- {_path(resource)} would be replaced") for each in lines), (logical_id, name)
            tried += 1
    assert tried > 8


@pytest.mark.parametrize("setting", [each for each in _settings() if each not in NOT_IN_A_STACK])
def test_a_changed_setting_reaches_all_that_read_what_it_changes_or_is_refused(
    setting: str, deployed: Templates, synthesize: Synthesize
) -> None:
    after = synthesize(_with(LARGE, setting, _other(setting)))
    assert after != deployed
    refused = list(stale(_read(deployed), _read(after)))
    for stack, logical_id, attribute in _crossing(deployed) & _crossing(after):
        before, resource = (each[stack]["Resources"][logical_id] for each in (deployed, after))
        replaced = any(before["Properties"].get(each) != resource["Properties"].get(each) for each in _fixed(resource))
        assert attribute in STABLE
        assert any(each.startswith(f"- {_path(resource)} would be") for each in refused) >= replaced


def test_another_network_is_refused_with_the_reason(deployed: Templates, synthesize: Synthesize) -> None:
    moved = _read(synthesize(_with(LARGE, "network.cidr", "10.44.0.0/20")))
    [vpc] = [line for line in stale(_read(deployed), moved) if line.startswith("- Network/Vpc would be")]
    assert "`CidrBlock` changes from `10.30.0.0/20` to `10.44.0.0/20`" in vpc
    assert vpc.endswith("and Database and Jobs would go on with the old one")


@pytest.mark.parametrize("proxy", [True, False])
def test_another_port_reaches_all_that_connect_there(proxy: bool, synthesize: Synthesize) -> None:
    before = _with(LARGE, "proxy.enabled", proxy)
    old, new = synthesize(before), synthesize(_with(before, "database.port", 13399))
    assert list(stale(_read(old), _read(new))) == []
    assert "13306" in json.dumps(old["Jobs"])
    assert "13306" not in json.dumps(new["Jobs"])
    assert json.dumps(new["Jobs"]).count("13399") == json.dumps(old["Jobs"]).count("13306")
