"""Checks across the values of an environment: what must fit together."""

import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from ipaddress import IPv4Network
from typing import Any

from settings.connection_budget import connection_budget
from settings.environment import (
    LEAST_BACKUP_DAYS,
    AdoptedDatabaseSettings,
    AlarmSettings,
    DatabaseSettings,
    EnvironmentSettings,
    JobSettings,
    NetworkSettings,
    ProxySettings,
    Risk,
)
from settings.instance_class import read_instance_class
from settings.names import MIGRATE, WATCH
from settings.own_variables import MOST_BYTES, OTHERS_BYTES, measured
from settings.rights import characters, rights, together
from settings.schedule import EPOCH, next_times
from settings.spelling import as_key, as_written
from settings.storage import least_growth
from settings.values import region_of
from settings.windows import daily_window, weekly_window

MARGIN_SECONDS = 2
"""A run's deadline is its timeout less this: MARGIN_SECONDS in lambda/mysql_jobs/deadline.py."""

GP3_STEP_GB = 400
"""From this size on, gp3 is faster, and its speed can be set."""
GP3_IOPS = 12_000
"""The speed of gp3 from GP3_STEP_GB on, unless the file says otherwise."""

MOST_SECRETS = 400
"""The jobs whose logins are secrets: those are in the Database stack, which has 500 resources at most."""
MOST_SECRETS_OF_A_PROXY = 150
"""RDS Proxy takes 200, and each is an output of the Database stack, of which there may be 200, too.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy.html#rds-proxy.limitations"""

SOME = 20
"""How many jobs a message names."""

RULES = 60
"""The most that let somebody into one security group, unless the account has a higher quota.
https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups"""
OWN_RULES = 2
"""Those that let in the migrations, and the jobs or their proxy."""
CLIENTS = (RULES - OWN_RULES) // 2
"""Half of what is left: with another port, the new rules are made before the old ones are deleted."""

SUBNETS = (26, 27, 28)
"""The sizes of a zone's subnets with egress = "nat": isolated, with egress, public. stacks/network/network.py"""
MOST_OF_A_ROLE = 10_000 - 2_000
"""Characters of a role's policy, but for what the engine's own statements take. A longer one the CDK would cut into
managed policies, which docs/execution-policy.json has no rights for.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
MOST_OF_AN_ENDPOINT = 20_480 - 1_000
"""Of an endpoint's policy, but for what the migrations read by that of Secrets Manager.
https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-limits-endpoints.html"""
WAYS = 4
"""A network interface takes five security groups, unless the account has a higher quota, and one is that of all jobs.
https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups"""

TAGS = 45
"""The most tags of one's own: AWS allows 50 per resource, and this project and the CDK set 5 on a subnet."""
TAG_CHARACTERS = "letters, digits, spaces and _.:/=+-@, not aws: in front"

TAKEN = {MIGRATE: "the migrations", WATCH: "what watches the jobs"}
"""Names that no job can have, by whose function has it."""

Check = Callable[..., Iterator[str]]


def provider_mistakes(environments: Iterable[EnvironmentSettings]) -> Iterator[str]:
    """The environments that would make a second identity provider in their account, and what to write instead."""
    makers: dict[str, str] = {}
    for each in environments:
        if each.delivery is None or not each.delivery.provider:
            continue
        first = makers.setdefault(each.account, each.name)
        if first != each.name:
            yield (
                f"environments/{each.name}.toml: delivery.provider = true: {first} makes GitHub's identity provider in "
                f"account {each.account}, and an account can have one: write false"
            )


def mistakes(sections: Mapping[str, Any], each_job: Mapping[str, JobSettings]) -> Iterator[str]:
    """Every mistake across the values of an environment: its keys, the reason, and what to write.

    `sections` are the valid fields of `EnvironmentSettings`, `each_job` the valid entries in [[jobs]], by their key.
    A check gets those that its parameters name, and is left out while one of them is invalid, and where it is about a
    database of the other kind: one that is made, or one that is there.

    Raises:
        TypeError: a check has a parameter that is no field: a mistake in this module.
    """
    known = {**sections, "each_job": each_job}
    for check in CHECKS:
        needed = inspect.signature(check).parameters
        if unknown := needed.keys() - {*EnvironmentSettings.model_fields, "each_job"}:
            raise TypeError(f"{check.__name__} has the parameters {', '.join(sorted(unknown))}, which are no settings")
        if needed.keys() <= known.keys() and _is_about(needed, known.get("database")):
            yield from check(**{name: known[name] for name in needed})


def _is_about(parameters: Mapping[str, inspect.Parameter], database: object) -> bool:
    return "database" not in parameters or isinstance(database, parameters["database"].annotation)


def _network_is_made_or_found(network: NetworkSettings) -> Iterator[str]:
    stated = [key for key, value in (("cidr", network.cidr), ("zones", network.zones)) if value]
    if network.vpc_id is not None and stated:
        yield f"network: vpc_id names an existing VPC, {' and '.join(stated)} a new one: remove one or the other"
    elif network.vpc_id is None and len(stated) < 2:
        missing = " and ".join(key for key in ("cidr", "zones") if key not in stated)
        yield (
            f"network: {missing} missing: "
            'write cidr = "10.0.0.0/20" and zones = ["a", "b"] for a new VPC, or vpc_id of an existing one'
        )


def _existing_database_has_a_network(database: AdoptedDatabaseSettings, network: NetworkSettings) -> Iterator[str]:
    if network.vpc_id is None and network.cidr is not None:
        yield (
            f"network.cidr: {database.existing.identifier} is in a network that is there: write the vpc_id of that "
            "instead of cidr and zones"
        )


def _existing_database_is_one(region: str, database: AdoptedDatabaseSettings) -> Iterator[str]:
    existing = database.existing
    where = "database.existing"
    arns = {"login": existing.login, "login_key": existing.login_key}
    for key, arn in arns.items():
        if arn is not None and region_of(arn) != region:
            yield f"{where}.{key} is in {region_of(arn)}: write the ARN of one in {region}"
    if f".{region}." not in existing.endpoint:
        yield f"{where}.endpoint = {as_written(existing.endpoint)}: it is not in {region}: write one of that region"
    kind = "cluster" if existing.engine == "aurora-mysql" else "db"
    if not existing.resource_id.startswith(f"{kind}-"):
        yield (
            f"{where}.resource_id = {as_written(existing.resource_id)}: the engine is {existing.engine}: write "
            f"{kind}-…, the {'cluster' if kind == 'cluster' else 'instance'}'s"
        )
    # A cluster also has endpoints for readers, cluster-ro-…, and of one's own, cluster-custom-….
    # https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Overview.Endpoints.html
    of = re.search(r"\.cluster-(?:(ro|custom)-)?", existing.endpoint)
    if (kind == "cluster") != (of is not None and of[1] is None):
        write = "the cluster's writer endpoint, <name>.cluster-…" if kind == "cluster" else "the instance's endpoint"
        yield f"{where}.endpoint = {as_written(existing.endpoint)}: the engine is {existing.engine}: write {write}"


def _made_database_is_watched(database: DatabaseSettings, alarms: AlarmSettings) -> Iterator[str]:
    if alarms.database:
        yield "alarms.database = true: a database that is made always has alarms: remove it"


def _risks_are_ours(database: AdoptedDatabaseSettings, accept_risk: Sequence[Risk]) -> Iterator[str]:
    for risk in accept_risk:
        yield f"accept_risk: {risk} is not ours to take, as {database.existing.identifier} is others': remove it"


def _zones_differ(network: NetworkSettings) -> Iterator[str]:
    if twice := _repeated(network.zones):
        yield f"network.zones names {twice} more than once: name different zones, as RDS needs two"


def _secrets_manager_is_reached(network: NetworkSettings) -> Iterator[str]:
    if not network.secrets_endpoint and network.vpc_id is None:
        yield (
            "network.secrets_endpoint = false: a new VPC has no other way to Secrets Manager, and the migrations need "
            "one: remove it"
        )


def _egress_is_our_own(network: NetworkSettings) -> Iterator[str]:
    if network.egress == "nat" and network.vpc_id is not None:
        yield (
            'network.egress = "nat": an existing VPC has the ways out that it has: remove it; jobs that use the '
            "internet are in its private subnets with egress"
        )


def _egress_has_room(network: NetworkSettings) -> Iterator[str]:
    if network.egress == "none" or network.cidr is None:
        return
    needed = len(network.zones) * sum(2 ** (32 - mask) for mask in SUBNETS)
    vpc = IPv4Network(network.cidr)
    if needed > vpc.num_addresses:
        yield (
            f'network.egress = "nat": the subnets in {len(network.zones)} zones need {needed} addresses, and {vpc} has '
            f"{vpc.num_addresses}: write a larger cidr, which makes another network, or name fewer zones"
        )


def _internet_is_reached(network: NetworkSettings, each_job: Mapping[str, JobSettings]) -> Iterator[str]:
    if network.vpc_id is not None or network.egress != "none":
        return
    for key, job in each_job.items():
        if job.uses.internet:
            where = ", ".join(job.uses.destinations)
            yield (
                f'{key}: {job.name} uses {where}, and this network has no way out: write egress = "nat" in [network], '
                "about 40 USD a month"
            )


def _ways_fit(each_job: Mapping[str, JobSettings]) -> Iterator[str]:
    for key, job in each_job.items():
        if len(ways := sorted(job.uses.ways)) > WAYS:
            yield (
                f"{key}: {job.name} uses {len(ways)} ways out of the network ({', '.join(ways)}), each is a security "
                f"group, and its function takes {WAYS} beside that of all jobs: split the job"
            )


def _role_policies_fit(account: str, region: str, each_job: Mapping[str, JobSettings]) -> Iterator[str]:
    for key, job in each_job.items():
        stated = rights(job.uses, account=account, region=region)
        if (length := sum(characters(some) for some in stated.values())) > MOST_OF_A_ROLE:
            yield (
                f"{key}: what {job.name} uses makes a policy of {length:,} characters, and its role has room for "
                f"{MOST_OF_A_ROLE:,}: state what they have in common, like a folder with * at its end, or split the job"
            )


def _endpoint_policies_fit(
    account: str, region: str, network: NetworkSettings, each_job: Mapping[str, JobSettings]
) -> Iterator[str]:
    if network.vpc_id is not None:  # no endpoint is made there
        return
    all_uses = [job.uses for job in each_job.values()]
    for endpoint, some in together(all_uses, account=account, region=region).items():
        if endpoint and (length := characters(some)) > MOST_OF_AN_ENDPOINT:
            yield (
                f"jobs: what they use of {endpoint} makes a policy of {length:,} characters, and its endpoint takes "
                f"{MOST_OF_AN_ENDPOINT:,}: state what many of them have in common, like a folder with * at its end"
            )


def _clients_are_named(database: DatabaseSettings) -> Iterator[str]:
    for number, client in enumerate(database.clients):
        kinds = {"security_group": client.security_group, "prefix_list": client.prefix_list, "cidr": client.cidr}
        stated = [kind for kind, value in kinds.items() if value is not None]
        if len(stated) != 1:
            there = f"{' and '.join(stated)} are" if stated else "nobody is"
            yield f"database.clients[{number}]: {there} named: write one of {', '.join(kinds)}"


def _clients_differ(database: DatabaseSettings) -> Iterator[str]:
    if twice := _repeated([client.peer for client in database.clients if client.peer is not None]):
        yield f"database.clients has more than one entry for {twice}, and EC2 refuses the same rule again: keep one"


def _clients_have_rules(database: DatabaseSettings) -> Iterator[str]:
    if len(database.clients) > CLIENTS:
        yield (
            f"database.clients: there are {len(database.clients)}: write {CLIENTS} at most, as a security group has "
            f"{RULES} rules, and for another port both are there for a while; a prefix list can name many networks"
        )


def _clients_of_the_vpc_have_a_group(network: NetworkSettings, database: DatabaseSettings) -> Iterator[str]:
    if network.cidr is None:
        return
    vpc = IPv4Network(network.cidr)
    for number, client in enumerate(database.clients):
        if client.cidr is not None and IPv4Network(client.cidr).overlaps(vpc):
            yield (
                f"database.clients[{number}].cidr = {as_written(client.cidr)}: overlaps network.cidr, {vpc}, where "
                "everything has a security group: write security_group, or the rest of this network"
            )


def _windows_do_not_meet(database: DatabaseSettings) -> Iterator[str]:
    windows = {"backup_window": database.backup_window, "maintenance_window": database.maintenance_window}
    if database.backup_window is not None and database.maintenance_window is not None:
        if daily_window(database.backup_window).meets(weekly_window(database.maintenance_window)):
            yield (
                f"database: backup_window, {database.backup_window} every day, and maintenance_window, "
                f"{database.maintenance_window}, meet, which RDS refuses: write windows that don't"
            )
        return
    for missing in (key for key, value in windows.items() if value is None and any(windows.values())):
        # RDS has chosen it, at random: the one that is stated may meet it, and the deploy would fail.
        yield f"database: {missing} missing: the windows may not meet: write both, or none"


def _backups_are_copied_far(region: str, database: DatabaseSettings) -> Iterator[str]:
    if database.backup_copy_region == region:
        yield f"database.backup_copy_key is in {region}, as the database is: write the ARN of a key in another region"
    # AutomaticBackupReplicationValidator of the resource provider refuses it.
    if database.backup_copy_key is not None and not database.backup_days:
        yield "database.backup_copy_key: as backup_days is 0, there is none to copy: write 1 or more, or remove it"


def _storage_can_grow(database: DatabaseSettings) -> Iterator[str]:
    # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html#USER_PIOPS.Autoscaling.Limits
    least = least_growth(database.storage_gb)
    if database.max_storage_gb < least:
        yield (
            f"database: max_storage_gb is {database.max_storage_gb}, but RDS lets {database.storage_gb} GB grow only "
            f"if that is 10 % more: write {least} or more"
        )


def _storage_speed_can_be_set(database: DatabaseSettings) -> Iterator[str]:
    stated = {"storage_iops": database.storage_iops, "storage_mbps": database.storage_mbps}
    if database.storage_gb < GP3_STEP_GB:
        for key, value in stated.items():
            if value is not None:
                yield (
                    f"database.{key} = {value}: below {GP3_STEP_GB} GB gp3 has 3000 IOPS and 125 MB/s, and "
                    f"storage_gb is {database.storage_gb}: remove it, or write storage_gb = {GP3_STEP_GB} or more"
                )
        return
    iops = database.storage_iops or GP3_IOPS
    # https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html#gp3-performance
    if database.storage_mbps is not None and database.storage_mbps > iops / 4:
        yield (
            f"database.storage_mbps = {database.storage_mbps}: gp3 has 1 MB/s for 4 IOPS at most, and {iops} IOPS: "
            f"write {iops // 4} at most, or storage_iops = {4 * database.storage_mbps} or more"
        )


def _insights_are_there(database: DatabaseSettings) -> Iterator[str]:
    if database.insights != "off" and not read_instance_class(database.instance_class).has_insights:
        yield (
            f"database.insights = {as_written(database.insights)}: {database.instance_class} has no Database Insights: "
            "remove it, or write a class of medium size or more"
        )


def _risks_are_accepted(database: DatabaseSettings, accept_risk: Sequence[Risk]) -> Iterator[str]:
    risks: tuple[tuple[Risk, str, bool, str], ...] = (
        (
            "no_deletion_protection",
            "deletion_protection",
            not database.deletion_protection,
            "one wrong command deletes the database: write true",
        ),
        (
            "no_backups",
            "backup_days",
            not database.keeps_backups,
            f"what is lost on a Friday may be missed after a week: write {LEAST_BACKUP_DAYS} or more",
        ),
        ("single_zone", "multi_az", not database.multi_az, "the database stops with its zone: write true"),
    )
    for risk, key, taken, why in risks:
        value = as_written(getattr(database, key))
        if taken and risk not in accept_risk:
            yield f'database.{key} = {value}: {why}, or add "{risk}" to accept_risk'
        elif risk in accept_risk and not taken:
            yield f"accept_risk: {risk} is no risk here, as database.{key} is {value}: remove it"


def _key_is_near(region: str, encryption_key: str | None) -> Iterator[str]:
    if encryption_key and region_of(encryption_key) != region:
        yield f"encryption_key is in {region_of(encryption_key)}: write the ARN of a key in {region}"


def _snapshot_is_near(region: str, database: DatabaseSettings) -> Iterator[str]:
    snapshot = database.snapshot or ""
    if snapshot.startswith("arn:") and region_of(snapshot) != region:
        yield f"database.snapshot is in {region_of(snapshot)}: copy it to {region}, and write the copy's ARN"


def _tags_are_allowed(tags: Mapping[str, str]) -> Iterator[str]:
    # https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html#tag-conventions
    if len(tags) > TAGS:
        yield f"tags: there are {len(tags)}: write {TAGS} at most, as AWS allows 50 with those that this project sets"
    first: dict[str, str] = {}
    for key, value in tags.items():
        where, known = f"tags.{as_key(key)}", first.setdefault(key.lower(), key)
        # To IAM: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html#id_tags_rules_creating
        if key.lower() in ("project", "environment"):
            yield f"{where}: this project sets this tag itself, and IAM ignores case: remove it"
        elif known != key:
            yield f"{where}: to IAM, which ignores case, it is the same as {as_key(known)}: remove one"
        if not _is_tag(key, shortest=1, longest=128):
            yield f"{where}: AWS refuses this key: write 1 to 128 of {TAG_CHARACTERS}"
        if not _is_tag(value, shortest=0, longest=256):
            yield f"{where} = {as_written(value)}: AWS refuses this value: write 256 at most of {TAG_CHARACTERS}"


def _is_tag(text: str, *, shortest: int, longest: int) -> bool:
    return (
        shortest <= len(text) <= longest
        and re.fullmatch(r"[\w .:/=+@-]*", text) is not None
        and not text.lower().startswith("aws:")
    )


def _runs_end_before_the_next_begins(each_job: Mapping[str, JobSettings]) -> Iterator[str]:
    for key, job, shortest in _repeating(each_job):
        seconds = shortest // timedelta(seconds=1)
        if job.timeout_seconds >= seconds:
            yield (
                f"{key}: timeout_seconds is {job.timeout_seconds}, but {job.schedule} starts the next run after "
                f"{seconds} s: write less than {seconds}, or a longer schedule"
            )


def _late_runs_end_before_the_next_begins(each_job: Mapping[str, JobSettings]) -> Iterator[str]:
    for key, job, shortest in _repeating(each_job):
        spare = shortest - timedelta(seconds=job.timeout_seconds)
        if job.flexible_minutes and timedelta(minutes=job.flexible_minutes) >= spare:
            most = max(0, -(-spare // timedelta(minutes=1)) - 1)
            yield (
                f"{key}: flexible_minutes is {job.flexible_minutes}, and with timeout_seconds, {job.timeout_seconds}, "
                f"a run may last into the next of {job.schedule}: {_at_most(most)}, or write a longer schedule"
            )


def _retries_end_before_the_next_run(each_job: Mapping[str, JobSettings]) -> Iterator[str]:
    for key, job, shortest in _repeating(each_job):
        minutes = shortest // timedelta(minutes=1)
        if job.retry_minutes is not None and job.retry_minutes >= minutes:
            yield (
                f"{key}: retry_minutes is {job.retry_minutes}, but {job.schedule} starts the next run, whose window "
                f"covers the failed one, after {minutes} min: {_at_most(minutes - 1)}"
            )


def _repeating(each_job: Mapping[str, JobSettings]) -> Iterator[tuple[str, JobSettings, timedelta]]:
    """The jobs that run more than once, with the shortest interval of each: no run comes after that of at(…)."""
    for key, job in each_job.items():
        if job.when.shortest_interval is not None:
            yield key, job, job.when.shortest_interval


def _once_is_on_the_clock(each_job: Mapping[str, JobSettings]) -> Iterator[str]:
    for key, job in each_job.items():
        if job.when.once is not None and not next_times(job.schedule, job.time_zone, now=EPOCH, count=1):
            # Of cron, Scheduler says that it skips such a time; of at, it says nothing.
            yield (
                f"{key}.schedule = {as_written(job.schedule)}: the clocks of {job.time_zone} go forward over it: write "
                "another time"
            )


def _name_is_free(each_job: Mapping[str, JobSettings]) -> Iterator[str]:
    for key, job in each_job.items():
        if job.name in TAKEN:
            yield f'{key}.name = "{job.name}": the function of {TAKEN[job.name]} has this name: rename the job'


def _proxy_answers_in_time(proxy: ProxySettings, each_job: Mapping[str, JobSettings]) -> Iterator[str]:
    for key, job in each_job.items():
        deadline = job.timeout_seconds - MARGIN_SECONDS
        if proxy.enabled and proxy.borrow_timeout_seconds >= deadline:
            yield (
                f"proxy: borrow_timeout_seconds is {proxy.borrow_timeout_seconds}, but the runs of {key}, {job.name}, "
                f"end after {deadline} s (timeout_seconds less {MARGIN_SECONDS}): "
                f"write less than {deadline}, or a longer timeout_seconds"
            )


def _jobs_are_there_once(jobs: Sequence[JobSettings]) -> Iterator[str]:
    if twice := _repeated(job.name for job in jobs):
        yield f"jobs has more than one entry named {twice}: keep one"


def _connections_suffice(
    database: DatabaseSettings | AdoptedDatabaseSettings, proxy: ProxySettings, jobs: Sequence[JobSettings]
) -> Iterator[str]:
    budget = connection_budget(database=database, proxy=proxy, jobs=jobs)
    server, more = (
        (database.instance_class, "a larger instance_class")
        if isinstance(database, DatabaseSettings)
        else (database.existing.identifier, "let its owner raise max_connections")
    )
    if budget.used > budget.available:
        runs = ", ".join(f"{job.name} {job.concurrency}" for job in jobs[:SOME])
        if len(jobs) > SOME:
            runs += f" and {len(jobs) - SOME} others"
        clients, fewer = (
            (f"{budget.clients} of the clients + ", "less concurrency, fewer connections of clients,")
            if budget.clients
            else ("", "less concurrency,")
        )
        yield (
            f"jobs: they may open {budget.used} connections at once, and {server} accepts "
            f"{budget.available}: {budget.runs} of the runs ({runs}) + {budget.kills} to end their statements at the "
            f"deadline + {budget.watcher} to watch the jobs + {clients}{budget.migrations} of the migrations + "
            f"{budget.reserve} in reserve: "
            f"write {fewer} or {more}"
        )


def _logins_have_room(
    database: DatabaseSettings | AdoptedDatabaseSettings, proxy: ProxySettings, jobs: Sequence[JobSettings]
) -> Iterator[str]:
    if database.auth != "secret":
        return
    most = MOST_SECRETS_OF_A_PROXY if proxy.enabled else MOST_SECRETS
    if len(jobs) > most:
        through = ", and RDS Proxy takes few" if proxy.enabled else ""
        yield (
            f'database.auth = "secret": each of the {len(jobs)} jobs has a secret of its own{through}: '
            f'write {most} jobs at most, or auth = "iam"'
        )
    if proxy.enabled and not jobs:
        yield 'proxy.enabled = true: with auth = "secret" it logs in as the jobs do, and there is none: write false'


def _variables_fit(each_job: Mapping[str, JobSettings]) -> Iterator[str]:
    most = MOST_BYTES - OTHERS_BYTES
    for key, job in each_job.items():
        if (taken := measured(job.function_variables)) > most:
            yield (
                f"{key}: its variables and parameters take {taken:,} bytes as Lambda counts them, which has "
                f"{MOST_BYTES:,}, {OTHERS_BYTES:,} of them for the login: write {taken - most:,} less"
            )


def _at_most(number: int) -> str:
    return f"write {number} at most" if number > 0 else "remove it"


def _repeated(words: Iterator[str] | Sequence[str]) -> str:
    return ", ".join(word for word, times in Counter(words).items() if times > 1)


CHECKS: tuple[Check, ...] = (
    _key_is_near,
    _tags_are_allowed,
    _network_is_made_or_found,
    _existing_database_has_a_network,
    _zones_differ,
    _secrets_manager_is_reached,
    _egress_is_our_own,
    _egress_has_room,
    _internet_is_reached,
    _ways_fit,
    _role_policies_fit,
    _endpoint_policies_fit,
    _clients_are_named,
    _clients_differ,
    _clients_have_rules,
    _clients_of_the_vpc_have_a_group,
    _windows_do_not_meet,
    _backups_are_copied_far,
    _storage_can_grow,
    _storage_speed_can_be_set,
    _insights_are_there,
    _snapshot_is_near,
    _existing_database_is_one,
    _made_database_is_watched,
    _risks_are_accepted,
    _risks_are_ours,
    _proxy_answers_in_time,
    _runs_end_before_the_next_begins,
    _late_runs_end_before_the_next_begins,
    _retries_end_before_the_next_run,
    _once_is_on_the_clock,
    _name_is_free,
    _jobs_are_there_once,
    _connections_suffice,
    _logins_have_room,
    _variables_fit,
)
