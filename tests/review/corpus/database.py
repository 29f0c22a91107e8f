"""The database, its data, its parameters and its proxy."""

from typing import Any

from tests.review.corpus.case import (
    ACCESS,
    ANY,
    DATA,
    PROTECTION,
    REFUSED,
    Case,
    add,
    asked,
    attribute,
    change,
    drop,
    put,
    rename,
    several,
    unprotect,
    without,
)

INSTANCE, PARAMETERS, PROXY = "RDS::DBInstance", "RDS::DBParameterGroup", "RDS::DBProxy"
TARGETS, SECRET, SUBNETS = "RDS::DBProxyTargetGroup", "SecretsManager::Secret", "RDS::DBSubnetGroup"
DATABASE = "Database/Instance"
GUARD = PROTECTION | {"unclassified"}
FOREIGN_KEY = "arn:aws:kms:eu-central-1:999999999999:key/of-others"


def _instance(name: str, place: str, value: Any, kinds: frozenset[str], *, base: str = "large") -> Case:
    return asked(base, name, put(INSTANCE, DATABASE, place, value), kinds, DATABASE)


def _parameter(name: str, value: str) -> Case:
    place = f"Parameters.{name}"
    return asked("large", f"{name} = {value}", put(PARAMETERS, "Parameters", place, value), GUARD, "Parameters")


def _no_parameter(name: str) -> Case:
    edit = without(PARAMETERS, "Parameters", f"Parameters.{name}")
    return asked("large", f"{name} unsaid", edit, GUARD, "Parameters")


CASES: list[Case] = [
    # Its data
    asked("large", "database removed", drop(INSTANCE, DATABASE), DATA, DATABASE),
    asked("large", "database of another logical id", rename(INSTANCE, DATABASE, "Other"), DATA | REFUSED, "Database"),
    _instance("database of another name", "DBInstanceIdentifier", "large-other", DATA),
    _instance("another schema", "DBName", "work", DATA | REFUSED),
    _instance("another master user", "MasterUsername", "root", DATA | REFUSED),
    _instance("another engine", "Engine", "mariadb", DATA | REFUSED),
    _instance("from a snapshot", "DBSnapshotIdentifier", "before", DATA | REFUSED),
    _instance("another key of the disks", "KmsKeyId", FOREIGN_KEY, DATA | REFUSED),
    _instance("disks not encrypted", "StorageEncrypted", False, DATA | PROTECTION | REFUSED),
    asked(
        "proxied", "disks under the default key", without(INSTANCE, DATABASE, "KmsKeyId"), DATA | GUARD | REFUSED, "Dat"
    ),
    _instance("read replica of another", "SourceDBInstanceIdentifier", "another", DATA | REFUSED),
    # Major versions can't go back, and a new one changes how statements are understood.
    _instance("the next major version", "EngineVersion", "9.0", ANY),
    _instance("the version before", "EngineVersion", "8.0", ANY),
    _instance("a minor version back", "EngineVersion", "8.4.3", ANY),
    _instance("storage smaller", "AllocatedStorage", "50", REFUSED),
    _instance("storage larger by less than a tenth", "AllocatedStorage", "105", REFUSED),
    _instance("growth ends sooner", "MaxAllocatedStorage", 110, GUARD),
    asked("large", "storage does not grow", without(INSTANCE, DATABASE, "MaxAllocatedStorage"), GUARD, DATABASE),
    _instance("magnetic storage", "StorageType", "standard", ANY),
    _instance("fewer operations of the disks", "Iops", 3000, ANY, base="proxied"),
    _instance("slower disks", "StorageThroughput", 125, ANY, base="proxied"),
    _instance("a smaller class", "DBInstanceClass", "db.t4g.micro", ANY),
    # Its backups
    _instance("fewer backups", "BackupRetentionPeriod", 1, DATA | PROTECTION),
    _instance("no backups", "BackupRetentionPeriod", 0, DATA | PROTECTION),
    asked("large", "backups unsaid", without(INSTANCE, DATABASE, "BackupRetentionPeriod"), DATA | PROTECTION, DATABASE),
    _instance("fewer backups, as text", "BackupRetentionPeriod", "7", DATA | PROTECTION),
    _instance("backups end with it", "DeleteAutomatedBackups", True, DATA | PROTECTION),
    asked("large", "backups end with it, unsaid", without(INSTANCE, DATABASE, "DeleteAutomatedBackups"), ANY, DATABASE),
    asked(
        "proxied",
        "no copies of the backups",
        several(
            without(INSTANCE, DATABASE, "AutomaticBackupReplicationRegion"),
            without(INSTANCE, DATABASE, "AutomaticBackupReplicationKmsKeyId"),
        ),
        DATA | PROTECTION,
        DATABASE,
    ),
    _instance("copies of the backups elsewhere", "AutomaticBackupReplicationRegion", "us-east-2", ANY, base="proxied"),
    _instance(
        "copies of the backups under another key",
        "AutomaticBackupReplicationKmsKeyId",
        FOREIGN_KEY,
        ANY,
        base="proxied",
    ),
    # Doubtful, and asked: what finds, bills or guards snapshots does so by their tags.
    _instance("snapshots without its tags", "CopyTagsToSnapshot", False, ANY),
    # Its deletion
    _instance("deletion not protected", "DeletionProtection", False, PROTECTION),
    asked("large", "deletion protection unsaid", without(INSTANCE, DATABASE, "DeletionProtection"), PROTECTION, "Data"),
    asked("large", "deleted for good", attribute(INSTANCE, DATABASE, "DeletionPolicy", "Delete"), PROTECTION, DATABASE),
    asked(
        "large",
        "replaced for good",
        attribute(INSTANCE, DATABASE, "UpdateReplacePolicy", "Delete"),
        PROTECTION,
        DATABASE,
    ),
    asked("large", "database's stack not protected", unprotect("Database"), PROTECTION, "Database"),
    asked("large-delivery", "roles' stack not protected", unprotect("Roles"), PROTECTION, "Roles"),
    # What keeps it up, and what shows how it is
    _instance("one zone", "MultiAZ", False, PROTECTION),
    asked("large", "zones unsaid", without(INSTANCE, DATABASE, "MultiAZ"), PROTECTION, DATABASE),
    _instance("no minor versions", "AutoMinorVersionUpgrade", False, GUARD),
    _instance("monitoring off", "MonitoringInterval", 0, GUARD),
    _instance("monitoring once a minute", "MonitoringInterval", 60, ANY, base="proxied"),
    _instance("insights off", "EnablePerformanceInsights", False, GUARD),
    _instance("less insight", "DatabaseInsightsMode", "standard", GUARD, base="proxied"),
    _instance("insights kept for a week", "PerformanceInsightsRetentionPeriod", 7, DATA | GUARD, base="proxied"),
    _instance("insights under another key", "PerformanceInsightsKMSKeyId", FOREIGN_KEY, ANY, base="proxied"),
    _instance("no logs", "EnableCloudwatchLogsExports", [], PROTECTION),
    _instance("a log fewer", "EnableCloudwatchLogsExports", ["error", "slowquery"], PROTECTION),
    asked("large", "logs unsaid", without(INSTANCE, DATABASE, "EnableCloudwatchLogsExports"), PROTECTION, DATABASE),
    # Costs more each month, and may upgrade on its own.
    _instance("extended support", "EngineLifecycleSupport", "open-source-rds-extended-support", ANY),
    # Doubtful, and asked: at noon, somebody waits for it.
    _instance("a window of backups by day", "PreferredBackupWindow", "12:00-12:30", ANY),
    _instance("a window of maintenance by day", "PreferredMaintenanceWindow", "mon:12:00-mon:12:30", ANY),
    # Who gets in
    _instance("a public address", "PubliclyAccessible", True, ACCESS | PROTECTION),
    _instance("no IAM login", "EnableIAMDatabaseAuthentication", False, PROTECTION),
    asked("large", "IAM login unsaid", without(INSTANCE, DATABASE, "EnableIAMDatabaseAuthentication"), PROTECTION, "D"),
    # Doubtful, and asked: clients that trust one authority alone no longer connect.
    _instance("another certificate authority", "CACertificateIdentifier", "rds-ca-ecc384-g1", ANY),
    _instance("another port", "Port", "3307", ANY),
    asked(
        "large",
        "security group of others, too",
        change(INSTANCE, DATABASE, "VPCSecurityGroups", lambda old: [*old, "sg-0123456789abcdef0"]),
        ANY,
        DATABASE,
        "sg-0123456789abcdef0",
    ),
    asked(
        "large",
        "password in the template",
        several(
            without(INSTANCE, DATABASE, "ManageMasterUserPassword"),
            put(INSTANCE, DATABASE, "MasterUserPassword", "a-password-1"),
        ),
        PROTECTION,
        DATABASE,
    ),
    _instance("master's secret under another key", "MasterUserSecret.KmsKeyId", FOREIGN_KEY, ANY, base="proxied"),
    asked(
        "proxied",
        "master's secret under the default key",
        without(INSTANCE, DATABASE, "MasterUserSecret"),
        ANY,
        DATABASE,
    ),
    _instance("a directory's users", "Domain", "d-1234567890", ANY),
    _instance("HTTP endpoint", "EnableHttpEndpoint", True, ANY),
    _instance(
        "may write into a bucket",
        "AssociatedRoles",
        [{"FeatureName": "S3_INTEGRATION", "RoleArn": "arn:aws:iam::333333333333:role/export"}],
        ANY,
    ),
    _instance("another option group", "OptionGroupName", "with-memcached", ANY),
    _instance("another parameter group", "DBParameterGroupName", "default.mysql8.4", ANY),
    asked("large", "parameter group unsaid", without(INSTANCE, DATABASE, "DBParameterGroupName"), ANY, DATABASE),
    asked(
        "large",
        "a zone fewer under the database",
        change(SUBNETS, "SubnetGroup", "SubnetIds", lambda old: old[:2]),
        REFUSED | GUARD,
        "SubnetGroup",
        DATABASE,
    ),
    asked(
        "large",
        "subnets of another network",
        put(SUBNETS, "SubnetGroup", "SubnetIds", ["subnet-0a", "subnet-0b"]),
        ANY,
        "SubnetGroup",
        DATABASE,
    ),
    asked("large", "subnet group of another name", put(SUBNETS, "SubnetGroup", "DBSubnetGroupName", "other"), ANY, "D"),
    asked(
        "large",
        "parameters of another family",
        put(PARAMETERS, "Parameters", "Family", "mysql8.0"),
        ANY,
        "Parameters",
        DATABASE,
    ),
    # The parameters that guard
    _parameter("require_secure_transport", "0"),
    _parameter("require_secure_transport", "OFF"),
    _no_parameter("require_secure_transport"),
    _parameter("tls_version", "TLSv1.2"),
    _parameter("wait_timeout", "31536000"),
    _no_parameter("wait_timeout"),
    _no_parameter("innodb_lock_wait_timeout"),
    _parameter("lock_wait_timeout", "31536000"),
    _parameter("interactive_timeout", "86400"),
    _parameter("sql_mode", ""),
    _parameter("innodb_flush_log_at_trx_commit", "0"),
    _parameter("sync_binlog", "0"),
    _parameter("init_connect", "SET foreign_key_checks = 0"),
    _parameter("local_infile", "1"),
    _parameter("log_bin_trust_function_creators", "1"),
    _parameter("event_scheduler", "ON"),
    _parameter("slow_query_log", "0"),
    _parameter("long_query_time", "3600"),
    _parameter("log_output", "NONE"),
    _parameter("general_log", "1"),
    _parameter("innodb_print_all_deadlocks", "0"),
    # The proxy
    asked("proxied", "proxy removed", drop(PROXY, "Proxy/Proxy"), ANY, "Proxy"),
    asked("proxied", "proxy without TLS", put(PROXY, "Proxy/Proxy", "RequireTLS", False), PROTECTION, "Proxy/Proxy"),
    asked("proxied", "proxy's TLS unsaid", without(PROXY, "Proxy/Proxy", "RequireTLS"), PROTECTION, "Proxy/Proxy"),
    asked("proxied", "proxy logs statements", put(PROXY, "Proxy/Proxy", "DebugLogging", True), ANY, "Proxy/Proxy"),
    asked("proxied", "proxy without IAM", put(PROXY, "Proxy/Proxy", "DefaultAuthScheme", "NONE"), ANY, "Proxy/Proxy"),
    asked(
        "proxied",
        "proxy opens with another secret",
        put(
            PROXY,
            "Proxy/Proxy",
            "Auth",
            [
                {
                    "AuthScheme": "SECRETS",
                    "IAMAuth": "DISABLED",
                    "SecretArn": "arn:aws:secretsmanager:us-east-1:333333333333:secret:admin",
                }
            ],
        ),
        ANY,
        "Proxy/Proxy",
    ),
    asked(
        "proxied",
        "proxy with another role",
        put(PROXY, "Proxy/Proxy", "RoleArn", "arn:aws:iam::333333333333:role/admin"),
        ANY,
        "Proxy/Proxy",
    ),
    asked(
        "proxied",
        "proxy's idle clients stay for hours",
        put(PROXY, "Proxy/Proxy", "IdleClientTimeout", 28800),
        GUARD,
        "Proxy/Proxy",
    ),
    asked(
        "proxied",
        "proxy to another database",
        put(TARGETS, "ProxyTargetGroup", "DBInstanceIdentifiers", ["another-database"]),
        ANY,
        "ProxyTargetGroup",
    ),
    asked(
        "proxied",
        "proxy's sessions without limits",
        without(TARGETS, "ProxyTargetGroup", "ConnectionPoolConfigurationInfo.InitQuery"),
        GUARD,
        "ProxyTargetGroup",
    ),
    asked(
        "proxied",
        "proxy takes every connection",
        put(TARGETS, "ProxyTargetGroup", "ConnectionPoolConfigurationInfo.MaxConnectionsPercent", 100),
        GUARD,
        "ProxyTargetGroup",
    ),
    asked(
        "proxied",
        "proxy never pins",
        put(
            TARGETS,
            "ProxyTargetGroup",
            "ConnectionPoolConfigurationInfo.SessionPinningFilters",
            ["EXCLUDE_VARIABLE_SETS"],
        ),
        GUARD,
        "ProxyTargetGroup",
    ),
    asked(
        "proxied",
        "another endpoint of the proxy, in another network",
        add(
            "Jobs",
            "Endpoint",
            "RDS::DBProxyEndpoint",
            {
                "DBProxyEndpointName": "other",
                "DBProxyName": "proxied-mysql-jobs",
                "VpcSubnetIds": ["subnet-0a", "subnet-0b"],
            },
        ),
        ANY,
        "Jobs/Endpoint",
    ),
    # The secret of those who cannot use IAM
    asked("local", "secret removed", drop(SECRET, "JobsSecret"), DATA, "JobsSecret"),
    asked("local", "secret of another name", put(SECRET, "JobsSecret", "Name", "other"), ANY, "JobsSecret"),
    asked("local", "secret under another key", put(SECRET, "JobsSecret", "KmsKeyId", FOREIGN_KEY), ANY, "JobsSecret"),
    asked(
        "local",
        "shorter password",
        put(SECRET, "JobsSecret", "GenerateSecretString.PasswordLength", 8),
        ANY,
        "JobsSecret",
    ),
    asked(
        "local",
        "password in the template of the secret",
        several(
            without(SECRET, "JobsSecret", "GenerateSecretString"),
            put(SECRET, "JobsSecret", "SecretString", '{"username": "jobs", "password": "a"}'),
        ),
        ANY,
        "JobsSecret",
    ),
    asked(
        "local",
        "secret in another region, too",
        put(SECRET, "JobsSecret", "ReplicaRegions", [{"Region": "us-east-1"}]),
        ANY,
        "JobsSecret",
    ),
]
