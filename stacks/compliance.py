"""cdk-nag's AwsSolutions checks of every environment, and the findings that are acknowledged, with the reasons.

A finding that is not acknowledged here stops the synthesis. An acknowledgement that is not needed fails a test.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks
from constructs import Construct

from settings import names
from settings.environment import AdoptedDatabaseSettings, DatabaseSettings, EnvironmentSettings, JobSettings
from settings.job_users import logins
from settings.placement import Places
from settings.rights import arn_of
from settings.services import SERVICES
from stacks.delivery import Delivery
from stacks.environment import Environment


@dataclass(frozen=True)
class Acknowledgement:
    """One finding about one construct, and why it is accepted."""

    construct: str
    """Its path below the stage."""
    finding: str
    reason: str


def check(app: cdk.App) -> None:
    """Make the synthesis of `app` fail at a finding that is not acknowledged."""
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))


def acknowledge(environment: Environment) -> None:
    """Apply the acknowledgements for `environment`."""
    _acknowledge(environment, acknowledgements(environment.settings, environment.places))


def acknowledge_delivery(delivery: Delivery) -> None:
    """Apply the acknowledgements for `delivery`."""
    _acknowledge(delivery, delivery_acknowledgements(delivery.settings))


def _acknowledge(stage: cdk.Stage, acknowledged: Iterable[Acknowledgement]) -> None:
    found: dict[str, Construct] = {"": stage}
    for each in acknowledged:
        construct = _find(each.construct, found)
        cdk.Validations.of(construct).acknowledge(cdk.Acknowledgment(id=each.finding, reason=each.reason))


def acknowledgements(settings: EnvironmentSettings, places: Places) -> Iterator[Acknowledgement]:
    """The acknowledgements for the environment that `settings` describe, with its jobs in these stacks."""
    yield from _network(settings)
    yield from _database(settings)
    yield from _logins(settings)
    yield _any_network_interface("Jobs/Migrations/Migrate")
    if settings.jobs:
        yield _any_network_interface("Jobs/Watcher/Watch")
    by_name = {job.name: job for job in settings.jobs}
    for stack, jobs in places.items():
        for job in jobs:
            yield from _stated(stack, by_name[job], settings)
            yield _any_network_interface(f"{stack}/Job-{job}/Job")
            yield Acknowledgement(
                f"{stack}/Job-{job}/DeadLetters/Resource",
                "AwsSolutions::AwsSolutions-SQS3",
                "This is the dead-letter queue: of a schedule, a function and a rule, which cdk-nag does not see",
            )


def _any_network_interface(function: str) -> Acknowledgement:
    return Acknowledgement(
        f"{function}/Role/DefaultPolicy/Resource",
        "AwsSolutions::AwsSolutions-IAM5[Resource::*]",
        "Lambda makes network interfaces in the role's name; AWS knows no narrower resource for these actions",
    )


def delivery_acknowledgements(settings: EnvironmentSettings) -> Iterator[Acknowledgement]:
    """The acknowledgements for the delivery to the environment that `settings` describe."""
    stacks = f"arn:aws:cloudformation:{settings.region}:{settings.account}:stack/{settings.name}-*/*"
    for role in ("ReadOnly", "Deploy"):
        yield Acknowledgement(
            f"Roles/{role}/Resource",
            f"AwsSolutions::AwsSolutions-IAM5[Resource::{stacks}]",
            "The environment's stacks: an ARN ends in an id that CloudFormation makes up; the actions only describe",
        )


def _stated(stack: str, job: JobSettings, settings: EnvironmentSettings) -> Iterator[Acknowledgement]:
    """What of the job's rights ends in *: as its module states it."""
    for service, resources in job.uses.services.items():
        for resource in resources:
            if "*" in resource:
                prefix = SERVICES[service].prefix
                arn = arn_of(prefix, resource, account=settings.account, region=settings.region)
                yield Acknowledgement(
                    f"{stack}/Job-{job.name}/Job/Role/DefaultPolicy/Resource",
                    f"AwsSolutions::AwsSolutions-IAM5[Resource::{arn}]",
                    "The job's module states it so in its USES",
                )


def _network(settings: EnvironmentSettings) -> Iterator[Acknowledgement]:
    kinds = ("Isolated", "Egress", "Public") if settings.network.egress == "nat" else ("Isolated",)
    for kind, number in product(kinds, range(1, len(settings.network.zones) + 1)):
        yield Acknowledgement(
            f"Network/Vpc/{kind}Subnet{number}/Subnet",
            "CloudFormation-Validate::W3010",
            "The zones are a setting: a template that asked AWS for them would differ between accounts",
        )
    if settings.network.vpc_id is not None:
        yield Acknowledgement(
            "Network",
            "CloudFormation-Validate::F0001",
            "Nothing is made for an existing VPC, and the CDK CLI skips a stack without resources",
        )


def _database(settings: EnvironmentSettings) -> Iterator[Acknowledgement]:
    if isinstance(settings.database, DatabaseSettings):
        yield from _instance(settings.database)
    yield from _logins(settings)


def _instance(database: DatabaseSettings) -> Iterator[Acknowledgement]:
    instance = "Database/Instance/Resource"
    yield Acknowledgement(
        instance,
        "CloudFormation-Validate::E9006",
        "RDS takes a major version alone (stacks/database/instance.py); the CDK's list has whole ones only",
    )
    accepted = "The environment file accepts this risk"
    if not database.multi_az:
        yield Acknowledgement(instance, "AwsSolutions::AwsSolutions-RDS3", f"{accepted}: single_zone")
    if not database.deletion_protection:
        yield Acknowledgement(instance, "AwsSolutions::AwsSolutions-RDS10", f"{accepted}: no_deletion_protection")
    if not database.backup_days:
        yield Acknowledgement(instance, "AwsSolutions::AwsSolutions-RDS13", f"{accepted}: no_backups")
    if database.monitoring_seconds:
        policy = "arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
        yield Acknowledgement(
            "Database/MonitoringRole/Resource",
            f"AwsSolutions::AwsSolutions-IAM4[Policy::{policy}]",
            "AWS keeps this policy for this one purpose, and RDS checks that the role has what it needs",
        )


def _logins(settings: EnvironmentSettings) -> Iterator[Acknowledgement]:
    if settings.database.auth == "secret":
        shared = ["JobsSecret"] if isinstance(settings.database, DatabaseSettings) else []
        for secret in (*shared, *(f"Login/Secret-{each}" for each in logins(settings.jobs))):
            yield Acknowledgement(
                f"Database/{secret}/Resource",
                "AwsSolutions::AwsSolutions-SMG4",
                "Rotated by hand, where IAM login can't be used: write a new value, then invoke the function migrate",
            )
        secrets = (
            f"arn:aws:secretsmanager:{settings.region}:{settings.account}:secret:{names.job_secrets(settings.name)}*"
        )
        yield _all_logins("Migrations/Migrate/Role", secrets)
        if settings.proxy.enabled:
            yield _all_logins("Proxy/Role", secrets)
    elif settings.proxy.enabled:
        users = f"arn:aws:rds-db:{settings.region}:{settings.account}:dbuser:{_resource_id(settings)}"
        yield _all_logins("Proxy/Role", f"{users}/{names.database_users(settings.name)}")


def _resource_id(settings: EnvironmentSettings) -> str:
    """Return the server's resource id, as cdk-nag reads it."""
    if isinstance(settings.database, AdoptedDatabaseSettings):
        return settings.database.existing.resource_id
    # A reference from another stack.
    output = "PublishOutputFnGetAttInstanceC1063A87DbiResourceId13D472BC"
    stack = {"StackName": f"{settings.name}-Database", "Region": settings.region, "OutputName": output}
    return json.dumps({"Fn::GetStackOutput": stack}, separators=(",", ":"))


def _all_logins(role: str, pattern: str) -> Acknowledgement:
    return Acknowledgement(
        f"Jobs/{role}/DefaultPolicy/Resource",
        f"AwsSolutions::AwsSolutions-IAM5[Resource::{pattern}]",
        "The logins of the environment's jobs, and no others have such names: a list of them would outgrow a policy",
    )


def _find(path: str, found: dict[str, Construct]) -> Construct:
    """Return the construct at `path` below the one that is found at ""; each step is a call, and is made once."""
    if path not in found:
        parent, _, name = path.rpartition("/")
        found[path] = _find(parent, found).node.find_child(name)  # type: ignore[assignment]
    return found[path]
