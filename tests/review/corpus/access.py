"""Access is widened: policies, trust, keys, and what else lets somebody in."""

import json
from typing import Any

from tests.review.corpus.case import (
    ACCESS,
    ANY,
    PROTECTION,
    UNCLASSIFIED,
    Case,
    Reference,
    add,
    asked,
    change,
    drop,
    given,
    put,
    without,
)

ROLE, POLICY = "IAM::Role", "IAM::Policy"
PULSE = "Job-pulse/Job/Role/DefaultPolicy"
STATEMENT = "PolicyDocument.Statement"
OPEN = ACCESS | UNCLASSIFIED
OTHERS = "arn:aws:iam::999999999999:root"
DEAD_LETTERS = Reference("SQS::Queue", "Job-pulse/DeadLetters", "Arn")
FUNCTION = Reference("Lambda::Function", "Job-pulse/Job/Function")
PULSE_ROLE = Reference("IAM::Role", "Job-pulse/Job/Role")


def _allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def _document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _job(name: str, place: str, value: Any) -> Case:
    """One change in a statement of the policy of a job; its statements: log, network, network denied, login, queue."""
    return asked("large", name, put(POLICY, PULSE, f"{STATEMENT}.{place}", value), ACCESS, "Job-pulse")


def _job_too(name: str, statement: dict[str, Any], kinds: frozenset[str] = ACCESS) -> Case:
    edit = change(POLICY, PULSE, STATEMENT, lambda old: [*old, statement])
    return asked("large", name, edit, kinds, "Job-pulse")


def _job_without(name: str, place: str) -> Case:
    return asked("large", name, without(POLICY, PULSE, f"{STATEMENT}.{place}"), ACCESS, "Job-pulse")


def _trust(name: str, principal: Any, **condition: Any) -> Case:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal, **condition}
    place = "AssumeRolePolicyDocument.Statement"
    return asked(
        "large", name, change(ROLE, "Job-pulse/Job/Role", place, lambda old: [*old, statement]), ACCESS, "Job-pulse"
    )


def _new(
    name: str, stack: str, kind: str, properties: dict[str, Any], *names: str, kinds: frozenset[str] = OPEN
) -> Case:
    return asked("large", name, add(stack, "Stranger", kind, properties), kinds, f"{stack}/Stranger", *names)


TOPIC_POLICY, QUEUE_POLICY, ENDPOINT = "SNS::TopicPolicy", "SQS::QueuePolicy", "EC2::VPCEndpoint"

_OWN_KEY = {
    "Effect": "Allow",
    "Action": "kms:*",
    "Principal": {"AWS": "arn:aws:iam::333333333333:root"},
    "Resource": "*",
}

CASES: list[Case] = [
    # A policy's statements
    _job("another action", "4.Action", ["sqs:SendMessage", "sqs:ReceiveMessage"]),
    _job("every action of a service", "4.Action", "sqs:*"),
    _job("every action", "4.Action", "*"),
    _job("actions by a wildcard", "0.Action", ["logs:CreateLogStream", "logs:Put*"]),
    _job("every resource", "4.Resource", "*"),
    _job("another resource, too", "4.Resource", [DEAD_LETTERS, "arn:aws:sqs:eu-central-1:333333333333:other"]),
    _job("resources by a wildcard", "4.Resource", "arn:aws:sqs:eu-central-1:333333333333:*"),
    _job("a queue of another account", "4.Resource", "arn:aws:sqs:eu-central-1:999999999999:large-pulse-dead-letters"),
    _job("a login as every user", "3.Resource", "arn:aws:rds-db:eu-central-1:333333333333:dbuser:*/*"),
    _job("a login as admin", "3.Resource", "arn:aws:rds-db:eu-central-1:333333333333:dbuser:*/admin"),
    _job_too("all but some actions", {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}),
    _job_too("on all but some resources", {"Effect": "Allow", "Action": "sqs:*", "NotResource": "arn:aws:sqs:::a"}),
    _job_too("may read every secret", _allow("secretsmanager:GetSecretValue")),
    _job_too(
        "may read the master's secret",
        _allow("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:*:*:secret:rds!*"),
    ),
    _job_too("may take a role", _allow("sts:AssumeRole", "arn:aws:iam::999999999999:role/other")),
    _job_too("may hand on a role", _allow("iam:PassRole")),
    _job_too("may delete the database", _allow("rds:DeleteDBInstance")),
    _job_too(
        "may, of one address alone", _allow("s3:GetObject", Condition={"IpAddress": {"aws:SourceIp": "1.2.3.4/32"}})
    ),
    _job_without("a denial removed", "2"),
    _job("a denial of fewer actions", "2.Action", ["ec2:CreateNetworkInterface"]),
    _job(
        "a denial under another condition",
        "2.Condition.ArnEquals",
        {"lambda:SourceFunctionArn": "arn:aws:lambda:eu-central-1:333333333333:function:nobody"},
    ),
    _job("a denial under one condition more", "2.Condition.Bool", {"aws:SecureTransport": "false"}),
    _job("a denial on fewer resources", "2.Resource", "arn:aws:ec2:eu-central-1:333333333333:subnet/subnet-0a"),
    _job("a denial becomes what it denies", "2.Effect", "Allow"),
    asked(
        "proxied",
        "a condition removed",
        without(POLICY, PULSE, f"{STATEMENT}.5.Condition"),
        ACCESS,
        "Job-pulse",
    ),
    asked(
        "proxied",
        "a condition with another value, too",
        put(
            POLICY,
            PULSE,
            f"{STATEMENT}.5.Condition.StringEquals",
            {"kms:ViaService": ["sqs.us-east-1.amazonaws.com", "s3.us-east-1.amazonaws.com"]},
        ),
        ACCESS,
        "Job-pulse",
    ),
    asked(
        "proxied",
        "a condition only if it is known",
        put(
            POLICY,
            PULSE,
            f"{STATEMENT}.5.Condition",
            {"StringEqualsIfExists": {"kms:ViaService": "sqs.us-east-1.amazonaws.com"}},
        ),
        ACCESS,
        "Job-pulse",
    ),
    asked(
        "proxied",
        "a condition by pattern",
        put(POLICY, PULSE, f"{STATEMENT}.5.Condition", {"StringLike": {"kms:ViaService": "*"}}),
        ACCESS,
        "Job-pulse",
    ),
    asked(
        "large",
        "policy of more roles",
        change(POLICY, PULSE, "Roles", lambda old: [*old, Reference(ROLE, "ScheduleRole")]),
        ACCESS,
        "ScheduleRole",
        "Job-pulse",
    ),
    asked(
        "large",
        "policy of a role elsewhere",
        change(POLICY, PULSE, "Roles", lambda old: [*old, "other"]),
        ACCESS | UNCLASSIFIED,
        "Job-pulse",
        "other",
    ),
    asked(
        "large",
        "policy of a group",
        put(POLICY, PULSE, "Groups", ["everybody"]),
        ACCESS | UNCLASSIFIED,
        "Job-pulse",
        "everybody",
    ),
    asked(
        "large",
        "policy of a user",
        put(POLICY, PULSE, "Users", ["somebody"]),
        ACCESS | UNCLASSIFIED,
        "Job-pulse",
        "somebody",
    ),
    asked(
        "large",
        "schedules may start every function",
        put(POLICY, "ScheduleRole/DefaultPolicy", f"{STATEMENT}.0.Resource", "*"),
        ACCESS,
        "ScheduleRole",
    ),
    asked(
        "proxied",
        "proxy may log in as every user",
        put(
            POLICY,
            "Proxy/Role/DefaultPolicy",
            f"{STATEMENT}.0.Resource",
            "arn:aws:rds-db:us-east-1:333333333333:dbuser:*/*",
        ),
        ACCESS,
        "Proxy/Role",
    ),
    asked(
        "local",
        "job may read every secret, where it reads one",
        put(POLICY, PULSE, f"{STATEMENT}.3.Resource", "*"),
        ACCESS,
        "Job-pulse",
    ),
    # A role's trust, and its other policies
    _trust("another account may take the role", {"AWS": OTHERS}),
    _trust("everybody may take the role", {"AWS": "*"}),
    _trust("everybody may take the role, in short", "*"),
    _trust("another service may take the role", {"Service": "ec2.amazonaws.com"}),
    _trust("another role may take the role", {"AWS": "arn:aws:iam::333333333333:role/other"}),
    _trust("the account's users may take the role", {"AWS": "333333333333"}),
    _trust(
        "whoever a provider names may take the role", {"Federated": "arn:aws:iam::333333333333:saml-provider/other"}
    ),
    asked(
        "large",
        "all but one may take the role",
        change(
            ROLE,
            "Job-pulse/Job/Role",
            "AssumeRolePolicyDocument.Statement",
            lambda old: [*old, {"Effect": "Allow", "Action": "sts:AssumeRole", "NotPrincipal": {"AWS": OTHERS}}],
        ),
        ACCESS,
        "Job-pulse",
    ),
    asked(
        "large",
        "trust without its condition",
        without(ROLE, "ScheduleRole", "AssumeRolePolicyDocument.Statement.0.Condition"),
        ACCESS,
        "ScheduleRole",
    ),
    asked(
        "large",
        "trust without one of its conditions",
        without(ROLE, "ScheduleRole", "AssumeRolePolicyDocument.Statement.0.Condition.StringEquals.aws:SourceArn"),
        ACCESS,
        "ScheduleRole",
    ),
    asked(
        "proxied",
        "trust of another account's databases",
        put(
            ROLE,
            "Proxy/Role",
            "AssumeRolePolicyDocument.Statement.0.Condition.StringEquals",
            {"aws:SourceAccount": "999999999999"},
        ),
        ACCESS,
        "Proxy/Role",
    ),
    asked(
        "large",
        "managed policy attached",
        put(ROLE, "Job-pulse/Job/Role", "ManagedPolicyArns", ["arn:aws:iam::aws:policy/AdministratorAccess"]),
        ACCESS,
        "Job-pulse",
    ),
    asked(
        "large",
        "customer's managed policy attached",
        put(ROLE, "Job-pulse/Job/Role", "ManagedPolicyArns", ["arn:aws:iam::333333333333:policy/other"]),
        ACCESS,
        "Job-pulse",
    ),
    asked(
        "large",
        "inline policy added",
        put(
            ROLE,
            "Job-pulse/Job/Role",
            "Policies",
            [{"PolicyName": "more", "PolicyDocument": _document(_allow("s3:*"))}],
        ),
        ACCESS,
        "Job-pulse",
    ),
    asked(
        "proxied",
        "boundary removed",
        without(ROLE, "Proxy/Role", "PermissionsBoundary"),
        ACCESS | PROTECTION,
        "Proxy/Role",
    ),
    asked(
        "proxied",
        "another boundary",
        put(ROLE, "Proxy/Role", "PermissionsBoundary", "arn:aws:iam::aws:policy/AdministratorAccess"),
        ANY,
        "Proxy/Role",
    ),
    asked(
        "large-delivery",
        "every branch may deploy",
        put(
            ROLE,
            "Roles/Deploy",
            "AssumeRolePolicyDocument.Statement.0.Condition",
            {
                "StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"},
                "StringLike": {
                    "token.actions.githubusercontent.com:sub": "repo:example@1234567/mysql-jobs@987654321:*"
                },
            },
        ),
        ACCESS,
        "Roles/Deploy",
    ),
    asked(
        "large-delivery",
        "every repository may deploy",
        change(
            ROLE,
            "Roles/Deploy",
            "AssumeRolePolicyDocument.Statement.0.Condition",
            lambda _: {"StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}},
        ),
        ACCESS,
        "Roles/Deploy",
    ),
    asked(
        "large-delivery",
        "another repository may deploy",
        change(
            ROLE,
            "Roles/Deploy",
            "AssumeRolePolicyDocument.Statement.0.Condition",
            lambda _: {
                "StringEquals": {
                    "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
                    "token.actions.githubusercontent.com:sub": "repo:somebody@1/fork@2:environment:large",
                }
            },
        ),
        ACCESS,
        "Roles/Deploy",
    ),
    asked(
        "large-delivery",
        "who reads may deploy",
        put(
            ROLE,
            "Roles/ReadOnly",
            "Policies.0.PolicyDocument.Statement.0.Resource",
            "arn:aws:iam::333333333333:role/cdk-hnb659fds-deploy-role-333333333333-eu-central-1",
        ),
        ACCESS,
        "Roles/ReadOnly",
    ),
    asked(
        "large-delivery",
        "who deploys may hand on any role",
        change(ROLE, "Roles/Deploy", "Policies.0.PolicyDocument.Statement", lambda old: [*old, _allow("iam:PassRole")]),
        ACCESS,
        "Roles/Deploy",
    ),
    asked(
        "large-delivery",
        "sessions of twelve hours",
        put(ROLE, "Roles/Deploy", "MaxSessionDuration", 43200),
        ANY,
        "Roles/Deploy",
    ),
    asked(
        "large-delivery",
        "tokens for somebody else are good",
        put("IAM::OIDCProvider", "Roles/Provider", "ClientIdList", ["sts.amazonaws.com", "somebody"]),
        OPEN,
        "Roles/Provider",
    ),
    asked(
        "large-delivery",
        "another provider of tokens",
        put("IAM::OIDCProvider", "Roles/Provider", "Url", "https://tokens.example.com"),
        ANY,
        "Roles/Provider",
    ),
    asked(
        "large-delivery",
        "a provider of tokens more",
        add(
            "Roles",
            "Stranger",
            "IAM::OIDCProvider",
            {"Url": "https://tokens.example.com", "ClientIdList": ["sts.amazonaws.com"]},
        ),
        OPEN,
        "Roles/Stranger",
    ),
    # New in IAM
    _new("a user", "Jobs", "IAM::User", {"UserName": "somebody"}),
    _new("an access key", "Jobs", "IAM::AccessKey", {"UserName": "somebody"}),
    _new("a member of a group", "Jobs", "IAM::UserToGroupAddition", {"GroupName": "admins", "Users": ["somebody"]}),
    _new("a group", "Jobs", "IAM::Group", {"ManagedPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"]}),
    _new(
        "a managed policy on a role",
        "Jobs",
        "IAM::ManagedPolicy",
        {"PolicyDocument": _document(_allow("s3:*")), "Roles": [PULSE_ROLE]},
        "Job-pulse",
    ),
    _new(
        "a policy of a role alone",
        "Jobs",
        "IAM::RolePolicy",
        {"PolicyName": "more", "RoleName": PULSE_ROLE, "PolicyDocument": _document(_allow("s3:*"))},
        "Job-pulse",
    ),
    _new(
        "a role that other accounts may take",
        "Jobs",
        "IAM::Role",
        {
            "AssumeRolePolicyDocument": _document(
                {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": OTHERS}}
            ),
            "ManagedPolicyArns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"],
        },
    ),
    _new("a role of a service", "Jobs", "IAM::ServiceLinkedRole", {"AWSServiceName": "autoscaling.amazonaws.com"}),
    _new("a profile for machines", "Jobs", "IAM::InstanceProfile", {"Roles": [PULSE_ROLE]}),
    _new("a provider of identities", "Jobs", "IAM::SAMLProvider", {"SamlMetadataDocument": "<a/>"}),
    _new("roles for machines elsewhere", "Jobs", "RolesAnywhere::Profile", {"Name": "a", "RoleArns": [PULSE_ROLE]}),
    # Policies of resources
    asked(
        "large",
        "everybody may publish",
        change(
            TOPIC_POLICY,
            "Topic/Policy",
            STATEMENT,
            lambda old: [
                *old,
                {"Effect": "Allow", "Action": "sns:Publish", "Principal": "*", "Resource": old[0]["Resource"]},
            ],
        ),
        ACCESS,
        "Topic",
    ),
    asked(
        "large",
        "another account may subscribe",
        change(
            TOPIC_POLICY,
            "Topic/Policy",
            STATEMENT,
            lambda old: [
                *old,
                {
                    "Effect": "Allow",
                    "Action": "sns:Subscribe",
                    "Principal": {"AWS": OTHERS},
                    "Resource": old[0]["Resource"],
                },
            ],
        ),
        ACCESS,
        "Topic",
    ),
    asked(
        "large",
        "other accounts' alarms may publish",
        without(TOPIC_POLICY, "Topic/Policy", f"{STATEMENT}.1.Condition"),
        ACCESS,
        "Topic",
    ),
    asked(
        "large",
        "topic without TLS",
        without(TOPIC_POLICY, "Topic/Policy", f"{STATEMENT}.0"),
        ACCESS | PROTECTION,
        "Topic",
    ),
    asked("large", "topic's policy removed", drop(TOPIC_POLICY, "Topic/Policy"), ANY, "Topic"),
    asked(
        "large",
        "topic delivers to a stranger's key",
        put("SNS::Topic", "Alarms/Topic", "KmsMasterKeyId", "arn:aws:kms:eu-central-1:999999999999:key/of-others"),
        ANY,
        "Topic",
    ),
    asked("large", "topic of another name", put("SNS::Topic", "Alarms/Topic", "TopicName", "other"), ANY, "Topic"),
    asked(
        "large",
        "everybody may send into the queue",
        change(
            QUEUE_POLICY,
            "Job-pulse/DeadLetters/Policy",
            STATEMENT,
            lambda old: [*old, {"Effect": "Allow", "Action": "sqs:*", "Principal": "*", "Resource": DEAD_LETTERS}],
        ),
        ACCESS,
        "DeadLetters",
    ),
    asked(
        "large",
        "queue without TLS",
        drop(QUEUE_POLICY, "Job-pulse/DeadLetters/Policy"),
        ACCESS | PROTECTION,
        "DeadLetters",
    ),
    _new(
        "a policy of a queue, as a JSON text",
        "Jobs",
        "SQS::QueueInlinePolicy",
        {
            "Queue": "a",
            "PolicyDocument": json.dumps(
                _document({"Effect": "Allow", "Action": "sqs:*", "Principal": "*", "Resource": "*"})
            ),
        },
        "DeadLetters",
    ),
    _new(
        "a policy of a secret",
        "Database",
        "SecretsManager::ResourcePolicy",
        {
            "SecretId": Reference("RDS::DBInstance", "Instance", "MasterUserSecret.SecretArn"),
            "ResourcePolicy": _document(
                {
                    "Effect": "Allow",
                    "Action": "secretsmanager:GetSecretValue",
                    "Principal": {"AWS": OTHERS},
                    "Resource": "*",
                }
            ),
        },
        "Database/Instance",
    ),
    _new(
        "a policy of logs, as a JSON text",
        "Jobs",
        "Logs::ResourcePolicy",
        {
            "PolicyName": "a",
            "PolicyDocument": json.dumps(
                _document(
                    {"Effect": "Allow", "Action": "logs:PutLogEvents", "Principal": {"AWS": "*"}, "Resource": "*"}
                )
            ),
        },
    ),
    _new(
        "logs to another account",
        "Jobs",
        "Logs::SubscriptionFilter",
        {
            "LogGroupName": Reference("Logs::LogGroup", "Job-pulse/Job/LogGroup"),
            "FilterPattern": "",
            "DestinationArn": "arn:aws:logs:eu-central-1:999999999999:destination:a",
        },
    ),
    _new(
        "a destination of logs",
        "Jobs",
        "Logs::Destination",
        {
            "DestinationName": "a",
            "RoleArn": PULSE_ROLE,
            "TargetArn": "a",
            "DestinationPolicy": json.dumps(
                _document(
                    {
                        "Effect": "Allow",
                        "Action": "logs:PutSubscriptionFilter",
                        "Principal": {"AWS": "*"},
                        "Resource": "*",
                    }
                )
            ),
        },
    ),
    _new(
        "a bus of events, for all",
        "Jobs",
        "Events::EventBusPolicy",
        {
            "StatementId": "a",
            "Statement": {"Effect": "Allow", "Action": "events:PutEvents", "Principal": "*", "Resource": "*"},
        },
    ),
    _new(
        "a bus of events, for another account",
        "Jobs",
        "Events::EventBusPolicy",
        {"StatementId": "a", "Action": "events:PutEvents", "Principal": "999999999999"},
    ),
    _new(
        "events to another account",
        "Jobs",
        "Events::Rule",
        {
            "EventPattern": {"source": ["aws.rds"]},
            "Targets": [
                {"Id": "1", "Arn": "arn:aws:events:eu-central-1:999999999999:event-bus/default", "RoleArn": PULSE_ROLE}
            ],
        },
    ),
    _new(
        "everybody may start a function",
        "Jobs",
        "Lambda::Permission",
        {"FunctionName": FUNCTION, "Action": "lambda:InvokeFunction", "Principal": "*"},
        "Job-pulse",
    ),
    _new(
        "another account may start a function",
        "Jobs",
        "Lambda::Permission",
        {"FunctionName": FUNCTION, "Action": "lambda:InvokeFunction", "Principal": "999999999999"},
        "Job-pulse",
    ),
    _new(
        "every bucket may start a function",
        "Jobs",
        "Lambda::Permission",
        {"FunctionName": FUNCTION, "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"},
        "Job-pulse",
    ),
    _new(
        "a function's address for all",
        "Jobs",
        "Lambda::Url",
        {"TargetFunctionArn": FUNCTION, "AuthType": "NONE"},
        "Job-pulse",
    ),
    _new(
        "a function's address for the account",
        "Jobs",
        "Lambda::Url",
        {"TargetFunctionArn": FUNCTION, "AuthType": "AWS_IAM"},
        "Job-pulse",
    ),
    _new(
        "a layer for everybody",
        "Jobs",
        "Lambda::LayerVersionPermission",
        {
            "Action": "lambda:GetLayerVersion",
            "LayerVersionArn": "arn:aws:lambda:eu-central-1:333333333333:layer:a:1",
            "Principal": "*",
        },
    ),
    _new(
        "a share with other accounts",
        "Database",
        "RAM::ResourceShare",
        {
            "Name": "a",
            "AllowExternalPrincipals": True,
            "Principals": ["999999999999"],
            "ResourceArns": ["arn:aws:ec2:eu-central-1:333333333333:subnet/subnet-0a"],
        },
    ),
    _new(
        "a key for everybody",
        "Database",
        "KMS::Key",
        {"KeyPolicy": _document({"Effect": "Allow", "Action": "kms:*", "Principal": {"AWS": "*"}, "Resource": "*"})},
    ),
    _new(
        "a key that does not rotate",
        "Database",
        "KMS::Key",
        {
            "EnableKeyRotation": False,
            "PendingWindowInDays": 7,
            "KeyPolicy": _document(
                {
                    "Effect": "Allow",
                    "Action": "kms:*",
                    "Principal": {"AWS": "arn:aws:iam::333333333333:root"},
                    "Resource": "*",
                }
            ),
        },
    ),
    _new(
        "another name for a key",
        "Database",
        "KMS::Alias",
        {"AliasName": "alias/a", "TargetKeyId": "arn:aws:kms:eu-central-1:333333333333:key/a"},
    ),
    _new(
        "a key of a key in another region",
        "Database",
        "KMS::ReplicaKey",
        {
            "PrimaryKeyArn": "arn:aws:kms:us-east-1:333333333333:key/a",
            "KeyPolicy": _document(
                {"Effect": "Allow", "Action": "kms:*", "Principal": {"AWS": OTHERS}, "Resource": "*"}
            ),
        },
    ),
    asked(
        "proxied",
        "secrets of every name by an endpoint",
        put(ENDPOINT, "SecretsEndpoint", f"{STATEMENT}.0.Resource", "*"),
        ACCESS,
        "SecretsEndpoint",
    ),
    asked(
        "large",
        "every account by the endpoint",
        without(ENDPOINT, "SecretsEndpoint", f"{STATEMENT}.0.Condition"),
        ACCESS,
        "SecretsEndpoint",
    ),
    asked(
        "large",
        "every action by the endpoint",
        put(ENDPOINT, "SecretsEndpoint", f"{STATEMENT}.0.Action", "*"),
        ACCESS,
        "SecretsEndpoint",
    ),
    asked(
        "large",
        "endpoint without a policy: all is allowed",
        without(ENDPOINT, "SecretsEndpoint", "PolicyDocument"),
        ACCESS,
        "SecretsEndpoint",
    ),
    # Where the templates have nothing of the kind, something is added to them before
    *given(
        change(
            POLICY,
            PULSE,
            STATEMENT,
            lambda old: [*old, {"Effect": "Allow", "NotAction": ["iam:*", "s3:*"], "Resource": "*"}],
        ),
        _job("all but fewer actions", "5.NotAction", ["iam:*"]),
    ),
    *given(
        change(
            POLICY,
            PULSE,
            STATEMENT,
            lambda old: [
                *old,
                {"Effect": "Allow", "Action": "s3:*", "NotResource": ["arn:aws:s3:::a", "arn:aws:s3:::b"]},
            ],
        ),
        _job("on all but fewer resources", "5.NotResource", ["arn:aws:s3:::a"]),
    ),
    *given(
        change(
            POLICY, PULSE, STATEMENT, lambda old: [*old, {"Effect": "Deny", "NotAction": ["sqs:*"], "Resource": "*"}]
        ),
        _job("denied but for more actions", "5.NotAction", ["sqs:*", "iam:*"]),
    ),
    *given(
        change(
            POLICY,
            PULSE,
            STATEMENT,
            lambda old: [*old, _allow("s3:*", Condition={"StringEquals": {"aws:PrincipalTag/access": "admin"}})],
        ),
        asked(
            "large",
            "tag that gives access",
            change(ROLE, "Job-pulse/Job/Role", "Tags", lambda old: [*old, {"Key": "access", "Value": "admin"}]),
            ANY,
            "Job-pulse",
        ),
    ),
    *given(
        add(
            "Database",
            "Key",
            "KMS::Key",
            {"EnableKeyRotation": True, "PendingWindowInDays": 30, "KeyPolicy": _document(_OWN_KEY)},
        ),
        asked(
            "large",
            "key for another account",
            change(
                "KMS::Key", "Key", "KeyPolicy.Statement", lambda old: [*old, {**_OWN_KEY, "Principal": {"AWS": OTHERS}}]
            ),
            ACCESS,
            "Key",
        ),
        asked("large", "key no longer rotates", put("KMS::Key", "Key", "EnableKeyRotation", False), ANY, "Key"),
        asked("large", "key is gone after a week", put("KMS::Key", "Key", "PendingWindowInDays", 7), ANY, "Key"),
        asked("large", "key disabled", put("KMS::Key", "Key", "Enabled", False), ANY, "Key"),
        asked("large", "key removed", drop("KMS::Key", "Key"), ANY, "Key"),
    ),
    *given(
        add(
            "Jobs",
            "Start",
            "Lambda::Permission",
            {
                "FunctionName": FUNCTION,
                "Action": "lambda:InvokeFunction",
                "Principal": "s3.amazonaws.com",
                "SourceAccount": "333333333333",
                "SourceArn": "arn:aws:s3:::a",
            },
        ),
        asked(
            "large",
            "from whichever source",
            without("Lambda::Permission", "Start", "SourceArn"),
            OPEN,
            "Start",
            "Job-pulse",
        ),
        asked(
            "large",
            "from whichever account",
            without("Lambda::Permission", "Start", "SourceAccount"),
            OPEN,
            "Start",
            "Job-pulse",
        ),
    ),
    *given(
        add("Jobs", "Address", "Lambda::Url", {"TargetFunctionArn": FUNCTION, "AuthType": "AWS_IAM"}),
        asked(
            "large",
            "a function's address opened",
            put("Lambda::Url", "Address", "AuthType", "NONE"),
            OPEN,
            "Address",
            "Job-pulse",
        ),
    ),
    *given(
        change(
            QUEUE_POLICY,
            "Job-pulse/DeadLetters/Policy",
            STATEMENT,
            lambda old: [
                *old,
                {
                    "Effect": "Allow",
                    "Action": "sqs:ReceiveMessage",
                    "Principal": {"AWS": "333333333333"},
                    "Resource": DEAD_LETTERS,
                },
            ],
        ),
        asked(
            "large",
            "the queue for everybody, where it was for one account",
            put(QUEUE_POLICY, "Job-pulse/DeadLetters/Policy", f"{STATEMENT}.1.Principal", "*"),
            ACCESS,
            "DeadLetters",
        ),
    ),
    *given(
        add(
            "Jobs",
            "Logs",
            "Logs::ResourcePolicy",
            {
                "PolicyName": "a",
                "PolicyDocument": json.dumps(
                    _document(
                        {
                            "Effect": "Allow",
                            "Action": "logs:PutLogEvents",
                            "Principal": {"Service": "rds.amazonaws.com"},
                            "Resource": "*",
                        }
                    )
                ),
            },
        ),
        asked(
            "large",
            "policy of logs widened, as a JSON text",
            change(
                "Logs::ResourcePolicy", "Logs", "PolicyDocument", lambda old: old.replace("logs:PutLogEvents", "logs:*")
            ),
            OPEN,
            "Logs",
        ),
    ),
]
