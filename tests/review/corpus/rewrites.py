"""What is harmless: what means the same as before, and what is better, or of no account."""

import json
from collections.abc import Callable
from typing import Any

from tests.review.corpus.case import (
    Case,
    Draft,
    Reference,
    add,
    attribute,
    change,
    given,
    harmless,
    protect,
    put,
    rename,
    same,
    section,
    without,
)

ROLE, POLICY, FUNCTION, ALARM = "IAM::Role", "IAM::Policy", "Lambda::Function", "CloudWatch::Alarm"
INSTANCE, PARAMETERS, SCHEDULE = "RDS::DBInstance", "RDS::DBParameterGroup", "Scheduler::Schedule"
GROUP, INGRESS, EGRESS = "EC2::SecurityGroup", "EC2::SecurityGroupIngress", "EC2::SecurityGroupEgress"
TOPIC_POLICY, QUEUE_POLICY, ENDPOINT = "SNS::TopicPolicy", "SQS::QueuePolicy", "EC2::VPCEndpoint"
PULSE = "Job-pulse/Job/Role/DefaultPolicy"
STATEMENT = "PolicyDocument.Statement"
DATABASE = "Database/SecurityGroup"
FROM_JOBS = "Jobs/SecurityGroup/largeDatabaseSecurityGroup"
TO_DATABASE = "Jobs/SecurityGroup/to largeDatabaseSecurityGroup"
DEAD_LETTERS = Reference("SQS::Queue", "Job-pulse/DeadLetters", "Arn")


def _backwards(value: list[Any]) -> list[Any]:
    return value[::-1]


def _rewritten(name: str, edit: Callable[[list[Any]], list[Any]]) -> Case:
    """The same rights of a job, in other statements: log, network, network denied, login, queue."""
    return same("large", name, change(POLICY, PULSE, STATEMENT, edit))


def _narrowed(name: str, edit: Callable[[list[Any]], list[Any]]) -> Case:
    return harmless("large", name, change(POLICY, PULSE, STATEMENT, edit))


def _with(statements: list[Any], number: int, **values: Any) -> list[Any]:
    return [{**each, **values} if i == number else each for i, each in enumerate(statements)]


def _split(statements: list[Any]) -> list[Any]:
    """The first statement's actions, one statement each."""
    first, *others = statements
    return [*({**first, "Action": action} for action in first["Action"]), *others]


def _named(statements: list[Any]) -> list[Any]:
    return [{**each, "Sid": f"S{number}"} for number, each in enumerate(statements)]


def _policy_moves_into_the_role(draft: Draft) -> None:
    stack, logical_id, body = draft.find(POLICY, PULSE)
    _, _, role = draft.find(ROLE, "Job-pulse/Job/Role")
    document = body["Properties"]["PolicyDocument"]
    role["Properties"]["Policies"] = [{"PolicyName": "Own", "PolicyDocument": document}]
    resources = draft.templates[stack]["Resources"]
    del resources[logical_id]
    for each in resources.values():
        if logical_id in each.get("DependsOn", []):
            each["DependsOn"] = [name for name in each["DependsOn"] if name != logical_id]


def _policy_in_two(draft: Draft) -> None:
    stack, logical_id, body = draft.find(POLICY, PULSE)
    properties = body["Properties"]
    *most, last = properties["PolicyDocument"]["Statement"]
    draft.templates[stack]["Resources"][f"{logical_id}Second"] = {
        **body,
        "Properties": {**properties, "PolicyName": "Second", "PolicyDocument": {"Statement": [last]}},
        "Metadata": {"aws:cdk:path": f"{draft.name}/{stack}/Job-pulse/Job/Role/Second/Resource"},
    }
    properties["PolicyDocument"]["Statement"] = most
    _, _, function = draft.find(FUNCTION, "Job-pulse/Job/Function")
    function["DependsOn"].append(f"{logical_id}Second")


def _waits_for_one_as_a_text(draft: Draft) -> None:
    _, _, body = draft.find("Logs::LogGroup", "Job-pulse/Job/LogGroup")
    [body["DependsOn"]] = body["DependsOn"]


def _as_sub(value: Any) -> Any:
    """A text of Fn::Join, as Fn::Sub."""
    _, parts = value["Fn::Join"]
    values = {f"Part{number}": part for number, part in enumerate(parts) if not isinstance(part, str)}
    text = "".join(part if isinstance(part, str) else f"${{Part{number}}}" for number, part in enumerate(parts))
    return {"Fn::Sub": [text, values]}


def _backwards_everywhere(draft: Draft) -> None:
    for template in draft.templates.values():
        template["Resources"] = dict(reversed(template["Resources"].items()))


def _keys_backwards(draft: Draft) -> None:
    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turned(part) for key, part in reversed(value.items())}
        return [turned(part) for part in value] if isinstance(value, list) else value

    draft.templates = {stack: turned(template) for stack, template in draft.templates.items()}


def _another_job(draft: Draft) -> None:
    """A job like tally, with all that it has; schedules may start it, and the migrations give it no new rights."""
    template = draft.templates["Jobs"]
    resources = template["Resources"]
    for logical_id, body in list(resources.items()):
        path = body.get("Metadata", {}).get("aws:cdk:path", "")
        if "/Job-tally/" in path or "/Alarms-tally/" in path:
            text = json.dumps(body).replace("tally", "count")
            resources[logical_id.replace("tally", "count")] = json.loads(text)
    _, _, policy = draft.find(POLICY, "ScheduleRole/DefaultPolicy")
    for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
        one = next(each for each in statement["Resource"] if "tally" in json.dumps(each))
        statement["Resource"].append(json.loads(json.dumps(one).replace("tally", "count")))
    _, _, migrate = draft.find(FUNCTION, "Migrate/Function")
    variables = migrate["Properties"]["Environment"]["Variables"]
    told = json.loads(variables["RIGHTS"])
    variables["RIGHTS"] = json.dumps({**told, "count": {**told["tally"], "user": "job_large_count"}})


def _new_code(draft: Draft) -> None:
    """The code in lambda/ changed: all functions that are made of it, and the version that the trigger calls."""
    _, _, function = draft.find(FUNCTION, "Job-pulse/Job/Function")
    stack, version, _ = draft.find("Lambda::Version", "Migrate/Function/CurrentVersion")
    key = function["Properties"]["Code"]["S3Key"].removesuffix(".zip")
    text = json.dumps(draft.templates[stack]).replace(key, "0" * 64)
    draft.templates[stack] = json.loads(text.replace(version, version[:-32] + "0" * 32))


def _version_of_the_cdk(draft: Draft) -> None:
    for template in draft.templates.values():
        properties = {"Analytics": "v2:deflate64:another"}
        template["Resources"]["CDKMetadata"] = {"Type": "AWS::CDK::Metadata", "Properties": properties}


def _nothing_that_is_read(draft: Draft) -> None:
    _, _, body = draft.find(INSTANCE, "Database/Instance")
    body["Metadata"]["why"] = "because"


def _merged(statements: list[Any]) -> list[Any]:
    """The first two statements, which differ in their action alone, as one."""
    first, second, *others = statements
    return [{**first, "Action": [first["Action"], second["Action"]]}, *others]


def _allow(action: str, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


_TWO = {"StringEquals": {"aws:PrincipalOrgID": ["o-1", "o-2"]}}
_PRINCIPAL = {
    "Effect": "Allow",
    "Action": "sqs:ReceiveMessage",
    "Principal": {"AWS": "arn:aws:iam::333333333333:root"},
    "Resource": DEAD_LETTERS,
}


def _rule(first: int, last: int, addresses: str = "10.9.0.0/16") -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": first, "ToPort": last, "CidrIp": addresses}


CASES: list[Case] = [
    # Order
    _rewritten("statements in another order", _backwards),
    _rewritten("actions in another order", lambda old: _with(old, 0, Action=old[0]["Action"][::-1])),
    same(
        "large",
        "resources of a policy in another order",
        change(POLICY, "ScheduleRole/DefaultPolicy", f"{STATEMENT}.0.Resource", _backwards),
    ),
    same("large", "resources of the templates in another order", _backwards_everywhere),
    same("large", "keys in another order", _keys_backwards),
    same(
        "large",
        "dimensions in another order",
        change(ALARM, "pulse/Throttles", "Metrics", _backwards),
    ),
    same(
        "large",
        "subnets in another order",
        change(FUNCTION, "Job-pulse/Job/Function", "VpcConfig.SubnetIds", _backwards),
    ),
    same(
        "large",
        "subnets of the database in another order",
        change("RDS::DBSubnetGroup", "SubnetGroup", "SubnetIds", _backwards),
    ),
    same(
        "large",
        "categories of events in another order",
        change("RDS::EventSubscription", "Events", "EventCategories", _backwards),
    ),
    same(
        "large",
        "exported logs in another order",
        change(INSTANCE, "Database/Instance", "EnableCloudwatchLogsExports", _backwards),
    ),
    same("large", "tags in another order", change(INSTANCE, "Database/Instance", "Tags", _backwards)),
    same(
        "large",
        "what waits in another order",
        lambda draft: draft.find("Custom::Trigger", "Migrations/Trigger")[2]["DependsOn"].reverse(),
    ),
    # Lists of one, and other ways to write a value
    _rewritten("a list of one action", lambda old: _with(old, 3, Action=["rds-db:connect"])),
    _rewritten("a list of one resource", lambda old: _with(old, 1, Resource=["*"])),
    same(
        "large",
        "a list of one principal",
        put(
            ROLE,
            "Job-pulse/Job/Role",
            "AssumeRolePolicyDocument.Statement.0.Principal.Service",
            ["lambda.amazonaws.com"],
        ),
    ),
    same(
        "large",
        "a list of one value of a condition",
        put(
            TOPIC_POLICY,
            "Topic/Policy",
            f"{STATEMENT}.1.Condition.StringEquals",
            {"aws:SourceAccount": ["333333333333"]},
        ),
    ),
    same(
        "large",
        "a statement that is no list",
        change(QUEUE_POLICY, "Job-pulse/DeadLetters/Policy", STATEMENT, lambda old: old[0]),
    ),
    same("large", "everybody as a list", put(ENDPOINT, "SecretsEndpoint", f"{STATEMENT}.0.Principal", {"AWS": ["*"]})),
    same("large", "everybody in short", put(ENDPOINT, "SecretsEndpoint", f"{STATEMENT}.0.Principal", "*")),
    same("large", "what waits for one thing, as a text", _waits_for_one_as_a_text),
    _rewritten("actions in capitals", lambda old: _with(old, 3, Action="RDS-DB:Connect")),
    _rewritten("an action twice", lambda old: _with(old, 0, Action=[*old[0]["Action"], old[0]["Action"][0]])),
    _rewritten("a statement twice", lambda old: [*old, old[3]]),
    _rewritten("statements with names", _named),
    _rewritten("a statement split in two", _split),
    same("large", "a policy with an id", put(TOPIC_POLICY, "Topic/Policy", "PolicyDocument.Id", "a")),
    same("large", "a policy in the role", _policy_moves_into_the_role),
    same("large", "a policy in two", _policy_in_two),
    same("large", "a policy of another name", put(POLICY, PULSE, "PolicyName", "Other")),
    same("large", "text of Fn::Join as Fn::Sub", change(POLICY, PULSE, f"{STATEMENT}.3.Resource", _as_sub)),
    same(
        "large",
        "text of Fn::Join as two of them",
        change(POLICY, PULSE, f"{STATEMENT}.3.Resource", lambda old: {"Fn::Join": ["", [old, ""]]}),
    ),
    same(
        "large",
        "the partition by reference",
        put(
            ROLE,
            "ScheduleRole",
            "AssumeRolePolicyDocument.Statement.0.Condition.StringEquals.aws:SourceArn",
            {
                "Fn::Join": [
                    "",
                    ["arn:", {"Ref": "AWS::Partition"}, ":scheduler:eu-central-1:333333333333:schedule-group/default"],
                ]
            },
        ),
    ),
    same(
        "large",
        "the account by reference",
        put(
            ROLE,
            "ScheduleRole",
            "AssumeRolePolicyDocument.Statement.0.Condition.StringEquals.aws:SourceAccount",
            {"Ref": "AWS::AccountId"},
        ),
    ),
    same(
        "large",
        "the region by reference",
        put(ENDPOINT, "SecretsEndpoint", "ServiceName", {"Fn::Sub": "com.amazonaws.${AWS::Region}.secretsmanager"}),
    ),
    same("large", "a port as a number", put(INSTANCE, "Database/Instance", "Port", 13306)),
    same("large", "a number as a text", put(FUNCTION, "Job-pulse/Job/Function", "MemorySize", "256")),
    same("large", "a port of a rule as a text", put(INGRESS, FROM_JOBS, "FromPort", "13306")),
    same("large", "true as a text", put(INSTANCE, "Database/Instance", "DeletionProtection", "true")),
    same("large", "a parameter as a number", put(PARAMETERS, "Parameters", "Parameters.wait_timeout", 300)),
    # AWS's own values, written down
    same("large", "actions of alarms are on, unsaid before", put(ALARM, "pulse/Errors", "ActionsEnabled", True)),
    same("large", "subscription is on, unsaid before", put("RDS::EventSubscription", "Events", "Enabled", True)),
    same(
        "large",
        "function of a zip, unsaid before",
        put(FUNCTION, "Job-pulse/Job/Function", "PackageType", "Zip"),
    ),
    # Narrower
    _narrowed("an action fewer", lambda old: _with(old, 0, Action=["logs:PutLogEvents"])),
    _narrowed(
        "a condition on what is allowed", lambda old: _with(old, 4, Condition={"Bool": {"aws:SecureTransport": "true"}})
    ),
    _narrowed("a denial more", lambda old: [*old, {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]),
    _narrowed("a denial of more actions", lambda old: _with(old, 2, Action=[*old[2]["Action"], "ec2:CreateTags"])),
    _narrowed(
        "a denial of all but logs",
        lambda old: [
            *old,
            {
                "Effect": "Deny",
                "NotAction": "logs:*",
                "Resource": "*",
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
        ],
    ),
    _narrowed(
        "a resource fewer",
        lambda old: _with(old, 1, Resource="arn:aws:ec2:eu-central-1:333333333333:network-interface/*"),
    ),
    # It may break a job, which the job's tests and alarms say; it loses nothing and opens nothing.
    _narrowed("a login removed", lambda old: [*old[:3], *old[4:]]),
    harmless(
        "large",
        "trust of fewer",
        put(
            ROLE,
            "Job-pulse/Job/Role",
            "AssumeRolePolicyDocument.Statement.0.Condition",
            {"StringEquals": {"aws:SourceAccount": "333333333333"}},
        ),
    ),
    harmless(
        "large",
        "a boundary",
        put(ROLE, "Job-pulse/Job/Role", "PermissionsBoundary", "arn:aws:iam::333333333333:policy/team"),
    ),
    harmless(
        "large",
        "queue denies more",
        change(
            QUEUE_POLICY,
            "Job-pulse/DeadLetters/Policy",
            STATEMENT,
            lambda old: [
                *old,
                {"Effect": "Deny", "Action": "sqs:DeleteQueue", "Principal": "*", "Resource": DEAD_LETTERS},
            ],
        ),
    ),
    harmless(
        "large",
        "endpoint for fewer",
        put(
            ENDPOINT,
            "SecretsEndpoint",
            f"{STATEMENT}.0.Condition.StringEquals",
            {"aws:PrincipalAccount": "333333333333", "aws:SourceVpc": "vpc-0123456789abcdef0"},
        ),
    ),
    # Names without a meaning
    same("large", "a role under another logical id", rename(ROLE, "Job-pulse/Job/Role", "PulseRole")),
    same("large", "a policy under another logical id", rename(POLICY, PULSE, "PulsePolicy")),
    same("large", "a role of schedules under another logical id", rename(ROLE, "ScheduleRole", "Starter")),
    # Texts
    harmless("large", "another description of an alarm", put(ALARM, "pulse/Errors", "AlarmDescription", "Look at it.")),
    harmless(
        "large", "another description of a function", put(FUNCTION, "Job-pulse/Job/Function", "Description", "Pulse")
    ),
    harmless(
        "large", "another description of a schedule", put(SCHEDULE, "Job-pulse/Schedule", "Description", "Starts it")
    ),
    harmless("large", "another description of a role", put(ROLE, "Job-pulse/Job/Role", "Description", "Its role")),
    harmless(
        "large",
        "another tag of ours",
        change(INSTANCE, "Database/Instance", "Tags", lambda old: [*old, {"Key": "cost-centre", "Value": "7"}]),
    ),
    harmless(
        "large",
        "a widget more",
        change("CloudWatch::Dashboard", "Dashboard", "DashboardBody", lambda _: '{"widgets":[]}'),
    ),
    same("large", "description of a template", section("Jobs", "Description", "The jobs")),
    same(
        "large", "notes for tools", section("Jobs", "Metadata", {"cfn-lint": {"config": {"ignore_checks": ["W3005"]}}})
    ),
    same("large", "notes on the database", _nothing_that_is_read),
    same("large", "another version of the CDK", _version_of_the_cdk),
    same(
        "large", "a condition that nothing has", section("Jobs", "Conditions", {"Unused": {"Fn::Equals": ["a", "b"]}})
    ),
    same("large", "an output that nobody reads", section("Jobs", "Outputs", {"PulseName": {"Value": "large-pulse"}})),
    # Code from lambda/ is reviewed as code.
    harmless("large", "new code of the jobs", _new_code),
    # Better watched
    harmless(
        "large",
        "an alarm more",
        add(
            "Jobs",
            "More",
            ALARM,
            {
                "AlarmName": "large-more",
                "AlarmActions": ["arn:aws:sns:eu-central-1:333333333333:large-alarms"],
                "ComparisonOperator": "GreaterThanOrEqualToThreshold",
                "EvaluationPeriods": 1,
                "MetricName": "Errors",
                "Namespace": "AWS/Lambda",
                "Period": 60,
                "Statistic": "Sum",
                "Threshold": 1,
            },
        ),
    ),
    harmless(
        "large",
        "a metric more",
        add(
            "Jobs",
            "More",
            "Logs::MetricFilter",
            {
                "LogGroupName": Reference("Logs::LogGroup", "Job-pulse/Job/LogGroup"),
                "FilterPattern": "ERROR",
                "MetricTransformations": [
                    {"MetricName": "errors", "MetricNamespace": "mysql-jobs/large", "MetricValue": "1"}
                ],
            },
        ),
    ),
    harmless("large", "an alarm sooner", put(ALARM, "pulse/Errors", "Threshold", 1)),
    harmless("large", "an alarm of the CPU sooner", put(ALARM, "DatabaseCpu", "Threshold", 80)),
    harmless("large", "an alarm of storage sooner", put(ALARM, "DatabaseStorage", "Threshold", 10737418240)),
    harmless(
        "large",
        "an alarm tells one more",
        change(ALARM, "pulse/Errors", "AlarmActions", lambda old: [*old, "arn:aws:sns:eu-central-1:333333333333:more"]),
    ),
    harmless(
        "large",
        "a category of events more",
        change("RDS::EventSubscription", "Events", "EventCategories", lambda old: [*old, "security"]),
    ),
    harmless("large", "logs kept longer", put("Logs::LogGroup", "Job-pulse/Job/LogGroup", "RetentionInDays", 3653)),
    harmless("large", "logs kept for ever", without("Logs::LogGroup", "FlowLogGroup", "RetentionInDays")),
    harmless("large", "monitored each second", put(INSTANCE, "Database/Instance", "MonitoringInterval", 1)),
    harmless(
        "large", "insights kept longer", put(INSTANCE, "Database/Instance", "PerformanceInsightsRetentionPeriod", 31)
    ),
    # Better protected
    harmless("large", "more backups", put(INSTANCE, "Database/Instance", "BackupRetentionPeriod", 35)),
    harmless("large", "a stack protected", protect("Jobs")),
    harmless("basic", "database protected", put(INSTANCE, "Database/Instance", "DeletionProtection", True)),
    # In place, without an outage: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.MultiAZ.Migrating.html
    harmless("basic", "a second zone", put(INSTANCE, "Database/Instance", "MultiAZ", True)),
    harmless("basic", "backups, where there were few", put(INSTANCE, "Database/Instance", "BackupRetentionPeriod", 7)),
    harmless("large", "sessions of TLS 1.3 alone", put(PARAMETERS, "Parameters", "Parameters.tls_version", "TLSv1.3")),
    harmless("large", "statements are slow sooner", put(PARAMETERS, "Parameters", "Parameters.long_query_time", "0.5")),
    # More room
    harmless("large", "a larger disk", put(INSTANCE, "Database/Instance", "AllocatedStorage", "200")),
    harmless("large", "grows further", put(INSTANCE, "Database/Instance", "MaxAllocatedStorage", 2000)),
    # Doubtful, and harmless: it fails over once, as each maintenance does.
    harmless("large", "a larger class", put(INSTANCE, "Database/Instance", "DBInstanceClass", "db.m7g.xlarge")),
    harmless("large", "more memory", put(FUNCTION, "Job-pulse/Job/Function", "MemorySize", 512)),
    harmless("large", "a job more, with the rights of another", _another_job),
    # The rows of a job
    harmless(
        "large",
        "rows kept longer",
        change(
            FUNCTION,
            "Job-sweep/Job/Function",
            "Environment.Variables.PARAMETERS",
            lambda old: old.replace('"retention_days":400', '"retention_days":800'),
        ),
    ),
    harmless(
        "large",
        "fewer rights to a table",
        change(
            FUNCTION,
            "Migrate/Function",
            "Environment.Variables.RIGHTS",
            lambda old: old.replace("DELETE, INSERT, SELECT", "INSERT, SELECT"),
        ),
    ),
    same(
        "large",
        "rights in another order",
        change(
            FUNCTION,
            "Migrate/Function",
            "Environment.Variables.RIGHTS",
            lambda old: json.dumps(dict(reversed(json.loads(old).items()))),
        ),
    ),
    same(
        "large",
        "parameters of a job with spaces",
        change(
            FUNCTION,
            "Job-sweep/Job/Function",
            "Environment.Variables.PARAMETERS",
            lambda old: json.dumps(json.loads(old), indent=1),
        ),
    ),
    # Where the templates have nothing of the kind, something is added to them before
    *given(
        put(ALARM, "pulse/Errors", "AlarmActions", ["arn:aws:sns:a:1:one", "arn:aws:sns:a:1:two"]),
        same("large", "an alarm's actions in another order", change(ALARM, "pulse/Errors", "AlarmActions", _backwards)),
    ),
    *given(
        change(POLICY, PULSE, STATEMENT, _split),
        same("large", "statements merged", change(POLICY, PULSE, STATEMENT, _merged)),
    ),
    *given(
        change(POLICY, PULSE, STATEMENT, lambda old: [*old, _allow("sqs:*", DEAD_LETTERS)]),
        same("large", "a statement removed that another one contains", without(POLICY, PULSE, f"{STATEMENT}.4")),
    ),
    *given(
        change(
            POLICY, PULSE, STATEMENT, lambda old: [*old, {"Effect": "Allow", "NotAction": ["iam:*"], "Resource": "*"}]
        ),
        harmless("large", "all but more actions", put(POLICY, PULSE, f"{STATEMENT}.6.NotAction", ["iam:*", "s3:*"])),
        same("large", "a list of one action that is excepted", put(POLICY, PULSE, f"{STATEMENT}.6.NotAction", "iam:*")),
    ),
    *given(
        change(POLICY, PULSE, STATEMENT, lambda old: [*old, _allow("s3:Get*", Condition=_TWO)]),
        same(
            "large",
            "values of a condition in another order",
            change(POLICY, PULSE, f"{STATEMENT}.6.Condition.StringEquals.aws:PrincipalOrgID", _backwards),
        ),
        harmless(
            "large",
            "a value of a condition fewer",
            put(POLICY, PULSE, f"{STATEMENT}.6.Condition.StringEquals.aws:PrincipalOrgID", "o-1"),
        ),
        harmless("large", "what was allowed under a condition removed", without(POLICY, PULSE, f"{STATEMENT}.6")),
    ),
    harmless("large", "a denial without its condition", without(POLICY, PULSE, f"{STATEMENT}.2.Condition")),
    *given(
        change(QUEUE_POLICY, "Job-pulse/DeadLetters/Policy", STATEMENT, lambda old: [*old, _PRINCIPAL]),
        *(
            same(
                "large",
                name,
                put(QUEUE_POLICY, "Job-pulse/DeadLetters/Policy", f"{STATEMENT}.2.Principal", {"AWS": by}),
            )
            for name, by in (
                ("account's number for its root", "333333333333"),
                ("account's root by references", {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}),
                ("account's root in a list", ["arn:aws:iam::333333333333:root"]),
                ("account's root and its number", ["arn:aws:iam::333333333333:root", "333333333333"]),
            )
        ),
    ),
    *given(
        put(GROUP, DATABASE, "SecurityGroupIngress", [_rule(100, 200), _rule(201, 300)]),
        *(
            same("large", name, put(GROUP, DATABASE, "SecurityGroupIngress", rules))
            for name, rules in (
                ("adjacent ports merged", [_rule(100, 300)]),
                ("ports split elsewhere", [_rule(100, 150), _rule(151, 300)]),
                ("ports that overlap", [_rule(100, 250), _rule(150, 300)]),
                ("rules in another order", [_rule(201, 300), _rule(100, 200)]),
                ("halves of the addresses", [_rule(100, 300, "10.9.0.0/17"), _rule(100, 300, "10.9.128.0/17")]),
                ("rules with descriptions", [{**_rule(100, 200), "Description": "a"}, _rule(201, 300)]),
                ("protocol by its number", [{**_rule(100, 300), "IpProtocol": "6"}]),
            )
        ),
        harmless(
            "large", "ports fewer", put(GROUP, DATABASE, "SecurityGroupIngress", [_rule(100, 200), _rule(201, 299)])
        ),
        harmless(
            "large", "addresses fewer", put(GROUP, DATABASE, "SecurityGroupIngress", [_rule(100, 300, "10.9.0.0/17")])
        ),
    ),
    # Without a policy, CloudFormation keeps a snapshot of an instance that is in no cluster.
    same(
        "large", "what becomes of the database unsaid", attribute(INSTANCE, "Database/Instance", "DeletionPolicy", None)
    ),
    harmless(
        "large",
        "a variable that a job reads itself",
        put(FUNCTION, "Job-pulse/Job/Function", "Environment.Variables.LOG_LEVEL", "DEBUG"),
    ),
    # However long a window is, the next begins where it ended.
    harmless(
        "large",
        "a longer window",
        put(FUNCTION, "Job-pulse/Job/Function", "Environment.Variables.MAX_WINDOW_MINUTES", "100000"),
    ),
    harmless(
        "large",
        "a shorter window",
        put(FUNCTION, "Job-pulse/Job/Function", "Environment.Variables.MAX_WINDOW_MINUTES", "5"),
    ),
]
