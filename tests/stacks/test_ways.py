"""What jobs use besides their database becomes rights, ways and endpoints for just that, and nothing for other jobs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk.assertions import Annotations, Match

from documents.synthesis import synthesize as synthesize_project
from settings.environment import EnvironmentSettings
from settings.rights import characters, together
from stacks.environment import Environment
from tests.conftest import read_templates
from tests.fixture import ENVIRONMENTS, VARIANTS, FilesIn, a_job, load_file
from tests.quick_app import quick_app
from tests.stacks.templates import Resources, Stacks, Synthesize, of_type

ACCOUNT, REGION = "666666666666", "us-west-2"
OWN = {"aws:PrincipalAccount": ACCOUNT}
ENGINES = ("logs:", "ec2:", "rds-db:", "events:")


@pytest.fixture(scope="module")
def reaching(synthesize: Synthesize) -> Stacks:
    """A network that is made, with jobs that use all kinds of things."""
    return synthesize(load_file(VARIANTS / "reaching.toml"))


@pytest.fixture(scope="module")
def joined(variants: Path) -> Stacks:
    """A network that was there."""
    templates = read_templates(variants)["joined"]
    return {name: template.get("Resources", {}) for name, template in templates.items()}


def _job(stacks: Stacks, name: str) -> dict[str, Any]:
    functions = of_type(stacks["Jobs"], "AWS::Lambda::Function").values()
    [properties] = [each["Properties"] for each in functions if each["Properties"].get("FunctionName") == name]
    return dict(properties)


def _statements(stacks: Stacks, function: str) -> list[dict[str, Any]]:
    """Those of the job's role, without the engine's."""
    [role] = [_job(stacks, function)["Role"]["Fn::GetAtt"][0]]
    policies = of_type(stacks["Jobs"], "AWS::IAM::Policy").values()
    [policy] = [each["Properties"] for each in policies if each["Properties"]["Roles"] == [{"Ref": role}]]
    return [
        each
        for each in policy["PolicyDocument"]["Statement"]
        if not str(each["Action"] if isinstance(each["Action"], str) else each["Action"][0]).startswith(ENGINES)
    ]


def _worn(stacks: Stacks, function: str) -> list[str]:
    """The descriptions of the groups that the job's function wears."""
    groups = _job(stacks, function)["VpcConfig"]["SecurityGroupIds"]
    return [stacks["Jobs"][each["Fn::GetAtt"][0]]["Properties"]["GroupDescription"] for each in groups]


def _egress(stacks: Stacks, description: str) -> list[dict[str, Any]]:
    """Where the group leads to: its own rules, and those that are resources of their own."""
    [(name, group)] = [
        (name, each["Properties"])
        for name, each in of_type(stacks["Jobs"], "AWS::EC2::SecurityGroup").items()
        if each["Properties"]["GroupDescription"] == description
    ]
    apart = [
        each["Properties"]
        for each in of_type(stacks["Jobs"], "AWS::EC2::SecurityGroupEgress").values()
        if each["Properties"]["GroupId"] == {"Fn::GetAtt": [name, "GroupId"]}
    ]
    return [*group.get("SecurityGroupEgress", []), *apart]


def _to(rule: dict[str, Any]) -> tuple[Any, int]:
    peers = ("CidrIp", "DestinationPrefixListId", "DestinationSecurityGroupId")
    [peer] = [rule[each] for each in peers if each in rule]
    assert (rule["IpProtocol"], rule["FromPort"]) == ("tcp", rule["ToPort"])
    return peer, rule["ToPort"]


def _endpoints(resources: Resources) -> dict[str, dict[str, Any]]:
    """The endpoints of a stack, by the service."""
    found = [each["Properties"] for each in of_type(resources, "AWS::EC2::VPCEndpoint").values()]
    return {str(each["ServiceName"]).replace("'", "").rstrip("]}").rpartition(".")[2]: each for each in found}


def _subnets(stacks: Stacks, function: str) -> set[str]:
    return {str(each) for each in _job(stacks, function)["VpcConfig"]["SubnetIds"]}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_jobs_that_use_their_database_only_have_what_they_always_had(environment: str, templates: Any) -> None:
    stacks = {name: each["Resources"] for name, each in templates[environment].items()}
    for name, resources in stacks.items():
        assert _endpoints(resources).keys() <= {"secretsmanager"}, name
    descriptions = [
        each["Properties"]["GroupDescription"] for each in of_type(stacks["Jobs"], "AWS::EC2::SecurityGroup").values()
    ]
    assert not any(each.startswith("Jobs that use") for each in descriptions)
    for each in ENVIRONMENTS[environment].jobs:
        assert _worn(stacks, f"{environment}-{each.name}") == ["The jobs"]


def test_beside_jobs_that_use_more_a_job_has_what_it_always_had(reaching: Stacks) -> None:
    assert _worn(reaching, "reaching-pulse") == ["The jobs"]
    actions = {each["Action"] for each in _statements(reaching, "reaching-pulse")}
    assert actions == {"sqs:SendMessage"}  # of its dead letters
    assert not _subnets(reaching, "reaching-pulse") & _subnets(reaching, "reaching-herald_outside")


def test_a_jobs_role_may_do_what_it_uses_and_nothing_else(reaching: Stacks) -> None:
    statements = _statements(reaching, "reaching-herald")
    [queue] = [each for each in statements if each["Action"] == "sqs:SendMessage"]
    assert queue["Resource"][0] == f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"
    assert [each for each in statements if each is not queue] == [
        {
            "Action": ["dynamodb:PutItem", "dynamodb:UpdateItem"],
            "Effect": "Allow",
            "Resource": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/told",
        },
        {
            "Action": "s3:PutObject",
            "Condition": {"StringEquals": {"aws:ResourceAccount": ACCOUNT}},
            "Effect": "Allow",
            "Resource": "arn:aws:s3:::my-exports/events/*",
        },
        {
            "Action": "secretsmanager:GetSecretValue",
            "Effect": "Allow",
            "Resource": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:billing-api-??????",
        },
    ]


def test_a_job_wears_a_group_for_each_way_that_it_uses(reaching: Stacks) -> None:
    assert _worn(reaching, "reaching-herald") == [
        "The jobs",
        "Jobs that use dynamodb",
        "Jobs that use s3",
        "Jobs that use secrets",
        "Jobs that use sqs",
    ]
    assert _worn(reaching, "reaching-herald_outside") == [
        "The jobs",
        "Jobs that use the internet, port 443",
        "Jobs that use the internet, port 8443",
        "Jobs that use ses and sesv2",
        "Jobs that use s3",
    ]


def test_each_way_leads_to_one_place(reaching: Stacks) -> None:
    assert [_to(each) for each in _egress(reaching, "Jobs that use s3")] == [("pl-0123456789abcdef0", 443)]
    assert [_to(each) for each in _egress(reaching, "Jobs that use dynamodb")] == [("0.0.0.0/0", 443)]
    assert [_to(each) for each in _egress(reaching, "Jobs that use the internet, port 8443")] == [("0.0.0.0/0", 8443)]
    for way, group in (("sqs", "sqs"), ("ses and sesv2", "email")):
        [rule] = _egress(reaching, f"Jobs that use {way}")
        peer, port = _to(rule)
        assert port == 443
        [worn] = _endpoints(reaching["Jobs"])[group]["SecurityGroupIds"]
        assert peer == worn
    [rule] = _egress(reaching, "Jobs that use secrets")
    assert "SecretsEndpointSecurityGroup" in str(_to(rule)[0])


def test_an_endpoint_lets_through_what_jobs_use_and_nobody_but_this_account(reaching: Stacks) -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}}
    assert {
        service: each["PolicyDocument"]["Statement"]
        for service, each in {**_endpoints(reaching["Network"]), **_endpoints(reaching["Jobs"])}.items()
    } == {
        "s3": [
            {
                **statement,
                "Action": "s3:PutObject",
                "Resource": "arn:aws:s3:::my-exports/events/*",
                "Condition": {"StringEquals": {**OWN, "aws:ResourceAccount": ACCOUNT}},
            }
        ],
        "dynamodb": [
            {
                **statement,
                "Action": ["dynamodb:PutItem", "dynamodb:UpdateItem"],
                "Resource": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/told",
                "Condition": {"StringEquals": OWN},
            }
        ],
        "sqs": [
            {
                **statement,
                "Action": "sqs:SendMessage",
                "Resource": f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders",
                "Condition": {"StringEquals": OWN},
            }
        ],
        "email": [
            {
                **statement,
                "Action": "ses:SendEmail",
                "Resource": [
                    f"arn:aws:ses:{REGION}:{ACCOUNT}:identity/example.com",
                    f"arn:aws:ses:{REGION}:{ACCOUNT}:identity/example.org",
                ],
                "Condition": {"StringEquals": OWN},
            }
        ],
    }
    [secrets] = _endpoints(reaching["Database"])["secretsmanager"]["PolicyDocument"]["Statement"]
    assert f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:billing-api-??????" in secrets["Resource"]
    assert secrets["Action"] == "secretsmanager:GetSecretValue"


def test_the_length_of_an_endpoints_policy_is_known_before(reaching: Stacks) -> None:
    all_uses = [job.uses for job in load_file(VARIANTS / "reaching.toml").jobs]
    expected = {way: characters(some) for way, some in together(all_uses, account=ACCOUNT, region=REGION).items()}
    endpoints = {**_endpoints(reaching["Network"]), **_endpoints(reaching["Jobs"])}
    assert endpoints
    for way, endpoint in endpoints.items():
        statements = json.dumps(endpoint["PolicyDocument"]["Statement"], separators=(",", ":"))
        assert expected[way] / 1.5 < len(statements) <= expected[way]


def test_a_gateway_is_in_every_subnet_that_a_job_may_be_in(reaching: Stacks) -> None:
    tables = {each["Ref"] for each in _endpoints(reaching["Network"])["s3"]["RouteTableIds"]}
    private = {name for name in of_type(reaching["Network"], "AWS::EC2::RouteTable") if "Public" not in name}
    assert tables == private
    assert len(private) == 4


def test_jobs_that_use_the_internet_have_subnets_of_their_own_and_no_others_have_a_way_out(reaching: Stacks) -> None:
    network = reaching["Network"]
    routes = [each["Properties"] for each in of_type(network, "AWS::EC2::Route").values()]
    ways_out = {
        each["RouteTableId"]["Ref"]: next(iter(each.keys() - {"RouteTableId", "DestinationCidrBlock"}))
        for each in routes
    }
    assert {("Isolated" in each, "Egress" in each, how) for each, how in ways_out.items()} == {
        (False, True, "NatGatewayId"),
        (False, False, "GatewayId"),
    }
    assert all("EgressSubnet" in each for each in _subnets(reaching, "reaching-herald_outside"))
    assert all("IsolatedSubnet" in each for each in _subnets(reaching, "reaching-herald"))
    public = [each["Properties"] for each in of_type(network, "AWS::EC2::Subnet").values()]
    assert not any(each["MapPublicIpOnLaunch"] for each in public)
    assert len(of_type(network, "AWS::EC2::NatGateway")) == 1


def test_a_way_out_moves_nothing_that_was_there(synthesize: Synthesize) -> None:
    settings = load_file(VARIANTS / "reaching.toml")
    silent = settings.model_copy(update={"jobs": settings.jobs[:1]})
    before = synthesize(silent, network={"egress": "none"})["Network"]
    after = synthesize(silent)["Network"]
    assert before.items() <= after.items()


def test_in_a_network_that_was_there_nothing_is_made_but_groups(joined: Stacks) -> None:
    assert joined["Network"] == {}
    assert _endpoints(joined["Jobs"]) == _endpoints(joined["Database"]) == {}
    assert _worn(joined, "joined-herald")[1:] == [
        f"Jobs that use {each}" for each in ("dynamodb", "s3", "secrets", "sqs")
    ]
    assert [_to(each) for each in _egress(joined, "Jobs that use dynamodb")] == [("pl-0fedcba9876543210", 443)]
    for way in ("s3", "sqs", "secrets", "the internet, port 443"):
        assert [_to(each) for each in _egress(joined, f"Jobs that use {way}")] == [("0.0.0.0/0", 443)]
    assert _subnets(joined, "joined-herald_outside") == {"subnet-0123456789abcdefc", "subnet-0123456789abcdefd"}
    assert _subnets(joined, "joined-herald") == {"subnet-0123456789abcdefa", "subnet-0123456789abcdefb"}


def test_a_network_without_subnets_with_egress_says_what_to_do() -> None:
    context = json.loads((VARIANTS / "cdk.context.json").read_text())
    [vpc] = [each for key, each in context.items() if key.startswith("vpc-provider")]
    vpc["subnetGroups"] = vpc["subnetGroups"][:1]
    settings = load_file(VARIANTS / "joined.toml")
    network = Environment(quick_app(context=context), project=FilesIn(VARIANTS), settings=settings).network
    message = "has no private subnets with egress, which jobs are in that use the internet"
    assert Annotations.from_stack(network).find_error("*", Match.string_like_regexp(message))


def test_a_whole_arn_is_taken_as_it_is(synthesize: Synthesize) -> None:
    settings = _with_a_job(ENVIRONMENTS["basic"], queue="arn:aws:sqs:eu-west-1:222222222222:theirs")
    stacks = synthesize(settings)
    [queue] = [each for each in _statements(stacks, "basic-herald") if "theirs" in str(each["Resource"])]
    assert queue["Resource"][0] == "arn:aws:sqs:eu-west-1:222222222222:theirs"
    assert "Condition" not in queue


def test_a_further_stack_has_groups_of_its_own_and_the_first_ones_endpoint(tmp_path: Path) -> None:
    text = (VARIANTS / "reaching.toml").read_text()
    (tmp_path / "reaching.toml").write_text(text)
    places = {"Jobs": ["pulse", "herald"], "Jobs-2": ["herald_outside"]}
    (tmp_path / "reaching.stacks.json").write_text(json.dumps(places))
    synthesize_project(FilesIn(tmp_path), tmp_path / "cdk.out", validated=False)
    templates = read_templates(tmp_path / "cdk.out")["reaching"]
    first, second = templates["Jobs"]["Resources"], templates["Jobs-2"]["Resources"]
    assert _endpoints(first).keys() == {"sqs", "email"}
    assert _endpoints(second) == {}
    descriptions = {
        each["Properties"]["GroupDescription"] for each in of_type(second, "AWS::EC2::SecurityGroup").values()
    }
    assert descriptions == {
        "Jobs that use s3",
        "Jobs that use ses and sesv2",
        "Jobs that use the internet, port 443",
        "Jobs that use the internet, port 8443",
    }
    [into] = of_type(second, "AWS::EC2::SecurityGroupIngress").values()
    assert "EndpointemailSecurityGroup" in str(into["Properties"]["GroupId"])
    # Read when the stack is deployed, not held: the first one may give up the endpoint before the second knows.
    assert "Fn::GetStackOutput" in into["Properties"]["GroupId"]


def _with_a_job(settings: EnvironmentSettings, **parameters: str) -> EnvironmentSettings:
    job = a_job(name="herald", schedule="rate(1 hour)", parameters=parameters)
    return settings.model_copy(update={"jobs": (*settings.jobs, job)})
