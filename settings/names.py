"""The names of resources: the code that creates a resource and the code that looks for it use the same function."""

from __future__ import annotations

import hashlib

USER_LENGTH = 32
"""Of a MySQL user's name, at most: https://dev.mysql.com/doc/refman/8.4/en/user-names.html"""
SHARED_USER = "jobs"
"""Whom all jobs logged in as up to version 0.1: it stays for code of then that still runs, or that comes back."""

MIGRATE = "migrate"
"""Takes the place of a job's name in the names of the migrations' resources."""
WATCH = "watch"
"""And in those of what watches the jobs' ledger."""

READ_ONLY, DEPLOY = "read-only", "deploy"
"""The two roles of the workflows."""

SESSION_HOURS = {READ_ONLY: 1, DEPLOY: 2}
"""How long credentials of a role are valid. To change the class of an instance in two zones can take over an hour."""

QUALIFIER = "hnb659fds"
"""A part of the names of all that `cdk bootstrap` creates: its default, which this project uses."""


def function(environment: str, job: str) -> str:
    """Return the name of a job's function, and of its schedule."""
    return f"{environment}-{job}"


def dead_letters(function: str) -> str:
    """Return the name of a function's dead-letter queue: undelivered events, and runs that failed with all retries."""
    return f"{function}-dead-letters"


def continuations(environment: str, stack: int) -> str:
    """Return the name of the event bus that hands a run over to the next, of the jobs in the stack with this number."""
    return f"{environment}-continuations" if stack == 1 else f"{environment}-continuations-{stack}"


def function_log(function: str) -> str:
    """Return the name of a function's log group."""
    return f"/aws/lambda/{function}"


def database(environment: str) -> str:
    """Return the name of the RDS instance, of its proxy, and of the dashboard."""
    return f"{environment}-mysql-jobs"


def database_log(environment: str, log: str) -> str:
    """Return the name of the log group that RDS exports `log` (error, slowquery) to."""
    return f"/aws/rds/instance/{database(environment)}/{log}"


def database_user(environment: str, job: str) -> str:
    """Return the name of the MySQL user that a job logs in as: job_<environment>_<job>, where that fits.

    Else its end is a hash, after a hyphen, which no job's name has.
    """
    name = f"job_{environment}_{job}"
    if len(name) <= USER_LENGTH:
        return name
    ending = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: USER_LENGTH - 9]}-{ending}"


def database_users(environment: str) -> str:
    """Return a pattern that takes in the users of an environment's jobs, and of no other's."""
    return f"job_{environment}_*"


def job_secret(environment: str, job: str) -> str:
    """Return the name of the secret that holds the password of a job's user."""
    return f"{job_secrets(environment)}{job}"


def job_secrets(environment: str) -> str:
    """Return what the names of these secrets begin with."""
    return f"{database(environment)}/"


def own_schema(environment: str) -> str:
    """Return the schema that the engine's own tables have in an existing database, one for each environment."""
    return f"mysql_jobs_{environment}"


def proxy_log(environment: str) -> str:
    """Return the name of the proxy's log group."""
    return f"/aws/rds/proxy/{database(environment)}"


def alarm_topic(environment: str) -> str:
    """Return the name of the SNS topic that notifies the people on call."""
    return f"{environment}-alarms"


def alarm(watched: str, what: str) -> str:
    """Return the name of the alarm about `what` of a job's function, or of an environment."""
    return f"{watched}-{what}"


def metrics(environment: str) -> str:
    """Return the namespace of the metrics of an environment's runs."""
    return f"mysql-jobs/{environment}"


def workflow_role(environment: str, role: str) -> str:
    """Return the name of the IAM role READ_ONLY or DEPLOY."""
    return f"{environment}-mysql-jobs-{role}"


def github_environment(environment: str, role: str) -> str:
    """Return the GitHub environment whose jobs may assume the role.

    One for each role, as GitHub asks for approvals per environment: a comparison shall need none.
    """
    return environment if role == DEPLOY else f"{environment}-{role}"


def bootstrap_role(account: str, region: str, role: str) -> str:
    """Return the ARN of a role that `cdk bootstrap` created: "lookup", "deploy" or "file-publishing"."""
    return f"arn:aws:iam::{account}:role/cdk-{QUALIFIER}-{role}-role-{account}-{region}"
