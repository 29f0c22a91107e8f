"""What jobs use besides their database, made in the emulator: on AWS, a team has it already."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from local.emulator import Emulator
from settings.environment import JobSettings

SECRET = "of this machine: {name}"  # noqa: S105 (nobody's)
"""What a secret says here: a job that needs another form has to be tried with one that somebody puts there."""


def make_what_jobs_use(emulator: Emulator, jobs: Iterable[JobSettings], *, progress: Callable[[str], None]) -> None:
    """Make the buckets, queues, topics, senders and secrets that `jobs` name, and say what has to be made by hand."""
    made: set[tuple[str, str]] = set()
    not_made: set[tuple[str, str]] = set()
    for job in jobs:
        for name in job.uses.secrets:
            made.add(("secret", name))
        for service, resources in job.uses.services.items():
            for resource in resources:
                (made if service in MAKERS else not_made).add((service, _called(service, resource)))
    for service, name in sorted(made):
        MAKERS[service](emulator, name)
        progress(f"made for the jobs: {service} {name}")
    for service, name in sorted(not_made):
        progress(f"not made, as nobody knows how it is to be: {service} {name}")


def _called(service: str, resource: str) -> str:
    """Return the name of what is to be made: that of the bucket, of the queue."""
    name = resource.rpartition(":")[2]
    return name.partition("/")[0] if service == "s3" else name.removeprefix("identity/")


def _make_bucket(emulator: Emulator, name: str) -> None:
    place: Any = {"LocationConstraint": emulator.region}
    emulator.client("s3").create_bucket(
        Bucket=name, **({} if emulator.region == "us-east-1" else {"CreateBucketConfiguration": place})
    )


MAKERS: dict[str, Callable[[Emulator, str], Any]] = {
    "s3": _make_bucket,
    "secret": lambda emulator, name: emulator.client("secretsmanager").create_secret(
        Name=name, SecretString=SECRET.format(name=name)
    ),
    "ses": lambda emulator, name: emulator.client("ses").verify_email_identity(EmailAddress=name),
    "sesv2": lambda emulator, name: emulator.client("ses").verify_email_identity(EmailAddress=name),
    "sns": lambda emulator, name: emulator.client("sns").create_topic(Name=name),
    "sqs": lambda emulator, name: emulator.client("sqs").create_queue(QueueName=name),
}
"""How each is made, by the service."""
