"""The roles of GitHub's workflows, deployed to the local AWS, which enforces who may assume them and what they may do.

It doesn't check the signature of a token, and knows no identity provider in a template: one is made beside the stack.
"""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from local import assembly, processes
from local.cdk_cli import CdkCli
from local.emulator import ACCOUNT, Emulator
from settings.environment import DeliverySettings
from settings.project import ROOT
from stacks.delivery import AUDIENCE, ISSUER, Delivery
from tests.fixture import load
from tests.quick_app import quick_app

pytestmark = pytest.mark.deployment

REPOSITORY = "octo-org@12/jobs@34"
GITHUB_ENVIRONMENTS = {"deploy": "local", "read-only": "local-read-only"}
STACK = "local-delivery-Roles"
Client = Callable[[str], Any]


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The local AWS, with the roles, by the CDK CLI."""
    folder = tmp_path_factory.mktemp("delivery")
    delivery = DeliverySettings(repository=REPOSITORY, provider=False)
    settings = load("local").model_copy(update={"delivery": delivery})
    app = quick_app(outdir=str(folder / "cdk.out"), context=json.loads((ROOT / "cdk.json").read_text())["context"])
    Delivery(app, settings=settings, delivery=delivery)
    app.synth()
    nobody = assembly.LocalDatabase(host="127.0.0.1", port=0, certificates=Path("none"), master_secret="none")
    assembly.fit(folder / "cdk.out" / "assembly-local-delivery", nobody, progress=print)
    with processes.none_left():
        emulator = Emulator.start(folder / "emulator", region=settings.region, enforce_permissions=True)
        emulator.client("iam").create_open_id_connect_provider(Url=f"https://{ISSUER}", ClientIDList=[AUDIENCE])
        cli = CdkCli(assembly=folder / "cdk.out", emulator=emulator, folder=folder / "cdk")
        cli.bootstrap()
        cli.deploy("local-delivery")
        assert "There were no differences" in cli.diff("local-delivery")
        yield emulator
        emulator.stop()


@pytest.fixture
def work(aws: Emulator) -> Callable[[str], Client]:
    """Clients of AWS's services, with the credentials of a job in a role."""

    def work(role: str) -> Client:
        keys = _assume(aws, role, _subject(GITHUB_ENVIRONMENTS[role]))

        def client(service: str) -> Any:
            return botocore.session.Session().create_client(
                service,
                endpoint_url=aws.url,
                region_name=aws.region,
                aws_access_key_id=keys["AccessKeyId"],
                aws_secret_access_key=keys["SecretAccessKey"],
                aws_session_token=keys["SessionToken"],
            )

        return client

    return work


@pytest.mark.parametrize("role", GITHUB_ENVIRONMENTS)
@pytest.mark.parametrize(
    ("subject", "audience"),
    [
        (f"repo:{REPOSITORY}:environment:large", AUDIENCE),
        (f"repo:{REPOSITORY}:ref:refs/heads/main", AUDIENCE),
        (f"repo:{REPOSITORY}:pull_request", AUDIENCE),
        ("repo:octo-org/jobs:environment:{own}", AUDIENCE),
        ("repo:octo-org@13/jobs@34:environment:{own}", AUDIENCE),
        (f"repo:{REPOSITORY}:environment:{{other}}", AUDIENCE),
        (f"repo:{REPOSITORY}:environment:{{own}}", "https://github.com/octo-org"),
    ],
)
def test_no_other_job_gets_a_role(role: str, subject: str, audience: str, aws: Emulator) -> None:
    [other] = set(GITHUB_ENVIRONMENTS.values()) - {GITHUB_ENVIRONMENTS[role]}
    with pytest.raises(ClientError, match=r"AccessDenied|InvalidIdentityToken"):
        _assume(aws, role, subject.format(own=GITHUB_ENVIRONMENTS[role], other=other), audience)


@pytest.mark.parametrize("role", GITHUB_ENVIRONMENTS)
def test_a_role_may_do_what_make_diff_asks_for(role: str, work: Callable[[str], Client]) -> None:
    client = work(role)
    assert client("sts").get_caller_identity()["Arn"].split("/")[1] == f"local-mysql-jobs-{role}"
    assert client("ssm").get_parameter(Name="/cdk-bootstrap/hnb659fds/version")["Parameter"]["Value"]
    [stack] = client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    with pytest.raises(ClientError, match="Stack with id local-Network does not exist"):
        client("cloudformation").describe_stacks(StackName="local-Network")
    assert _bootstrap_role(client, "lookup")


def test_only_the_deploy_role_reaches_the_roles_that_change_something(work: Callable[[str], Client]) -> None:
    assert _bootstrap_role(work("deploy"), "deploy")
    assert _bootstrap_role(work("deploy"), "file-publishing")
    assert work("deploy")("cloudformation").describe_stack_events(StackName=STACK)["StackEvents"]
    for role in ("deploy", "read-only"):  # what is deployed is what dangers are judged against
        assert work(role)("cloudformation").get_template(StackName=STACK)["TemplateBody"]
    for role in ("deploy", "file-publishing", "cfn-exec"):
        with pytest.raises(ClientError, match="AccessDenied"):
            _bootstrap_role(work("read-only"), role)


@pytest.mark.parametrize("role", GITHUB_ENVIRONMENTS)
@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("cloudformation", "delete_stack", {"StackName": STACK}),
        ("cloudformation", "describe_stacks", {"StackName": "CDKToolkit"}),
        ("cloudformation", "get_template", {"StackName": "CDKToolkit"}),
        ("iam", "list_roles", {}),
        ("iam", "delete_role", {"RoleName": "local-mysql-jobs-deploy"}),
        ("s3", "list_buckets", {}),
        ("secretsmanager", "list_secrets", {}),
    ],
)
def test_a_role_may_do_nothing_else_itself(
    role: str, service: str, operation: str, arguments: dict[str, str], work: Callable[[str], Client]
) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        getattr(work(role)(service), operation)(**arguments)


def _subject(github_environment: str) -> str:
    return f"repo:{REPOSITORY}:environment:{github_environment}"


def _assume(aws: Emulator, role: str, subject: str, audience: str = AUDIENCE) -> dict[str, str]:
    """The credentials that a job with this subject gets for the role."""
    claims = {"iss": f"https://{ISSUER}", "aud": audience, "sub": subject, "iat": 0, "exp": 4_102_444_800}
    token = ".".join((_encoded({"alg": "RS256", "typ": "JWT"}), _encoded(claims), "c2lnbmF0dXJl"))
    answer = aws.client("sts").assume_role_with_web_identity(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/local-mysql-jobs-{role}", RoleSessionName="job", WebIdentityToken=token
    )
    credentials: dict[str, str] = answer["Credentials"]
    return credentials


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def _bootstrap_role(client: Client, role: str) -> bool:
    region = client("sts").meta.region_name
    name = f"cdk-hnb659fds-{role}-role-{ACCOUNT}-{region}"
    answer = client("sts").assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{name}", RoleSessionName="job")
    return "Credentials" in answer
