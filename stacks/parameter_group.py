"""The server's settings. Whoever reads one wants to know why: each says it."""

from aws_cdk import aws_rds as rds
from constructs import Construct

PARAMETERS = {
    # Nobody reads or forges what travels. "1": scanners take "ON" for off.
    "require_secure_transport": "1",
    # Sessions of runs state limits of their own; these are for whoever connects without them.
    "wait_timeout": "300",  # default 8 h: what a client that vanished holds until then
    "interactive_timeout": "1800",  # the same for a person's client: a forgotten transaction blocks the jobs
    "innodb_lock_wait_timeout": "20",  # default 50 s
    "lock_wait_timeout": "60",  # metadata locks; default a year
    # A connection that is cut during its handshake counts here; at 100, the default, the host would be locked out.
    "max_connect_errors": "1000000",
    # What to look at afterwards. Into files, as RDS exports no tables:
    # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_LogAccess.MySQLDB.PublishtoCloudWatchLogs.html
    "log_output": "FILE",
    "slow_query_log": "1",
    "long_query_time": "1",  # seconds; default 10
    "innodb_print_all_deadlocks": "1",  # into the error log; by default only the last one can be seen
}


def parameter_group(scope: Construct, construct_id: str, *, engine: rds.IInstanceEngine) -> rds.ParameterGroup:
    """A parameter group with `PARAMETERS`."""
    return rds.ParameterGroup(
        scope, construct_id, engine=engine, description="Limits of the server", parameters=PARAMETERS
    )
