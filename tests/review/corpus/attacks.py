"""Changes that an attacker thought of after reading the review: each went through, crashed it, or raised a false alarm.

Some edit what the CDK writes and a team does not, like the path in a resource's metadata: templates are data, too.
"""

import json
from typing import Any

from settings.job_variables import TABLES_NOTE
from tests.review.corpus.case import (
    ACCESS,
    ANY,
    DATA,
    PROTECTION,
    UNCLASSIFIED,
    Case,
    Draft,
    Edit,
    Reference,
    add,
    asked,
    change,
    drop,
    given,
    put,
    same,
    section,
    several,
    without,
)

ROLE, POLICY, FUNCTION, ALARM, VERSION = (
    "IAM::Role",
    "IAM::Policy",
    "Lambda::Function",
    "CloudWatch::Alarm",
    "AWS::Lambda::Version",
)
DB, INST, DBSG = "RDS::DBInstance", "Database/Instance", "Database/SecurityGroup"
STATEMENT, PULSE = "PolicyDocument.Statement", "Job-pulse/Job/Role/DefaultPolicy"
F, S, FS, P = (
    "Job-pulse/Job/Function",
    "Job-pulse/Schedule",
    "Job-sweep/Job/Function",
    "Environment.Variables.PARAMETERS",
)
TOPIC = Reference("SNS::Topic", "Alarms/Topic")
MIG_ROLE = Reference(ROLE, "Migrate/Role", "Arn")
OTHERS = "999999999999"
PB = {
    "PublicAccessBlockConfiguration": {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": False,
        "RestrictPublicBuckets": True,
    }
}
DENY = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}


def _yes(name: str, edit: Edit, kinds: frozenset[str] = ANY, *names: str, base: str = "large") -> Case:
    return asked(base, name, edit, kinds, *(names or ("",)))


def _no(name: str, edit: Edit, base: str = "large") -> Case:
    return same(base, name, edit)


def at_path(stack: str, logical_id: str, kind: str, properties: dict[str, Any], path: str) -> Edit:
    """Add a resource that says it is the construct at `path`."""

    def edit(draft: Draft) -> None:
        add(stack, logical_id, kind, properties)(draft)
        draft.templates[stack]["Resources"][logical_id]["Metadata"]["aws:cdk:path"] = f"{draft.name}/{path}"

    return edit


def new_job(edited: Any = None) -> Edit:
    """Add the job fresh, which is like pulse; `edited` gets the draft and the new resources."""

    def edit(draft: Draft) -> None:
        resources = draft.templates["Jobs"]["Resources"]
        every = {
            key: each
            for key, each in resources.items()
            if "Job-pulse/" in each.get("Metadata", {}).get("aws:cdk:path", "") and each["Type"] != VERSION
        }
        text = json.dumps(every)
        for old, new in (
            ("Jobpulse", "Jobfresh"),
            ("Job-pulse", "Job-fresh"),
            ("large-pulse", "large-fresh"),
            ('"pulse"', '"fresh"'),
            ('\\"pulse\\"', '\\"fresh\\"'),
        ):
            text = text.replace(old, new)
        come = json.loads(text)
        resources.update(come)
        _, _, policy = draft.find(POLICY, "ScheduleRole/DefaultPolicy")
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            names = [each["Fn::GetAtt"][0] for each in statement["Resource"]]
            own = [name.replace("Jobpulse", "Jobfresh") for name in names if name.startswith("Jobpulse")]
            statement["Resource"] += [{"Fn::GetAtt": [name, "Arn"]} for name in own]
        if edited:
            edited(draft, come)

    return edit


def of(new: Any, kind: str) -> Any:
    """The properties of the one resource of this type among `new`."""
    return next(each["Properties"] for each in new.values() if each["Type"] == f"AWS::{kind}")


def new_fn(**properties: Any) -> Edit:
    """A new job whose function has other properties."""
    return new_job(lambda draft, new: of(new, FUNCTION).update(properties))


def env(**variables: str) -> Edit:
    """A new job whose function has other variables."""
    return new_job(lambda draft, new: of(new, FUNCTION)["Environment"]["Variables"].update(variables))


def allow(action: Any, resource: Any = "*") -> dict[str, Any]:
    """A statement that allows."""
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def doc(*statements: Any) -> dict[str, Any]:
    """A policy."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def more(statement: Any) -> Edit:
    """A statement more in the policy of a job."""
    return change(POLICY, PULSE, STATEMENT, lambda old: [*old, statement])


def SELECT(*values: str) -> dict[str, Any]:  # noqa: N802
    """The first of `values`, as a function of CloudFormation."""
    return {"Fn::Select": [0, list(values)]}


def RULE(first: int, last: int) -> list[dict[str, Any]]:  # noqa: N802
    """A rule for ICMP, of a type and a code."""
    return [{"IpProtocol": "icmp", "FromPort": first, "ToPort": last, "CidrIp": "10.0.0.0/8"}]


def STRL(value: str) -> dict[str, Any]:  # noqa: N802
    """A condition with a pattern."""
    return {"StringLike": {"aws:SourceArn": value}}


def _merge_roles(draft: Draft) -> None:
    """Let the migrations and pulse work in one new role that has the rights of both."""
    found = [draft.find(ROLE, f"{each}/Role") for each in ("Migrate", "Job-pulse/Job")]
    policies = [draft.find(POLICY, f"{each}/Role/DefaultPolicy") for each in ("Migrate", "Job-pulse/Job")]
    text = json.dumps(draft.templates["Jobs"])
    for new, some in (("Merged", found), ("MergedPolicy", policies)):
        for _, logical_id, _ in some:
            text = text.replace(f'"{logical_id}"', f'"{new}"')
    draft.templates["Jobs"] = json.loads(text)  # the last of two keys that are the same is read
    resources = draft.templates["Jobs"]["Resources"]
    resources["Merged"]["Metadata"]["aws:cdk:path"] = f"{draft.name}/Jobs/Merged/Resource"
    policy = resources["MergedPolicy"]
    policy["Metadata"]["aws:cdk:path"] = f"{draft.name}/Jobs/Merged/DefaultPolicy/Resource"
    every = [each for _, _, body in policies for each in body["Properties"]["PolicyDocument"]["Statement"]]
    policy["Properties"]["PolicyDocument"]["Statement"] = every


def _second(draft: Draft) -> None:
    """A stack more of jobs, where a function works in a role at the path of the migrations' one."""
    role, policy = draft.find(ROLE, "Migrate/Role"), draft.find(POLICY, "Migrate/Role/DefaultPolicy")
    resources = json.loads(json.dumps({logical_id: body for _, logical_id, body in (role, policy)}))
    del resources[policy[1]]["Properties"]["PolicyDocument"]["Statement"][0]
    resources["Function"] = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Code": {"ZipFile": "x"},
            "Handler": "index.handler",
            "Runtime": "python3.14",
            "Role": {"Fn::GetAtt": [role[1], "Arn"]},
            "VpcConfig": {"SecurityGroupIds": [], "SubnetIds": ["subnet-1"]},
            "LoggingConfig": {"LogFormat": "JSON"},
        },
        "Metadata": {"aws:cdk:path": f"{draft.name}/Jobs/Migrations/Migrate/Function/Resource"},
    }
    for each in resources.values():
        path = each["Metadata"]["aws:cdk:path"].replace("/Jobs/", "/Jobs-2/")
        each["Metadata"]["aws:cdk:path"] = path
    draft.templates["Jobs-2"] = {"Resources": resources}
    draft.protected["Jobs-2"] = False


def _parameter(name: str, key: str, before: int, after: int) -> list[Case]:
    return given(
        put(FUNCTION, FS, P, json.dumps({key: before})),
        _yes(name, put(FUNCTION, FS, P, json.dumps({key: after})), DATA, "Job-sweep"),
    )


def _denies(kind: str, properties: dict[str, Any]) -> list[Case]:
    name = f"a denial removed with its {kind}"
    return given(add("Jobs", "Denies", kind, properties), _yes(name, drop(kind, "Jobs/Denies"), ANY, "Denies"))


def _sweep(tables: dict[str, str], **parameters: int) -> Edit:
    """Note these tables of the job sweep, and give it these parameters."""

    def edit(draft: Draft) -> None:
        _, _, body = draft.find(FUNCTION, FS)
        body["Metadata"][TABLES_NOTE] = tables
        body["Properties"]["Environment"]["Variables"]["PARAMETERS"] = json.dumps(parameters)

    return edit


def _reads(table: str) -> Edit:
    """A new job that may read a table that no job had, and that no migration of this project made."""

    def rights(text: str) -> str:
        return json.dumps({**json.loads(text), table: "SELECT"})

    def noted(_: Draft, new: Any) -> None:
        next(each for each in new.values() if each["Type"] == "AWS::Lambda::Function")["Metadata"][TABLES_NOTE] = {
            table: "SELECT"
        }

    return several(new_job(noted), change(FUNCTION, "Migrate/Function", "Environment.Variables.RIGHTS", rights))


def _noted(draft: Draft) -> None:
    for job in ("pulse", "tally", "sweep"):
        _, _, body = draft.find(FUNCTION, f"Job-{job}/Job/Function")
        body["Metadata"][TABLES_NOTE] = {"event": "SELECT"}


def _late(watched: str, **changed: Any) -> str:
    """What the watcher is told, with other words of the job pulse."""
    told = json.loads(watched)
    return json.dumps({**told, "pulse": {**told["pulse"], **changed}})


CASES: list[Case] = [
    # Watching
    _yes(
        "metric filter that counts every line as work",
        add(
            "Jobs",
            "Stranger",
            "Logs::MetricFilter",
            {
                "FilterPattern": "",
                "LogGroupName": Reference("Logs::LogGroup", "Job-pulse/Job/LogGroup"),
                "MetricTransformations": [
                    {
                        "Dimensions": [{"Key": "job", "Value": "$.job"}],
                        "MetricName": "stuck",
                        "MetricNamespace": "mysql-jobs/large",
                        "MetricValue": "1",
                    }
                ],
            },
        ),
        PROTECTION,
        "Stranger",
    ),
    _yes(
        "datapoints of an alarm unsaid: all of them",
        without(ALARM, "pulse/Throttles", "DatapointsToAlarm"),
        PROTECTION,
        "Throttles",
    ),
    _yes(
        "as many datapoints in fewer periods",
        put(ALARM, "pulse/Throttles", "EvaluationPeriods", 2),
        PROTECTION,
        "Throttles",
    ),
    _yes(
        "missed after a week, as the schedule changes, too",
        several(
            put("Scheduler::Schedule", "Job-pulse/Schedule", "ScheduleExpression", "rate(6 minutes)"),
            change(
                FUNCTION,
                "Watcher/Watch/Function",
                "Environment.Variables.WATCHED",
                lambda old: _late(old, schedule="rate(6 minutes)", silence_seconds=604800),
            ),
        ),
        PROTECTION,
        "Watcher",
    ),
    _yes(
        "no retries, as the schedule changes, too",
        several(
            put("Scheduler::Schedule", "Job-pulse/Schedule", "ScheduleExpression", "rate(6 minutes)"),
            put("Lambda::EventInvokeConfig", "Job-pulse/Retry", "MaximumRetryAttempts", 0),
        ),
        PROTECTION,
        "Job-pulse",
    ),
    _yes(
        "CPU alarm never goes off, as the class grows",
        several(put(DB, INST, "DBInstanceClass", "db.m7g.xlarge"), put(ALARM, "DatabaseCpu", "Threshold", 101)),
        PROTECTION,
        "DatabaseCpu",
    ),
    _yes(
        "storage alarm never goes off, as the class grows",
        several(put(DB, INST, "DBInstanceClass", "db.m7g.xlarge"), put(ALARM, "DatabaseStorage", "Threshold", 0)),
        PROTECTION,
        "DatabaseStorage",
    ),
    _yes(
        "alarms told to a topic of another account",
        change(ALARM, "pulse/Errors", "AlarmActions", lambda o: [*o, f"arn:aws:sns:eu-central-1:{OTHERS}:elsewhere"]),
        ACCESS | UNCLASSIFIED,
        "pulse/Errors",
    ),
    _yes(
        "alarm that starts a function",
        change(
            ALARM,
            "pulse/Errors",
            "AlarmActions",
            lambda o: [*o, "arn:aws:lambda:eu-central-1:333333333333:function:somebody"],
        ),
        ACCESS | UNCLASSIFIED,
        "pulse/Errors",
    ),
    _yes(
        "alarm's end told to another account",
        change(ALARM, "pulse/Errors", "OKActions", lambda o: [*o, f"arn:aws:sns:eu-central-1:{OTHERS}:elsewhere"]),
        ACCESS | UNCLASSIFIED,
        "pulse/Errors",
    ),
    _yes(
        "new alarm that tells a topic of another account",
        add(
            "Jobs",
            "Stranger",
            ALARM,
            {
                "AlarmActions": [f"arn:aws:sns:eu-central-1:{OTHERS}:elsewhere"],
                "ComparisonOperator": "GreaterThanThreshold",
                "EvaluationPeriods": 1,
                "MetricName": "Errors",
                "Namespace": "AWS/Lambda",
                "Period": 60,
                "Statistic": "Sum",
                "Threshold": 0,
            },
        ),
        ACCESS | UNCLASSIFIED,
        "Stranger",
    ),
    _yes(
        "subscriber within the topic",
        put("SNS::Topic", "Alarms/Topic", "Subscription", [{"Endpoint": "stranger@example.com", "Protocol": "email"}]),
        ACCESS,
        "Alarms/Topic",
    ),
    _yes(
        "new topic with a subscriber, told by an alarm, too",
        several(
            add(
                "Jobs",
                "Stranger",
                "SNS::Topic",
                {
                    "TopicName": "large-stranger",
                    "Subscription": [{"Endpoint": "https://example.com/", "Protocol": "https"}],
                },
            ),
            change(ALARM, "pulse/Errors", "AlarmActions", lambda o: [*o, Reference("SNS::Topic", "Jobs/Stranger")]),
        ),
        ACCESS,
        "Stranger",
        "pulse/Errors",
    ),
    _yes(
        "alarm tells a topic that has the path of the other",
        several(
            at_path(
                "Jobs", "Stranger", "SNS::Topic", {"TopicName": "large-stranger"}, "Database/Alarms/Topic/Resource"
            ),
            lambda d: d.find(ALARM, "pulse/Errors")[2]["Properties"].update(AlarmActions=[{"Ref": "Stranger"}]),
        ),
        PROTECTION,
        "pulse/Errors",
    ),
    _yes(
        "flow log by another role",
        put("EC2::FlowLog", "FlowLog", "DeliverLogsPermissionArn", "arn:aws:iam::333333333333:role/nobody"),
        ANY,
        "FlowLog",
    ),
    _yes("flow log without a role", without("EC2::FlowLog", "FlowLog", "DeliverLogsPermissionArn"), ANY, "FlowLog"),
    _yes(
        "database monitored by another role",
        put(DB, INST, "MonitoringRoleArn", "arn:aws:iam::333333333333:role/nobody"),
        ANY,
        INST,
    ),
    _yes("database monitored by no role", without(DB, INST, "MonitoringRoleArn"), ANY, INST),
    _yes(
        "secret in the description of an alarm",
        put(ALARM, "pulse/Errors", "AlarmDescription", "{{resolve:secretsmanager:large:SecretString:password}}"),
        ACCESS | UNCLASSIFIED,
        "pulse/Errors",
    ),
    _no("datapoints of an alarm said as they were meant", put(ALARM, "DatabaseCpu", "DatapointsToAlarm", 3)),
    _no("as many datapoints in more periods", put(ALARM, "pulse/Throttles", "EvaluationPeriods", 5)),
    _no("threshold as text with a fraction", put(ALARM, "pulse/Errors", "Threshold", "3.0")),
    _no("categories of events unsaid: all of them", without("RDS::EventSubscription", "Events", "EventCategories")),
    *given(
        put(ALARM, "pulse/Errors", "InsufficientDataActions", []),
        _no("no actions said, then unsaid", without(ALARM, "pulse/Errors", "InsufficientDataActions")),
    ),
    *given(
        put("SNS::Subscription", "on-call", "Endpoint", SELECT("on-call@example.com", "stranger@example.com")),
        _yes(
            "subscriber is the other of a selection",
            put("SNS::Subscription", "on-call", "Endpoint", SELECT("stranger@example.com", "on-call@example.com")),
            ACCESS,
            "on-call",
        ),
    ),
    *given(
        put(
            "SNS::Subscription",
            "on-call",
            "RedrivePolicy",
            {"deadLetterTargetArn": "arn:aws:sqs:eu-central-1:333333333333:letters"},
        ),
        _yes(
            "undelivered messages to another account",
            put(
                "SNS::Subscription",
                "on-call",
                "RedrivePolicy.deadLetterTargetArn",
                f"arn:aws:sqs:eu-central-1:{OTHERS}:letters",
            ),
            ANY,
            "on-call",
        ),
    ),
    # Database
    _yes("size by a parameter of the account", put(DB, INST, "AllocatedStorage", "{{resolve:ssm:size}}"), ANY, INST),
    _yes("size by a reference", put(DB, INST, "AllocatedStorage", {"Ref": "BootstrapVersion"}), ANY, INST),
    _yes("size by a selection", put(DB, INST, "AllocatedStorage", {"Fn::Select": [0, ["20"]]}), ANY, INST),
    _yes("size with a fraction", put(DB, INST, "AllocatedStorage", "50.0"), ANY, INST),
    _yes("burstable class of the same size", put(DB, INST, "DBInstanceClass", "db.t4g.large"), PROTECTION, INST),
    _yes(
        "every statement is slow: all are logged, with their values",
        put("RDS::DBParameterGroup", "Database/Parameters", "Parameters.long_query_time", "0"),
        ANY,
        "Parameters",
    ),
    _yes(
        "a public database that is replaced, too",
        several(put(DB, INST, "PubliclyAccessible", True), put(DB, INST, "Port", "13307")),
        ACCESS,
        INST,
    ),
    _yes(
        "protection ends where the database is replaced, too",
        several(put(DB, INST, "DeletionProtection", False), put(DB, INST, "Port", "13307")),
        PROTECTION,
        INST,
    ),
    _yes(
        "not encrypted where the database is renamed",
        several(put(DB, INST, "StorageEncrypted", False), put(DB, INST, "DBInstanceIdentifier", "large-other")),
        PROTECTION,
        INST,
    ),
    _yes(
        "jobs log in as admin where the database is replaced, too",
        several(
            put(DB, INST, "Port", "13307"),
            put(FUNCTION, "Job-pulse/Job/Function", "Environment.Variables.DATABASE_USER", "admin"),
        ),
        ACCESS | PROTECTION,
        "Job-pulse",
    ),
    _yes(
        "somebody may delete the database that is replaced",
        several(put(DB, INST, "Port", "13307"), more(allow("rds:*", Reference(DB, INST, "DbiResourceId")))),
        ACCESS,
        "Job-pulse",
    ),
    _yes(
        "second database, not encrypted, that has the path of a good one",
        several(
            at_path(
                "Database",
                "Stranger",
                DB,
                {
                    "Engine": "mysql",
                    "DBInstanceClass": "db.t4g.micro",
                    "PubliclyAccessible": True,
                    "StorageEncrypted": False,
                },
                "Database/Second/Resource",
            ),
            at_path(
                "Database",
                "Stranger2",
                DB,
                {
                    "Engine": "mysql",
                    "DBInstanceClass": "db.t4g.micro",
                    "PubliclyAccessible": False,
                    "StorageEncrypted": True,
                    "EnableIAMDatabaseAuthentication": True,
                    "ManageMasterUserPassword": True,
                },
                "Database/Second/Resource",
            ),
        ),
        ACCESS,
        "Second",
    ),
    _yes(
        "proxy takes one connection in a hundred",
        put("RDS::DBProxyTargetGroup", "ProxyTargetGroup", "ConnectionPoolConfigurationInfo.MaxConnectionsPercent", 1),
        PROTECTION,
        "Proxy",
        base="proxied",
    ),
    _yes(
        "secret's characters are others: a new password",
        put("SecretsManager::Secret", "Secret-pulse", "GenerateSecretString.ExcludePunctuation", False),
        ANY,
        "",
        base="local",
    ),
    _yes(
        "secret's key is another: a new password",
        put("SecretsManager::Secret", "Secret-pulse", "GenerateSecretString.GenerateStringKey", "pass"),
        ANY,
        "",
        base="local",
    ),
    _yes(
        "longer password: a new one",
        put("SecretsManager::Secret", "Secret-pulse", "GenerateSecretString.PasswordLength", 64),
        ANY,
        "",
        base="local",
    ),
    _no("a key that is no value", put(DB, INST, "KmsKeyId", {"Ref": "AWS::NoValue"})),
    *given(
        put(DB, INST, "DBInstanceClass", "db.r7g.large"),
        _yes(
            "half the memory in a class of the same size",
            put(DB, INST, "DBInstanceClass", "db.m7g.large"),
            PROTECTION,
            INST,
        ),
    ),
    *given(put(DB, INST, "MonitoringInterval", 0), _no("monitored newly", put(DB, INST, "MonitoringInterval", 60))),
    *given(
        without(DB, INST, "MaxAllocatedStorage"),
        _no("grows by itself, newly", put(DB, INST, "MaxAllocatedStorage", 1000)),
    ),
    *given(
        add("Database", "Bucket", "S3::Bucket", PB),
        _no(
            "bucket closed further",
            put("S3::Bucket", "Database/Bucket", "PublicAccessBlockConfiguration.IgnorePublicAcls", True),
        ),
        _no(
            "bucket keeps versions newly",
            put("S3::Bucket", "Database/Bucket", "VersioningConfiguration", {"Status": "Enabled"}),
        ),
        _no(
            "bucket logs newly",
            put("S3::Bucket", "Database/Bucket", "LoggingConfiguration", {"DestinationBucketName": "x"}),
        ),
    ),
    # Access
    _yes(
        "statement whose effect is a selection",
        more({"Effect": SELECT("Allow"), "Action": "*", "Resource": "*"}),
        ANY,
        "Job-pulse",
    ),
    _yes("statement in small letters", more({"effect": "Allow", "action": "*", "resource": "*"}), ANY, "Job-pulse"),
    _yes(
        "statement included from a bucket",
        more({"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://x/y"}}}),
        ANY,
        "Job-pulse",
    ),
    _yes(
        "properties of a new policy included from a bucket",
        add(
            "Jobs",
            "Stranger",
            POLICY,
            {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://x/y"}}},
        ),
        ANY,
        "Stranger",
    ),
    _yes(
        "properties included from a bucket",
        lambda d: d.find(POLICY, PULSE)[2]["Properties"].update(
            {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://x/y"}}}
        ),
        ANY,
        "Job-pulse",
    ),
    _yes(
        "policy of logs from a parameter of the account",
        add(
            "Jobs", "Stranger", "Logs::ResourcePolicy", {"PolicyName": "x", "PolicyDocument": "{{resolve:ssm:policy}}"}
        ),
        ANY,
        "Stranger",
    ),
    _yes(
        "policy of a secret by a selection",
        add("Jobs", "Stranger", "SecretsManager::ResourcePolicy", {"SecretId": "x", "ResourcePolicy": SELECT("{}")}),
        ANY,
        "Stranger",
    ),
    _yes(
        "policy of logs with an escaped key",
        add(
            "Jobs",
            "Stranger",
            "Logs::ResourcePolicy",
            {
                "PolicyName": "x",
                "PolicyDocument": json.dumps(doc({**DENY, "Effect": "Allow"})).replace('"S', '"\\u0053', 1),
            },
        ),
        ANY,
        "Stranger",
    ),
    _yes(
        "policy of logs that is no JSON",
        add("Jobs", "Stranger", "Logs::ResourcePolicy", {"PolicyName": "x", "PolicyDocument": '{"Statement":[}'}),
        ANY,
        "Stranger",
    ),
    _yes("two roles become one that has the rights of both", _merge_roles, ACCESS, "Job-pulse", "Merged"),
    _yes(
        "a condition by no value",
        put("SNS::TopicPolicy", "Topic/Policy", "PolicyDocument.Statement.1.Condition", {"Ref": "AWS::NoValue"}),
        ANY,
        "Topic",
    ),
    _yes(
        "endpoint's policy by no value: all is allowed",
        put("EC2::VPCEndpoint", "SecretsEndpoint", "PolicyDocument", {"Ref": "AWS::NoValue"}),
        ANY,
        "SecretsEndpoint",
    ),
    _yes(
        "policy of a role that has the path of a new job's",
        at_path(
            "Jobs",
            "Stranger",
            "IAM::RolePolicy",
            {
                "RoleName": "somebody",
                "PolicyName": "x",
                "PolicyDocument": doc(
                    allow("sqs:SendMessage", Reference("SQS::Queue", "Job-pulse/DeadLetters", "Arn"))
                ),
            },
            "Jobs/Job-pulse/Job/Role/Resource",
        ),
        ANY,
    ),
    _yes(
        "function with code of its own, that has the path of the migrations'",
        at_path(
            "Jobs",
            "Stranger",
            FUNCTION,
            {
                "Code": {"ZipFile": "x"},
                "Handler": "index.h",
                "Runtime": "python3.14",
                "Role": MIG_ROLE,
                "VpcConfig": {
                    "SecurityGroupIds": [Reference("EC2::SecurityGroup", "Migrations/SecurityGroup", "GroupId")],
                    "SubnetIds": ["subnet-1"],
                },
                "LoggingConfig": {"LogFormat": "JSON"},
            },
            "Jobs/Migrations/Migrate/Function/Resource",
        ),
        ANY,
    ),
    _yes(
        "second schedule that has the path of the first",
        at_path(
            "Jobs",
            "Stranger",
            "Scheduler::Schedule",
            {
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "ScheduleExpression": "rate(1 minutes)",
                "Target": {
                    "Arn": Reference(FUNCTION, "Job-sweep/Job/Function", "Arn"),
                    "Input": "{}",
                    "RoleArn": Reference(ROLE, "ScheduleRole", "Arn"),
                },
            },
            "Jobs/Job-pulse/Schedule/Resource",
        ),
        ANY,
    ),
    _yes("role of another stack that has the path of the migrations'", _second, ANY),
    _yes(
        "secret in the description of a function",
        put(
            FUNCTION, "Job-pulse/Job/Function", "Description", "{{resolve:secretsmanager:large:SecretString:password}}"
        ),
        ACCESS | UNCLASSIFIED,
        "Job-pulse",
    ),
    _yes(
        "secret in a tag",
        put(
            FUNCTION, "Job-pulse/Job/Function", "Tags.0.Value", "{{resolve:secretsmanager:large:SecretString:password}}"
        ),
        ACCESS | UNCLASSIFIED,
        "Job-pulse",
    ),
    _yes("deploy role removed", drop(ROLE, "Roles/Deploy"), ANY, "Deploy", base="large-delivery"),
    _no(
        "a condition's false as such",
        put(
            "SNS::TopicPolicy",
            "Topic/Policy",
            "PolicyDocument.Statement.0.Condition.Bool",
            {"aws:SecureTransport": False},
        ),
    ),
    _no(
        "a condition's key in small letters",
        put(
            "SNS::TopicPolicy",
            "Topic/Policy",
            "PolicyDocument.Statement.1.Condition.StringEquals",
            {"aws:sourceaccount": "333333333333"},
        ),
    ),
    _no(
        "an ARN compared with ArnLike",
        change(POLICY, PULSE, f"{STATEMENT}.2.Condition", lambda o: {"ArnLike": o["ArnEquals"]}),
    ),
    _no(
        "equals as like",
        change(
            ROLE,
            "ScheduleRole",
            "AssumeRolePolicyDocument.Statement.0.Condition",
            lambda o: {"StringLike": o["StringEquals"]},
        ),
    ),
    *given(
        put(POLICY, PULSE, f"{STATEMENT}.4.Resource", "arn:aws:iam::333333333333:role/largeJobsRole0A1B2C3D"),
        _yes(
            "another resource that differs in a hash",
            put(POLICY, PULSE, f"{STATEMENT}.4.Resource", "arn:aws:iam::333333333333:role/largeJobsRole99999999"),
            ACCESS,
            "Job-pulse",
        ),
    ),
    *given(
        put("SNS::TopicPolicy", "Topic/Policy", "PolicyDocument.Statement.1.Condition", STRL("arn:aws:rds:*")),
        _no(
            "a pattern that matches less",
            put(
                "SNS::TopicPolicy",
                "Topic/Policy",
                "PolicyDocument.Statement.1.Condition",
                STRL("arn:aws:rds:eu-central-1:*"),
            ),
        ),
    ),
    *given(
        put(
            "SNS::TopicPolicy",
            "Topic/Policy",
            "PolicyDocument.Statement.1.Condition",
            {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
        ),
        _no(
            "fewer addresses in a condition",
            put(
                "SNS::TopicPolicy",
                "Topic/Policy",
                "PolicyDocument.Statement.1.Condition",
                {"IpAddress": {"aws:SourceIp": "10.1.0.0/16"}},
            ),
        ),
    ),
    # Functions
    _yes("new job with code in the template", new_fn(Code={"ZipFile": "import os"}), ANY, "Job-fresh"),
    _yes(
        "new job with code of another bucket",
        new_fn(Code={"S3Bucket": "somebodys", "S3Key": "x.zip"}),
        ANY,
        "Job-fresh",
    ),
    _yes(
        "new job that calls another function of the code",
        new_fn(Handler="mysql_jobs.migrate.lambda_handler"),
        ANY,
        "Job-fresh",
    ),
    _yes("new job that does another job's work", env(JOB="sweep"), ANY, "Job-fresh"),
    _yes("new job that verifies no certificate", env(SSL_CERT_FILE="/mnt/all.pem"), ANY, "Job-fresh"),
    _yes("new job with a secret in a variable", env(DB_PASSWORD="4711"), ANY, "Job-fresh"),
    _yes("new job on another database", env(DATABASE_HOST="db.example.com"), ANY, "Job-fresh"),
    _yes("new job that works as admin", env(DATABASE_USER="admin"), ANY, "Job-fresh"),
    _yes(
        "new job's schedule starts another job",
        new_job(
            lambda d, n: of(n, "Scheduler::Schedule")["Target"].update(
                Arn=d.resolved("Jobs", Reference(FUNCTION, "Job-sweep/Job/Function", "Arn"))
            )
        ),
        ANY,
        "Job-fresh",
    ),
    _yes(
        "new job in any number at once",
        new_job(lambda d, n: of(n, FUNCTION).pop("ReservedConcurrentExecutions")),
        ANY,
        "Job-fresh",
    ),
    _yes(
        "new job's function with a name that is no pattern",
        at_path(
            "Jobs",
            "Stranger",
            ROLE,
            {
                "AssumeRolePolicyDocument": doc(
                    {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
                )
            },
            "Jobs/Job-(/Job/Role/Resource",
        ),
        ANY,
    ),
    _yes(
        "version of another function: the migrations are not run",
        lambda d: next(
            (v for k, v in d.templates["Jobs"]["Resources"].items() if v["Type"] == VERSION and "Migrat" in k)
        )["Properties"].update(FunctionName={"Ref": "JobpulseJobFunction84CDC238"}),
        ANY,
    ),
    _yes("code of no synthesis in the same bucket", put(FUNCTION, F, "Code.S3Key", "backdoor.zip"), ANY, "Job-pulse"),
    _yes(
        "job never runs by its expression",
        put("Scheduler::Schedule", S, "ScheduleExpression", "cron(0 0 30 2 ? *)"),
        ANY,
        "Job-pulse",
    ),
    _yes(
        "schedule in a group that its role does not trust",
        put("Scheduler::Schedule", S, "GroupName", "other"),
        ANY,
        "Job-pulse",
    ),
    _yes(
        "one attempt to start",
        put("Scheduler::Schedule", S, "Target.RetryPolicy.MaximumRetryAttempts", 1),
        PROTECTION,
        "Job-pulse",
    ),
    _yes(
        "deploys wait a second for the migrations",
        put("Custom::Trigger", "Migrations/Trigger", "Timeout", "1000"),
        ANY,
        "Trigger",
    ),
    _yes(
        "dead letters of a function to another account",
        put(FUNCTION, F, "DeadLetterConfig", {"TargetArn": f"arn:aws:sqs:eu-central-1:{OTHERS}:x"}),
        ACCESS | UNCLASSIFIED,
        "Job-pulse",
    ),
    *given(
        put(FUNCTION, F, "DeadLetterConfig", {"TargetArn": "arn:aws:sqs:eu-central-1:333333333333:x"}),
        _yes(
            "dead letters of a function elsewhere",
            put(FUNCTION, F, "DeadLetterConfig.TargetArn", f"arn:aws:sqs:eu-central-1:{OTHERS}:x"),
            ANY,
            "Job-pulse",
        ),
    ),
    # Network
    _yes(
        "no egress said: all is let out",
        put("EC2::SecurityGroup", DBSG, "SecurityGroupEgress", []),
        ACCESS,
        "SecurityGroup",
    ),
    _yes(
        "egress by no value: all is let out",
        put("EC2::SecurityGroup", DBSG, "SecurityGroupEgress", {"Ref": "AWS::NoValue"}),
        ANY,
        "SecurityGroup",
    ),
    _yes(
        "ingress included from a bucket",
        put(
            "EC2::SecurityGroup",
            DBSG,
            "SecurityGroupIngress",
            {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://x/y"}}},
        ),
        ANY,
        "SecurityGroup",
    ),
    _yes(
        "ingress by a mapping",
        put("EC2::SecurityGroup", DBSG, "SecurityGroupIngress", {"Fn::FindInMap": ["a", "b", "c"]}),
        ANY,
        "SecurityGroup",
    ),
    _yes(
        "default group of another network closed",
        put("Custom::VpcRestrictDefaultSG", "RestrictDefault", "DefaultSecurityGroupId", "sg-0123"),
        ANY,
        "RestrictDefault",
    ),
    _yes(
        "default group closed by somebody else",
        put("Custom::VpcRestrictDefaultSG", "RestrictDefault", "ServiceToken", f"arn:aws:sns:eu-central-1:{OTHERS}:x"),
        ANY,
        "RestrictDefault",
    ),
    _yes(
        "endpoint of another service of AWS",
        put("EC2::VPCEndpoint", "SecretsEndpoint", "ServiceName", "com.amazonaws.eu-central-1.ssm"),
        ANY,
        "SecretsEndpoint",
    ),
    _yes(
        "endpoint in another network",
        put("EC2::VPCEndpoint", "SecretsEndpoint", "VpcId", "vpc-0123"),
        ANY,
        "SecretsEndpoint",
    ),
    *given(
        put("EC2::SecurityGroup", DBSG, "SecurityGroupIngress", RULE(8, 0)),
        _yes(
            "every code of a type of ICMP",
            put("EC2::SecurityGroup", DBSG, "SecurityGroupIngress", RULE(8, -1)),
            ACCESS,
            "SecurityGroup",
        ),
    ),
    *given(
        put("EC2::SecurityGroup", DBSG, "SecurityGroupIngress", RULE(3, 4)),
        _yes(
            "another type of ICMP",
            put("EC2::SecurityGroup", DBSG, "SecurityGroupIngress", RULE(4, 4)),
            ACCESS,
            "SecurityGroup",
        ),
    ),
    # Template
    _yes(
        "host of another stack's output",
        lambda d: d.find(FUNCTION, F)[2]["Properties"]["Environment"]["Variables"]["DATABASE_HOST"][
            "Fn::GetStackOutput"
        ].update(StackName="Database"),
        ANY,
        "Job-pulse",
    ),
    _yes(
        "host of another region's output",
        lambda d: d.find(FUNCTION, F)[2]["Properties"]["Environment"]["Variables"]["DATABASE_HOST"][
            "Fn::GetStackOutput"
        ].update(Region="us-east-1"),
        ANY,
        "Job-pulse",
    ),
    _yes(
        "host that only looks like a reference",
        put(FUNCTION, F, "Environment.Variables.DATABASE_HOST", "{Database/Instance.Endpoint.Address}"),
        ANY,
        "Job-pulse",
    ),
    _yes(
        "secret as an output that looks like the CDK's",
        section(
            "Database",
            "Outputs",
            {"PublishOutputSecret": {"Value": "{{resolve:secretsmanager:large:SecretString:password}}"}},
        ),
        ANY,
    ),
    # A policy's removal, and parameters
    *_denies("S3::BucketPolicy", {"Bucket": "b", "PolicyDocument": doc(DENY)}),
    *_denies("SecretsManager::ResourcePolicy", {"SecretId": "s", "ResourcePolicy": doc(DENY)}),
    *_denies("SQS::QueueInlinePolicy", {"Queue": "q", "PolicyDocument": doc(DENY)}),
    *_denies("SNS::TopicInlinePolicy", {"TopicArn": "t", "PolicyDocument": doc(DENY)}),
    *_denies("Logs::ResourcePolicy", {"PolicyName": "p", "PolicyDocument": json.dumps(doc(DENY))}),
    *_denies(
        "IAM::RolePolicy", {"RoleName": "r", "PolicyName": "p", "PolicyDocument": doc({**DENY, "Action": "iam:*"})}
    ),
    *given(
        _sweep({"event": "DELETE, SELECT"}, retention_days=400),
        _yes(
            "rows kept for less by a job that notes no DELETE any more",
            _sweep({"event": "SELECT"}, retention_days=4),
            DATA,
            "Job-sweep",
        ),
    ),
    *given(
        _sweep({"event": "SELECT, UPDATE"}, anonymize_after_days=400),
        _yes(
            "rows overwritten sooner",
            _sweep({"event": "SELECT, UPDATE"}, anonymize_after_days=4),
            DATA,
            "Job-sweep",
        ),
    ),
    *given(
        _noted,
        _yes("new job reads a table of another schema", _reads("mysql.user"), ACCESS),
        _yes("new job reads every table", _reads("*"), ACCESS),
    ),
    *given(
        section("Database", "Parameters", {"Password": {"Type": "String", "NoEcho": True}}),
        _yes(
            "parameter that nobody should see as an output",
            section("Database", "Outputs", {"Shown": {"Value": {"Ref": "Password"}}}),
            ACCESS | UNCLASSIFIED,
            "Shown",
        ),
    ),
    _yes(
        "alarms of a job that stays, where its metrics go",
        several(
            without(FUNCTION, "Job-pulse/Job/Function", "Environment.Variables.METRICS"),
            drop(ALARM, "pulse/Missed"),
            drop(ALARM, "pulse/NearTimeout"),
        ),
        PROTECTION,
        "pulse/Missed",
    ),
    *_parameter("rows of later years expire", "expire_before_year", 2010, 2025),
    *_parameter("more of the rows that expire", "expired_rows_per_run", 100, 100000),
    *_parameter("a number with ttl in its name", "throttle_deletes", 1, 100),
]
