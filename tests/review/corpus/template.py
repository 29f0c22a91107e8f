"""What a template has beside properties, and resources of types that it did not have."""

import json
from typing import Any

from tests.review.corpus.case import (
    ACCESS,
    ANY,
    DATA,
    REFUSED,
    UNCLASSIFIED,
    Case,
    Draft,
    Reference,
    add,
    asked,
    attribute,
    given,
    output,
    put,
    section,
    several,
    under_condition,
)

INSTANCE, DATABASE = "RDS::DBInstance", "Database/Instance"
NEVER = {"Fn::Equals": ["a", "b"]}
NOT_IN_THIS_REGION = {"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-west-1"]}
SHARE = json.dumps(
    {
        "service": "RDS",
        "action": "modifyDBSnapshotAttribute",
        "parameters": {"AttributeName": "restore", "ValuesToAdd": ["all"]},
    }
)


def _new(name: str, kind: str, properties: dict[str, Any], kinds: frozenset[str] = ANY, *names: str) -> Case:
    return asked("large", name, add("Database", "Stranger", kind, properties), kinds, "Database/Stranger", *names)


def _stack_removed(draft: Draft) -> None:
    del draft.templates["Jobs"]
    del draft.protected["Jobs"]


def _database_elsewhere(draft: Draft) -> None:
    """The database in the stack of the jobs: to CloudFormation, one is removed and another one made."""
    stack, logical_id, body = draft.find(INSTANCE, DATABASE)
    del draft.templates[stack]["Resources"][logical_id]
    draft.templates["Jobs"]["Resources"][logical_id] = body


def _queue_elsewhere(draft: Draft) -> None:
    stack, logical_id, body = draft.find("SQS::Queue", "Job-pulse/DeadLetters")
    del draft.templates[stack]["Resources"][logical_id]
    draft.templates["Database"]["Resources"][logical_id] = {**body, "DependsOn": []}


def _other_account(draft: Draft) -> None:
    draft.account = "999999999999"


def _other_region(draft: Draft) -> None:
    draft.region = "us-east-1"


CASES: list[Case] = [
    # Conditions
    asked("large", "database under a condition", under_condition(INSTANCE, DATABASE, NEVER), ANY, "Database"),
    asked("large", "database in one region", under_condition(INSTANCE, DATABASE, NOT_IN_THIS_REGION), ANY, "Database"),
    asked(
        "large",
        "flow log under a condition",
        under_condition("EC2::FlowLog", "FlowLog", NEVER),
        ANY,
        "FlowLog",
        "Network",
    ),
    asked(
        "large",
        "schedule under a condition",
        under_condition("Scheduler::Schedule", "Job-pulse/Schedule", NEVER),
        ANY,
        "Job-pulse/Schedule",
        "Jobs",
    ),
    asked(
        "large",
        "migrations under a condition",
        under_condition("Custom::Trigger", "Migrations/Trigger", NEVER),
        ANY,
        "Migrations/Trigger",
        "Jobs",
    ),
    asked(
        "large",
        "policy that denies under a condition",
        under_condition("SQS::QueuePolicy", "Job-pulse/DeadLetters/Policy", NEVER),
        ANY,
        "DeadLetters",
        "Jobs",
    ),
    asked(
        "large",
        "protection under a condition",
        several(
            section("Database", "Conditions", {"Sometimes": NEVER}),
            put(INSTANCE, DATABASE, "DeletionProtection", {"Fn::If": ["Sometimes", True, False]}),
        ),
        ANY,
        "Database",
    ),
    asked(
        "large",
        "backups under a condition",
        several(
            section("Database", "Conditions", {"Sometimes": NEVER}),
            put(INSTANCE, DATABASE, "BackupRetentionPeriod", {"Fn::If": ["Sometimes", 30, {"Ref": "AWS::NoValue"}]}),
        ),
        ANY,
        "Database",
    ),
    # Where values come from
    asked(
        "large",
        "macro over the template",
        section("Database", "Transform", ["AWS::LanguageExtensions"]),
        ANY,
        "Database",
    ),
    asked("large", "somebody's macro", section("Jobs", "Transform", "999999999999::Rewrite"), ANY, "Jobs"),
    asked(
        "large",
        "text included from a bucket",
        section("Jobs", "Transform", [{"Name": "AWS::Include", "Parameters": {"Location": "s3://a/b"}}]),
        ANY,
        "Jobs",
    ),
    asked(
        "large",
        "another bootstrap",
        section(
            "Database",
            "Parameters",
            {
                "BootstrapVersion": {
                    "Type": "AWS::SSM::Parameter::Value<String>",
                    "Default": "/cdk-bootstrap/somebody/version",
                }
            },
        ),
        ANY,
        "Database",
    ),
    asked(
        "large",
        "size of the database by a parameter",
        several(
            section("Database", "Parameters", {"Days": {"Type": "Number", "Default": 1, "NoEcho": True}}),
            put(INSTANCE, DATABASE, "BackupRetentionPeriod", {"Ref": "Days"}),
        ),
        ANY,
        "Database",
    ),
    asked(
        "large",
        "parameter that nobody sees",
        section("Database", "Parameters", {"Password": {"Type": "String", "Default": "a", "NoEcho": True}}),
        ANY,
        "Database",
    ),
    asked(
        "large",
        "protection by a mapping",
        several(
            section("Database", "Mappings", {"By": {"eu-central-1": {"Protected": False}}}),
            put(
                INSTANCE, DATABASE, "DeletionProtection", {"Fn::FindInMap": ["By", {"Ref": "AWS::Region"}, "Protected"]}
            ),
        ),
        ANY,
        "Database",
    ),
    asked("large", "rule of the bootstrap removed", section("Database", "Rules", None), ANY, "Database"),
    asked(
        "large",
        "rule of the bootstrap always met",
        section("Database", "Rules", {"CheckBootstrapVersion": {"Assertions": [{"Assert": True}]}}),
        ANY,
        "Database",
    ),
    asked(
        "large",
        "password from a parameter of the account",
        put(INSTANCE, DATABASE, "MasterUserPassword", "{{resolve:ssm:/password:1}}"),
        ANY,
        DATABASE,
    ),
    # What others read
    asked(
        "large", "output that jobs read removed", output("Database", "EndpointAddress", None), ANY, "Database", "Jobs"
    ),
    asked(
        "large",
        "output that jobs read says another host",
        output("Database", "EndpointAddress", lambda _: {"Value": "elsewhere.example.com"}),
        ANY,
        "Database",
        "Jobs",
    ),
    asked(
        "large", "output of the network removed", output("Network", "RefVpc8", None), ANY, "Network", "Database", "Jobs"
    ),
    asked(
        "large",
        "topic that alarms read is another",
        output("Database", "RefAlarmsTopic", lambda _: {"Value": "arn:aws:sns:eu-central-1:999999999999:other"}),
        ANY,
        "Database",
        "Jobs",
    ),
    asked(
        "large",
        "secret shown as an output",
        section(
            "Database",
            "Outputs",
            {"Password": {"Value": {"Fn::Sub": "{{resolve:secretsmanager:a:SecretString:password}}"}}},
        ),
        ANY,
        "Database",
    ),
    asked(
        "large",
        "name exported to the account",
        section("Database", "Outputs", {"Host": {"Value": "a", "Export": {"Name": "database-host"}}}),
        ANY,
        "Database",
    ),
    # What becomes of resources
    asked("large", "database in another stack", _database_elsewhere, DATA | REFUSED, "Instance"),
    asked("large", "queue in another stack", _queue_elsewhere, DATA | REFUSED, "DeadLetters"),
    asked("large", "stack of the jobs removed", _stack_removed, ANY, "Jobs"),
    asked("large", "everything in another account", _other_account, ANY, "account"),
    asked("large", "everything in another region", _other_region, ANY, "account", "region"),
    asked(
        "large",
        "a resource of a type that nobody knows",
        add(
            "Jobs",
            "Stranger",
            "Custom::Anything",
            {"ServiceToken": "arn:aws:lambda:eu-central-1:333333333333:function:a"},
        ),
        ANY,
        "Jobs/Stranger",
    ),
    # New resources
    _new(
        "second database, public and not encrypted",
        INSTANCE,
        {
            "Engine": "mysql",
            "DBInstanceClass": "db.t4g.micro",
            "AllocatedStorage": "20",
            "PubliclyAccessible": True,
            "StorageEncrypted": False,
        },
    ),
    _new(
        "second database, as good as the first",
        INSTANCE,
        {
            "Engine": "mysql",
            "DBInstanceClass": "db.t4g.micro",
            "AllocatedStorage": "20",
            "PubliclyAccessible": False,
            "StorageEncrypted": True,
            "DeletionProtection": True,
            "BackupRetentionPeriod": 30,
        },
    ),
    _new(
        "database of a public snapshot",
        INSTANCE,
        {
            "DBSnapshotIdentifier": "arn:aws:rds:eu-central-1:999999999999:snapshot:public",
            "DBInstanceClass": "db.t4g.micro",
        },
    ),
    _new(
        "replica of the database in public",
        INSTANCE,
        {
            "SourceDBInstanceIdentifier": Reference(INSTANCE, DATABASE),
            "DBInstanceClass": "db.t4g.micro",
            "PubliclyAccessible": True,
        },
    ),
    _new("cluster", "RDS::DBCluster", {"Engine": "aurora-mysql"}),
    _new(
        "database's data into a lake",
        "RDS::Integration",
        {
            "SourceArn": "arn:aws:rds:eu-central-1:333333333333:db:large-mysql-jobs",
            "TargetArn": "arn:aws:redshift-serverless:eu-central-1:999999999999:namespace/a",
        },
    ),
    _new(
        "options of the server",
        "RDS::OptionGroup",
        {
            "EngineName": "mysql",
            "MajorEngineVersion": "8.4",
            "OptionGroupDescription": "a",
            "OptionConfigurations": [{"OptionName": "MEMCACHED"}],
        },
    ),
    _new(
        "another proxy, without TLS",
        "RDS::DBProxy",
        {
            "DBProxyName": "a",
            "EngineFamily": "MYSQL",
            "RequireTLS": False,
            "RoleArn": "arn:aws:iam::333333333333:role/a",
            "VpcSubnetIds": [],
        },
    ),
    _new(
        "snapshot shared",
        "Custom::AWS",
        {
            "ServiceToken": "arn:aws:lambda:eu-central-1:333333333333:function:a",
            "Create": SHARE,
        },
    ),
    _new(
        "custom resource of a topic elsewhere",
        "CloudFormation::CustomResource",
        {"ServiceToken": "arn:aws:sns:eu-central-1:999999999999:a"},
    ),
    _new("nested stack", "CloudFormation::Stack", {"TemplateURL": "https://s3.amazonaws.com/a/b.json"}),
    _new(
        "stacks in other accounts", "CloudFormation::StackSet", {"StackSetName": "a", "PermissionModel": "SELF_MANAGED"}
    ),
    _new(
        "macro",
        "CloudFormation::Macro",
        {"Name": "a", "FunctionName": "arn:aws:lambda:eu-central-1:333333333333:function:a"},
    ),
    _new("bucket for everybody", "S3::Bucket", {"PublicAccessBlockConfiguration": {"BlockPublicAcls": False}}),
    _new("bucket", "S3::Bucket", {}),
    _new(
        "bucket's policy for everybody",
        "S3::BucketPolicy",
        {
            "Bucket": "a",
            "PolicyDocument": {
                "Statement": [
                    {"Effect": "Allow", "Action": "s3:GetObject", "Principal": "*", "Resource": "arn:aws:s3:::a/*"}
                ]
            },
        },
        ACCESS | UNCLASSIFIED,
    ),
    _new("point of access to a bucket", "S3::AccessPoint", {"Bucket": "a"}),
    _new("parameter of the account", "SSM::Parameter", {"Type": "String", "Value": "a"}),
    _new(
        "document for machines",
        "SSM::Document",
        {"Content": {"schemaVersion": "0.3", "mainSteps": []}, "DocumentType": "Automation"},
    ),
    _new("door to the web", "ApiGatewayV2::Api", {"Name": "a", "ProtocolType": "HTTP"}),
    _new("own name on the web", "ApiGateway::DomainName", {"DomainName": "jobs.example.com"}),
    _new("users of the web", "Cognito::IdentityPool", {"AllowUnauthenticatedIdentities": True}),
    _new(
        "rotation of the secret by somebody",
        "SecretsManager::RotationSchedule",
        {"SecretId": "a", "RotationLambdaARN": "arn:aws:lambda:eu-central-1:999999999999:function:a"},
    ),
    _new("another secret", "SecretsManager::Secret", {"SecretString": "a"}),
    _new(
        "steps",
        "StepFunctions::StateMachine",
        {"RoleArn": "arn:aws:iam::333333333333:role/a", "DefinitionString": "{}"},
    ),
    _new(
        "a pipe out of the queue",
        "Pipes::Pipe",
        {
            "Source": "arn:aws:sqs:eu-central-1:333333333333:large-pulse-dead-letters",
            "Target": "arn:aws:sqs:eu-central-1:999999999999:a",
            "RoleArn": "arn:aws:iam::333333333333:role/a",
        },
    ),
    _new("migration of the database's data", "DMS::Endpoint", {"EndpointType": "target", "EngineName": "s3"}),
    _new(
        "somebody more is told",
        "SNS::Subscription",
        {
            "TopicArn": Reference("SNS::Topic", "Alarms/Topic"),
            "Protocol": "https",
            "Endpoint": "https://elsewhere.example.com",
        },
        ANY,
        "Topic",
    ),
    _new("a type that is made up", "Made::Up", {"Anything": "at all"}, UNCLASSIFIED | ACCESS),
    asked(
        "large",
        "a property that nobody knows",
        put("SQS::Queue", "Job-pulse/DeadLetters", "RedriveAllowPolicy", {"redrivePermission": "allowAll"}),
        ANY,
        "DeadLetters",
    ),
    asked(
        "large",
        "dead letters end with whom they came from",
        put(
            "SQS::Queue",
            "Job-pulse/DeadLetters",
            "RedrivePolicy",
            {"deadLetterTargetArn": "arn:aws:sqs:eu-central-1:999999999999:a", "maxReceiveCount": 1},
        ),
        ANY,
        "DeadLetters",
    ),
    # Where the templates have nothing of the kind, something is added to them before
    *given(
        under_condition(INSTANCE, DATABASE, {"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-central-1"]}),
        asked(
            "large",
            "condition of the database flipped",
            section("Database", "Conditions", {"Sometimes": NEVER}),
            ANY,
            "Database",
        ),
        asked(
            "large",
            "another condition of the database",
            several(
                section("Database", "Conditions", {"Other": NEVER}), attribute(INSTANCE, DATABASE, "Condition", "Other")
            ),
            ANY,
            "Database",
        ),
    ),
    *given(
        several(
            section("Database", "Parameters", {"Days": {"Type": "Number", "Default": 30}}),
            put(INSTANCE, DATABASE, "BackupRetentionPeriod", {"Ref": "Days"}),
        ),
        asked(
            "large",
            "default of a parameter changed",
            section("Database", "Parameters", {"Days": {"Type": "Number", "Default": 1}}),
            ANY,
            "Database",
        ),
        asked(
            "large",
            "type and default of a parameter changed",
            section("Database", "Parameters", {"Days": {"Type": "String", "Default": "1"}}),
            ANY,
            "Database",
        ),
    ),
    *given(
        several(
            section("Database", "Mappings", {"By": {"eu-central-1": {"Protected": True}}}),
            put(
                INSTANCE, DATABASE, "DeletionProtection", {"Fn::FindInMap": ["By", {"Ref": "AWS::Region"}, "Protected"]}
            ),
        ),
        asked(
            "large",
            "value of a mapping changed",
            section("Database", "Mappings", {"By": {"eu-central-1": {"Protected": False}}}),
            ANY,
            "Database",
        ),
    ),
    *given(
        section("Database", "Outputs", {"Host": {"Value": "a", "Export": {"Name": "database-host"}}}),
        asked(
            "large",
            "name of an export changed",
            section("Database", "Outputs", {"Host": {"Value": "a", "Export": {"Name": "other"}}}),
            ANY,
            "Database",
        ),
        asked("large", "export removed", output("Database", "Host", None), ANY, "Database"),
        asked(
            "large",
            "value of an export changed",
            section("Database", "Outputs", {"Host": {"Value": "b", "Export": {"Name": "database-host"}}}),
            ANY,
            "Database",
        ),
    ),
    *given(
        section("Jobs", "Transform", ["AWS::LanguageExtensions"]),
        asked(
            "large",
            "another macro, too",
            section("Jobs", "Transform", ["AWS::LanguageExtensions", "Other"]),
            ANY,
            "Jobs",
        ),
    ),
    *given(
        add(
            "Database",
            "Bucket",
            "S3::Bucket",
            {
                "PublicAccessBlockConfiguration": {"BlockPublicPolicy": True},
                "VersioningConfiguration": {"Status": "Enabled"},
            },
        ),
        asked(
            "large",
            "bucket no longer closed",
            put("S3::Bucket", "Bucket", "PublicAccessBlockConfiguration", {"BlockPublicPolicy": False}),
            ANY,
            "Bucket",
        ),
        asked(
            "large",
            "bucket without versions",
            put("S3::Bucket", "Bucket", "VersioningConfiguration", {"Status": "Suspended"}),
            ANY,
            "Bucket",
        ),
    ),
    *given(
        add("Jobs", "Unknown", "Made::Up", {"Anything": "at all"}),
        asked(
            "large", "a type that is made up changed", put("Made::Up", "Unknown", "Anything", "else"), ANY, "Unknown"
        ),
    ),
]
