"""The server's parameters, each with its reason."""

from aws_cdk import aws_rds as rds
from constructs import Construct

PARAMETERS = {
    # Connections without TLS are refused. "1": scanners take "ON" for off.
    "require_secure_transport": "1",
    # Runs set limits for their own sessions; these are for other clients.
    "wait_timeout": "300",  # default 8 h: until then, a client that vanished keeps its locks
    "interactive_timeout": "1800",  # the same for an interactive client: a forgotten transaction blocks the jobs
    "innodb_lock_wait_timeout": "20",  # default 50 s
    "lock_wait_timeout": "60",  # metadata locks; default a year
    # Counts connections that are cut during the handshake; at 100, the default, the server refuses the host.
    "max_connect_errors": "1000000",
    # For troubleshooting. Into files, as RDS exports no tables:
    # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_LogAccess.MySQLDB.PublishtoCloudWatchLogs.html
    "log_output": "FILE",
    "slow_query_log": "1",
    "long_query_time": "1",  # seconds; default 10
    "innodb_print_all_deadlocks": "1",  # into the error log; by default only the last one can be seen
}


def parameter_group(scope: Construct, construct_id: str, *, engine: rds.IInstanceEngine) -> rds.ParameterGroup:
    """Add a parameter group with `PARAMETERS`."""
    return rds.ParameterGroup(
        scope, construct_id, engine=engine, description="Limits of the server", parameters=PARAMETERS
    )
