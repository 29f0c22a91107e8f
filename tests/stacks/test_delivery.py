"""What may deliver to an environment: jobs of one repository in one GitHub environment each, and they may do little."""

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from delivery.workflow_access import answer_role
from settings import names
from settings.environment import DeliverySettings, EnvironmentSettings
from settings.files import SettingsError
from settings.project import ROOT
from stacks import compliance
from stacks.delivery import ISSUER, Delivery
from tests.fixture import ENVIRONMENTS, PROJECT, VARIANTS, load, load_file
from tests.quick_app import quick_app
from tests.stacks.templates import Resources, of_type, the

DELIVERED = {each.name: each for each in ENVIRONMENTS.values() if each.delivery is not None}
SETTINGS = load("basic").model_copy(
    update={
        "account": "111111111111",
        "region": "eu-central-1",
        "delivery": DeliverySettings(repository="octo-org@12/jobs@34"),
    }
)
"""What doesn't change when somebody writes their own repository and accounts."""
Synthesized = Callable[[EnvironmentSettings], Resources]


@pytest.fixture(scope="module")
def roles(assembly: Path) -> dict[str, Resources]:
    """The resources of the delivery stacks, by environment, as the app has them."""
    return {name: _resources(assembly / f"assembly-{name}-delivery") for name in DELIVERED}


@pytest.fixture
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> Synthesized:
    """The resources of the delivery stack for other settings."""

    def synthesize(settings: EnvironmentSettings) -> Resources:
        assert settings.delivery is not None
        folder = tmp_path_factory.mktemp("cdk.out")
        context = json.loads((ROOT / "cdk.json").read_text())["context"]
        stage = quick_app(outdir=str(folder), context=context)
        Delivery(stage, settings=settings, delivery=settings.delivery)
        stage.synth()
        return _resources(folder / f"assembly-{settings.name}-delivery")

    return synthesize


def test_only_one_repository_in_one_github_environment_works_in_a_role(synthesized: Synthesized) -> None:
    resources = synthesized(SETTINGS)
    assert _trusts(resources) == {
        "basic-mysql-jobs-read-only": _trust(resources, "repo:octo-org@12/jobs@34:environment:basic-read-only"),
        "basic-mysql-jobs-deploy": _trust(resources, "repo:octo-org@12/jobs@34:environment:basic"),
    }


def test_an_older_repository_is_trusted_by_its_name(synthesized: Synthesized) -> None:
    resources = synthesized(_with(SETTINGS, repository="octo-org/my.jobs"))
    assert _trusts(resources)["basic-mysql-jobs-deploy"] == _trust(resources, "repo:octo-org/my.jobs:environment:basic")


@pytest.mark.parametrize("name", DELIVERED)
def test_nothing_that_is_trusted_is_a_pattern(name: str, roles: dict[str, Resources]) -> None:
    assert not any(_is_loose(trust) for trust in _trusts(roles[name]).values())


@pytest.mark.parametrize(
    ("was", "then"),
    [
        (":environment:basic", ":*"),
        ("octo-org@12", "octo-org@1?"),
        ("StringEquals", "StringLike"),
        (f"{ISSUER}:sub", "aws:SourceIp"),
    ],
)
def test_the_test_above_finds_a_pattern(was: str, then: str, synthesized: Synthesized) -> None:
    trust = json.dumps(_trusts(synthesized(SETTINGS))["basic-mysql-jobs-deploy"])
    assert was in trust
    assert _is_loose(json.loads(trust.replace(was, then)))


@pytest.mark.parametrize("name", DELIVERED)
def test_a_role_may_do_this_and_nothing_else(name: str, roles: dict[str, Resources]) -> None:
    settings = DELIVERED[name]
    place = f"{settings.region}:{settings.account}"
    cdk_role = f"arn:aws:iam::{settings.account}:role/cdk-hnb659fds-{{}}-role-{settings.account}-{settings.region}"
    version = ("ssm:GetParameter", f"arn:aws:ssm:{place}:parameter/cdk-bootstrap/hnb659fds/version")
    stacks = f"arn:aws:cloudformation:{place}:stack/{name}-*/*"
    looks = {
        ("sts:AssumeRole", cdk_role.format("lookup")),
        ("cloudformation:DescribeStacks", stacks),
        ("cloudformation:GetTemplate", stacks),
        version,
    }
    deploys = {
        *looks,
        ("sts:AssumeRole", cdk_role.format("deploy")),
        ("sts:AssumeRole", cdk_role.format("file-publishing")),
        ("cloudformation:DescribeStackEvents", stacks),
        ("rds:DescribeDBInstances", f"arn:aws:rds:{place}:db:{name}-mysql-jobs"),
    }
    assert {role: _grants(each) for role, each in _roles(roles[name]).items()} == {
        f"{name}-mysql-jobs-read-only": looks,
        f"{name}-mysql-jobs-deploy": deploys,
    }
    assert not of_type(roles[name], "AWS::IAM::Policy")
    assert not any("ManagedPolicyArns" in role for role in _roles(roles[name]).values())


@pytest.mark.parametrize("name", DELIVERED)
def test_the_roles_that_may_be_assumed_are_those_that_the_cdk_cli_asks_for(
    name: str, roles: dict[str, Resources], assembly: Path
) -> None:
    asked = set()
    for file in (assembly / f"assembly-{name}").glob("*.json"):
        asked |= set(_values(json.loads(file.read_text()), "assumeRoleArn", "arn"))
    arns = {arn.replace("${AWS::Partition}", "aws") for arn in asked}
    assumed = {on for may, on in _grants(_roles(roles[name])[f"{name}-mysql-jobs-deploy"]) if may == "sts:AssumeRole"}
    images = {arn for arn in arns if "-image-publishing-role-" in arn}  # there are none
    assert arns - images == assumed


@pytest.mark.parametrize("name", DELIVERED)
def test_a_session_lasts_no_longer_than_it_has_to(name: str, roles: dict[str, Resources]) -> None:
    seconds = {role: each["MaxSessionDuration"] for role, each in _roles(roles[name]).items()}
    assert seconds == {f"{name}-mysql-jobs-read-only": 3600, f"{name}-mysql-jobs-deploy": 7200}


def test_a_provider_that_is_there_is_used_and_none_is_made(synthesized: Synthesized) -> None:
    resources = synthesized(_with(SETTINGS, provider=False))
    assert not of_type(resources, "AWS::IAM::OIDCProvider")
    arn = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com"
    principals = [trust["Statement"][0]["Principal"] for trust in _trusts(resources).values()]
    assert principals == [{"Federated": arn}] * 2


def test_a_deploy_role_looks_at_no_database_that_is_others(synthesized: Synthesized) -> None:
    adopted = load_file(VARIANTS / "adopted.toml").model_copy(update={"delivery": SETTINGS.delivery})
    assert "rds:" in json.dumps(synthesized(SETTINGS))
    assert "rds:" not in json.dumps(synthesized(adopted))


def test_the_provider_takes_tokens_for_aws_only(synthesized: Synthesized) -> None:
    provider = the(synthesized(SETTINGS), "AWS::IAM::OIDCProvider")
    assert (provider["Url"], provider["ClientIdList"]) == (f"https://{ISSUER}", ["sts.amazonaws.com"])


def test_the_boundary_and_the_tags_of_the_environment_are_on_the_roles(synthesized: Synthesized) -> None:
    settings = SETTINGS.model_copy(update={"permissions_boundary": "Developers", "tags": {"team": "data"}})
    for role in _roles(synthesized(settings)).values():
        assert role["PermissionsBoundary"] == "arn:aws:iam::111111111111:policy/Developers"
        assert {"Key": "team", "Value": "data"} in role["Tags"]


@pytest.mark.parametrize("name", DELIVERED)
def test_a_deploy_of_the_environment_leaves_its_delivery_alone(name: str, assembly: Path) -> None:
    # `make deploy ENV=basic` deploys basic/*: this stack is in another stage, and protected.
    manifest = json.loads((assembly / f"assembly-{name}-delivery" / "manifest.json").read_text())
    [stack] = [each for each in manifest["artifacts"].values() if each["type"] == "aws:cloudformation:stack"]
    assert stack["displayName"] == f"{name}-delivery/Roles"
    assert stack["properties"]["terminationProtection"] is True


@pytest.mark.parametrize(
    "repository",
    [
        "octo-org/*",
        "*",
        "octo-org",
        "octo-org/jobs/more",
        "octo-org@1/jobs",
        "octo-org/jobs@2",
        "octo-org@1/jobs@2:environment:basic",
        "repo:octo-org/jobs",
        "github.com/octo-org/jobs",
        "octo_org/jobs",
        "octo-org/jo?s",
        "octo-org/jobs\n",
        "",
    ],
)
def test_a_repository_is_named_as_in_a_token_and_is_no_pattern(repository: str, tmp_path: Path) -> None:
    file = tmp_path / "basic.toml"
    written = (PROJECT.environments / "local.toml").read_text()
    file.write_text(f"delivery.repository = {json.dumps(repository)}\n{written}")
    with pytest.raises(SettingsError) as caught:
        load_file(file)
    assert str(caught.value) == (
        f"{tmp_path.name}/basic.toml: delivery.repository = {json.dumps(repository)}: write it as GitHub's tokens do, "
        "like owner@id/name@id, or owner/name if it is an older repository"
    )


@pytest.mark.synthesis
def test_every_acknowledgement_is_needed_and_says_why(tmp_path: Path) -> None:
    stages = cdk.App(outdir=str(tmp_path), context=json.loads((ROOT / "cdk.json").read_text())["context"])
    for settings in DELIVERED.values():
        assert settings.delivery is not None
        Delivery(stages, settings=settings, delivery=settings.delivery)
    compliance.check(stages)
    with pytest.raises(RuntimeError, match="AwsSolutions"):
        stages.synth()
    report = json.loads((tmp_path / "validation-report.json").read_text())
    found = {
        (construct["constructPath"], f"{plugin['pluginName']}::{violation['ruleName']}")
        for plugin in report["pluginReports"]
        for violation in plugin.get("violations") or ()
        for construct in violation["violatingConstructs"]
    }
    acknowledged = [
        (settings.name, each)
        for settings in DELIVERED.values()
        for each in compliance.delivery_acknowledgements(settings)
    ]
    assert found == {(f"{name}-delivery/{each.construct}", each.finding) for name, each in acknowledged}
    assert all(len(each.reason) > 20 for _, each in acknowledged)


@pytest.mark.parametrize("role", [names.READ_ONLY, names.DEPLOY])
@pytest.mark.parametrize("name", DELIVERED)
def test_a_workflow_is_told_the_role_that_is_there(name: str, role: str, roles: dict[str, Resources]) -> None:
    settings = DELIVERED[name]
    answer = dict(line.split("=", 1) for line in answer_role(settings, role))
    account, kind, found = answer["role"].split(":", 4)[4].replace("/", ":").split(":")
    assert (account, kind, answer["region"]) == (settings.account, "role", settings.region)
    assert int(answer["seconds"]) == _roles(roles[name])[found]["MaxSessionDuration"]
    assert ("sts:AssumeRole", answer["lookup-role"]) in _grants(_roles(roles[name])[found])
    subject = _trusts(roles[name])[names.workflow_role(name, role)]["Statement"][0]["Condition"]["StringEquals"][
        f"{ISSUER}:sub"
    ]
    assert subject.endswith(f":environment:{names.github_environment(name, role)}")


def _with(settings: EnvironmentSettings, **changes: object) -> EnvironmentSettings:
    assert settings.delivery is not None
    values = {**dict(settings.delivery), **changes}
    return settings.model_copy(update={"delivery": DeliverySettings.model_validate(values)})


def _resources(stage: Path) -> Resources:
    [template] = stage.glob("*.template.json")
    resources: Resources = json.loads(template.read_text())["Resources"]
    return resources


def _roles(resources: Resources) -> dict[str, dict[str, Any]]:
    """The roles' properties, by name."""
    found = (role["Properties"] for role in of_type(resources, "AWS::IAM::Role").values())
    return {role["RoleName"]: role for role in found}


def _trusts(resources: Resources) -> dict[str, dict[str, Any]]:
    return {name: role["AssumeRolePolicyDocument"] for name, role in _roles(resources).items()}


def _trust(resources: Resources, subject: str) -> dict[str, Any]:
    """The one statement that a trust has."""
    [provider] = of_type(resources, "AWS::IAM::OIDCProvider")
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": {"Ref": provider}},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {
                        "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
                        "token.actions.githubusercontent.com:sub": subject,
                    }
                },
            }
        ],
    }


def _is_loose(trust: Mapping[str, Any]) -> bool:
    """Whether a trust lets in more than one subject."""
    [statement] = trust["Statement"]
    if set(statement["Condition"]) != {"StringEquals"}:
        return True
    subject = statement["Condition"]["StringEquals"].get(f"{ISSUER}:sub", "*")
    return not isinstance(subject, str) or any(character in subject for character in "*?")


def _grants(role: Mapping[str, Any]) -> set[tuple[str, str]]:
    """What a role's own policies allow: actions and resources. There is nothing but Allow, with no condition."""
    found = set()
    for policy in copy.deepcopy(role["Policies"]):
        for statement in policy["PolicyDocument"]["Statement"]:
            actions, resources = statement.pop("Action"), statement.pop("Resource")
            assert statement == {"Effect": "Allow"}
            for action in actions if isinstance(actions, list) else [actions]:
                found |= {(action, each) for each in (resources if isinstance(resources, list) else [resources])}
    return found


def _values(value: Any, *keys: str) -> list[str]:
    """The texts at `keys`, anywhere in `value`, that are ARNs of roles."""
    match value:
        case dict():
            here = [each for key, each in value.items() if key in keys and isinstance(each, str) and ":role/" in each]
            return here + [each for part in value.values() for each in _values(part, *keys)]
        case list():
            return [each for part in value for each in _values(part, *keys)]
    return []
