"""CloudFormation replaces a resource whose logical id changes: those of what holds data are fixed, in every version."""

from typing import Any

from review.schemas import stateful
from tests.fixture import ENVIRONMENTS
from tests.stacks.templates import Resources, Stacks, Synthesize

LOG, QUEUE = "AWS::Logs::LogGroup", "AWS::SQS::Queue"
FIXED = {
    "Network": {"FlowLogGroup3E25AA51": LOG},
    "Database": {
        "ErrorLogBBC73ACC": LOG,
        "InstanceC1063A87": "AWS::RDS::DBInstance",
        "InstanceSubnetGroupF2CBA54F": "AWS::RDS::DBSubnetGroup",
        "SlowqueryLogDB099389": LOG,
    },
    "Jobs": {
        "MigrationsMigrateLogGroup0F921592": LOG,
        "WatcherWatchLogGroup5AF5B2E5": LOG,
        "JobpulseDeadLettersA15CB033": QUEUE,
        "JobpulseJobLogGroupE867C02D": LOG,
        "JobsweepDeadLetters41E23246": QUEUE,
        "JobsweepJobLogGroup5859A69B": LOG,
        "JobtallyDeadLettersA8A91914": QUEUE,
        "JobtallyJobLogGroup53024AC7": LOG,
    },
}
LOGIN = {
    "iam": {"IamDbAuthErrorLogE48731CE": LOG},
    "secret": dict.fromkeys(
        (
            "JobsSecretCA43EC45",
            "LoginSecretpulse56794DA4",
            "LoginSecretsweep27FA5E7B",
            "LoginSecrettally8FAAB589",
            "LoginSecretwatch1ECAB423",
        ),
        "AWS::SecretsManager::Secret",
    ),
}
"""By how the jobs log in."""
PROXY = {"ProxyLogGroup29A2C131": LOG}


def test_what_holds_data_keeps_its_logical_id(environment: str, templates: dict[str, Any]) -> None:
    expected = {stack: dict(ids) for stack, ids in FIXED.items()}
    expected["Database"] |= LOGIN[ENVIRONMENTS[environment].database.auth]
    assert _ids({stack: template["Resources"] for stack, template in templates[environment].items()}) == expected


def test_settings_change_no_logical_id_of_what_holds_data(synthesize: Synthesize) -> None:
    # Everything that adds a construct to the stack of the database.
    key = "arn:aws:kms:eu-central-1:111111111111:key/01234567-89ab-cdef-0123-456789abcdef"
    settings = ENVIRONMENTS["basic"].model_copy(update={"encryption_key": key})
    stacks = synthesize(
        settings, proxy={"enabled": True}, database={"auth": "secret", "monitoring_seconds": 60, "snapshot": "before"}
    )
    assert _ids(stacks) == FIXED | {"Database": FIXED["Database"] | LOGIN["secret"], "Jobs": FIXED["Jobs"] | PROXY}


def _ids(stacks: Stacks) -> dict[str, dict[str, str]]:
    return {stack: _holding(resources) for stack, resources in stacks.items()}


def _holding(resources: Resources) -> dict[str, str]:
    kinds = stateful() | {"AWS::RDS::DBSubnetGroup"}  # a new one would ask for a new instance
    return {name: each["Type"] for name, each in resources.items() if each["Type"] in kinds}
