"""Who can reach what in an environment, read from its templates: the rows of the tables in docs/security.md.

Nothing is left out in silence: a resource or a value that this can't read is an `AccessError`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

WILD = "⚠"
"""Marks what is wider than one named thing."""

# Of the types that say who can reach what, those that are read here …
READ = {
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::EC2::VPCEndpoint",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::SecretsManager::Secret",
}
# … and those that let nobody in or out. Not among them: gateways, routes, peerings.
HARMLESS = {
    "AWS::EC2::FlowLog",
    "AWS::EC2::RouteTable",
    "AWS::EC2::Subnet",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::EC2::VPC",
}
RELEVANT = re.compile(
    r"AWS::(EC2|IAM|KMS|SecretsManager)::.*|AWS::Lambda::(Permission|Url|LayerVersionPermission)|.*Policy"
)

NO_TRAFFIC = {"CidrIp": "255.255.255.255/32", "FromPort": 252, "IpProtocol": "icmp", "ToPort": 86}
"""CDK's rule that stands for none:
https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.aws_ec2.SecurityGroup.html"""

NAMES = {
    "AWS::EC2::FlowLog": ("the flow log", None),
    "AWS::EC2::SecurityGroup": ("", "GroupDescription"),
    "AWS::EC2::VPC": ("the VPC", None),
    "AWS::EC2::VPCEndpoint": ("the endpoint of", "ServiceName"),
    "AWS::Lambda::Function": ("function", "FunctionName"),
    "AWS::Logs::LogGroup": ("log group", "LogGroupName"),
    "AWS::RDS::DBInstance": ("the database", None),
    "AWS::RDS::DBProxy": ("the proxy", None),
    "AWS::SNS::Topic": ("topic", "TopicName"),
    "AWS::SQS::Queue": ("queue", "QueueName"),
    "AWS::Scheduler::Schedule": ("schedule", "Name"),
    "AWS::SecretsManager::Secret": ("secret:", "Description"),
}
"""What a resource is called: words, and the property that tells it from others of its type."""

ROLES = {
    "AWS::EC2::FlowLog": ("DeliverLogsPermissionArn",),
    "AWS::Lambda::Function": ("Role",),
    "AWS::RDS::DBInstance": ("MonitoringRoleArn",),
    "AWS::RDS::DBProxy": ("RoleArn",),
    "AWS::Scheduler::Schedule": ("Target", "RoleArn"),
}
"""Where a resource says which role it works in."""

GROUPS = {
    "AWS::EC2::VPCEndpoint": ("SecurityGroupIds",),
    "AWS::Lambda::Function": ("VpcConfig", "SecurityGroupIds"),
    "AWS::RDS::DBInstance": ("VPCSecurityGroups",),
    "AWS::RDS::DBProxy": ("VpcSecurityGroupIds",),
}
"""Where a resource says which security groups it is in."""

KEYS = {
    "AWS::Logs::LogGroup": ("KmsKeyId", "CloudWatch Logs' own"),
    "AWS::RDS::DBInstance": ("KmsKeyId", "AWS's for RDS"),
    "AWS::SNS::Topic": ("KmsMasterKeyId", f"none {WILD}"),
    "AWS::SQS::Queue": ("KmsMasterKeyId", "SQS's own"),
    "AWS::SecretsManager::Secret": ("KmsKeyId", "AWS's for Secrets Manager"),
}
"""Where a resource says with which key it rests, and with which one it does if it says nothing."""

ITSELF = {"Arn", "DBProxyArn", "GroupId", "Ref", "TopicArn"}
"""Attributes that mean the resource."""


class AccessError(Exception):
    """The templates say something that this doesn't understand, or that doesn't fit together."""


class Connection(NamedTuple):
    """One way that the security groups open."""

    source: str
    target: str
    port: str


class Member(NamedTuple):
    """Who is in a security group."""

    group: str
    member: str


class Role(NamedTuple):
    """Who works in a role, and who may assume it."""

    who: str
    assumed_by: str
    only_if: str


class Grant(NamedTuple):
    """What somebody may do."""

    who: str
    may: str
    on: str
    only_if: str


class Reader(NamedTuple):
    """Who may read a secret, and whether the endpoint's policy lets that through."""

    secret: str
    read_by: str
    endpoint: str


class Origin(NamedTuple):
    """Where a secret comes from."""

    secret: str
    made_by: str
    rotation: str


class AtRest(NamedTuple):
    """With which key something is encrypted."""

    what: str
    key: str


class Environment:
    """The templates of one environment, by stack.

    Names are given without the environment's, so that two environments that are alike have the same rows.
    """

    def __init__(self, *, name: str, account: str, region: str, stacks: Mapping[str, Mapping[str, Any]]) -> None:
        """Read `stacks`.

        Raises:
            AccessError: a resource bears on security, and nothing here reads it.
        """
        self._name = name
        self._account = account
        self._region = region
        self._stacks = stacks
        for stack, logical_id, resource in self._all():
            kind = resource["Type"]
            if RELEVANT.fullmatch(kind) and kind not in READ | HARMLESS:
                raise AccessError(f"{stack}/{logical_id}: teach tests/snapshots/access.py to read {kind}")

    @property
    def jobs(self) -> list[str]:
        """The jobs' names."""
        variables = (
            resource["Properties"].get("Environment", {}).get("Variables", {})
            for _stack, _id, resource in self._all("AWS::Lambda::Function")
        )
        return sorted(each["JOB"] for each in variables if "JOB" in each)

    @property
    def has_own_vpc(self) -> bool:
        """Whether the VPC is made here; then it has no way out, as `HARMLESS` knows none."""
        return any(True for _ in self._all("AWS::EC2::VPC"))

    @property
    def empties_default_group(self) -> bool:
        """Whether the VPC's default security group, which lets its members talk to each other, is emptied."""
        return any(True for _ in self._all("Custom::VpcRestrictDefaultSG"))

    @property
    def has_public_database(self) -> bool:
        """Whether a database may have an address on the internet."""
        return any(
            resource["Properties"].get("PubliclyAccessible") is not False
            for _stack, _id, resource in self._all("AWS::RDS::DBInstance")
        )

    def outside_of_vpc(self) -> list[str]:
        """The functions that run in no VPC, and so reach the internet."""
        return sorted(
            self._named(stack, logical_id)
            for stack, logical_id, resource in self._all("AWS::Lambda::Function")
            if "VpcConfig" not in resource["Properties"]
        )

    def connections(self) -> list[Connection]:
        """Every way between security groups, and from or to addresses.

        Raises:
            AccessError: one side of a way is open, the other is not; or two groups have the same description.
        """
        groups = [self._named(stack, name) for stack, name, _group in self._all("AWS::EC2::SecurityGroup")]
        if len(set(groups)) < len(groups):
            raise AccessError(f"two security groups have the same description: {sorted(groups)}")
        leaving, entering = set(self._leaving()), set(self._entering())
        for one, side, other in ((leaving, "leave", "enter"), (entering, "enter", "leave")):
            opposite = entering if one is leaving else leaving
            for way in sorted(one - opposite):
                if {way.source, way.target} <= set(groups):
                    raise AccessError(f"{way.source} → {way.target}, {way.port}: may {side}, but may not {other}")
        return sorted(leaving | entering)

    def members(self) -> list[Member]:
        """Who is in which security group."""
        return sorted(
            Member(self.readable(stack, group), self._named(stack, logical_id))
            for kind, path in GROUPS.items()
            for stack, logical_id, resource in self._all(kind)
            for group in _at(resource["Properties"], path) or ()
        )

    def roles(self) -> list[Role]:
        """Every role."""
        return sorted(
            Role(self._user_of_role(stack, logical_id), grant.who, grant.only_if)
            for stack, logical_id, resource in self._all("AWS::IAM::Role")
            for grant in self._grants(stack, resource["Properties"]["AssumeRolePolicyDocument"], on="")
        )

    def grants(self) -> list[Grant]:
        """What every role may do."""
        return sorted(self._inline() | self._managed())

    def resource_policies(self) -> list[Grant]:
        """What queues, topics and endpoints let others do."""
        policies = ("AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy")
        return sorted(
            grant
            for kind in policies
            for stack, _id, resource in self._all(kind)
            for grant in self._grants(stack, resource["Properties"]["PolicyDocument"])
        )

    def endpoint_policies(self) -> list[tuple[str, Grant]]:
        """What each VPC endpoint lets through."""
        everything = {"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}  # the default
        return sorted(
            (self._named(stack, logical_id), grant)
            for stack, logical_id, resource in self._all("AWS::EC2::VPCEndpoint")
            for grant in self._grants(stack, resource["Properties"].get("PolicyDocument", everything))
        )

    def readers(self) -> list[Reader]:
        """Who may read which secret."""
        let_through = [grant for _endpoint, grant in self.endpoint_policies()]
        return sorted(
            Reader(secret, grant.who, "yes" if any(_reads(way, secret) for way in let_through) else "no")
            for secret, _made_by, _rotation in self.origins()
            for grant in self.grants()
            if _reads(grant, secret)
        )

    def origins(self) -> list[Origin]:
        """Where the secrets come from.

        Raises:
            AccessError: a template holds a password.
        """
        found = []
        for stack, logical_id, resource in self._all("AWS::RDS::DBInstance"):
            if "MasterUserPassword" in resource["Properties"]:
                raise AccessError(f"{stack}/{logical_id}: the master password is in the template")
            if resource["Properties"].get("ManageMasterUserPassword"):
                found.append(Origin("the master secret", "RDS", "by RDS"))
        for stack, logical_id, resource in self._all("AWS::SecretsManager::Secret"):
            if "SecretString" in resource["Properties"]:
                raise AccessError(f"{stack}/{logical_id}: the secret is in the template")
            # A rotation would be a resource of its own, which nothing here reads.
            found.append(Origin(self._named(stack, logical_id), "Secrets Manager, at random", "by hand"))
        return sorted(found)

    def at_rest(self) -> list[AtRest]:
        """What is stored, and with which key it is encrypted."""
        found = []
        for kind, (key, default) in KEYS.items():
            for stack, logical_id, resource in self._all(kind):
                properties = resource["Properties"]
                name = self._named(stack, logical_id)
                found.append(AtRest(name, self.readable(stack, properties[key]) if key in properties else default))
                if properties.get("ManageMasterUserPassword"):
                    own = _at(properties, ("MasterUserSecret", "KmsKeyId"))
                    aws = KEYS["AWS::SecretsManager::Secret"][1]
                    found.append(AtRest("the master secret", self.readable(stack, own) if own else aws))
        return sorted(found)

    def readable(self, stack: str, value: Any) -> str:
        """What `value`, in `stack`, means, in words; `WILD` marks it if it means more than one thing.

        Raises:
            AccessError: it can't be read.
        """
        text = self._text(stack, value)
        here = f"{self._region}:{self._account}"
        for pattern, meaning in (
            (r"\*", "any resource"),
            (re.escape(self._account), "this account"),
            (rf"arn:aws:rds-db:{here}:dbuser:resource id of (.+)/(.+)", r"database user \2 at \1"),
            (rf"arn:aws:ec2:{here}:security-group/(.+)", r"\1"),
            (rf"arn:aws:kms:{here}:(key/.+)", "the customer's key"),
            (rf"arn:aws:[\w-]+:{here}:(.+)", r"\1 of this account"),
            (r"(function .+):\*", r"any version of \1"),
            (rf"(\w+)\.{self._region}\.amazonaws\.com", r"\1 of this region"),
            (r"arn:aws:iam::aws:policy/(?:.+/)?(.+)", r"AWS's policy \1"),
        ):
            if re.fullmatch(pattern, text):
                words = re.sub(pattern, meaning, text)
                return f"{words} {WILD}" if "*" in text else words
        return f"{text} {WILD}" if "*" in text else text

    def _all(self, kind: str | None = None) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        """The resources, of one type or of all, with their stacks and logical ids."""
        for stack, template in self._stacks.items():
            for logical_id, resource in template["Resources"].items():
                if kind in (None, resource["Type"]):
                    yield stack, logical_id, resource

    def _leaving(self) -> Iterator[Connection]:
        """The ways that egress rules open."""
        bound = set()
        for stack, _id, rule in self._all("AWS::EC2::SecurityGroupEgress"):
            way = self._way(
                stack, rule["Properties"], self.readable(stack, rule["Properties"]["GroupId"]), "Destination"
            )
            bound.add(way.source)
            yield way
        for stack, logical_id, group in self._all("AWS::EC2::SecurityGroup"):
            name = self._named(stack, logical_id)
            rules = group["Properties"].get("SecurityGroupEgress", [])
            for rule in rules:
                if {key: value for key, value in rule.items() if key != "Description"} != NO_TRAFFIC:
                    yield self._way(stack, rule, name, "Destination")
            if not rules and name not in bound:
                # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-ec2-securitygroup.html
                yield Connection(name, f"any address {WILD}", f"any {WILD}")

    def _entering(self) -> Iterator[Connection]:
        """The ways that ingress rules open."""
        for stack, _id, rule in self._all("AWS::EC2::SecurityGroupIngress"):
            yield self._way(stack, rule["Properties"], self.readable(stack, rule["Properties"]["GroupId"]), "Source")
        for stack, logical_id, group in self._all("AWS::EC2::SecurityGroup"):
            for rule in group["Properties"].get("SecurityGroupIngress", []):
                yield self._way(stack, rule, self._named(stack, logical_id), "Source")

    def _way(self, stack: str, rule: Mapping[str, Any], group: str, side: str) -> Connection:
        peer = self._peer(stack, rule, side)
        source, target = (group, peer) if side == "Destination" else (peer, group)
        return Connection(source, target, self._port(stack, rule))

    def _peer(self, stack: str, rule: Mapping[str, Any], side: str) -> str:
        if group := rule.get(f"{side}SecurityGroupId"):
            return self.readable(stack, group)
        address = rule.get("CidrIp") or rule.get("CidrIpv6")
        if address is None:
            raise AccessError(f"{stack}: a rule with neither a security group nor addresses: {dict(rule)}")
        return f"any address {WILD}" if str(address) in ("0.0.0.0/0", "::/0") else self.readable(stack, address)

    def _port(self, stack: str, rule: Mapping[str, Any]) -> str:
        protocol = str(rule["IpProtocol"])
        if protocol == "-1":
            return f"any {WILD}"
        first, last = (self._text(stack, rule[key]) for key in ("FromPort", "ToPort"))
        return f"{first}/{protocol}" if first == last else f"{first} to {last}/{protocol} {WILD}"

    def _inline(self) -> set[Grant]:
        """From the roles' own policies."""
        found = set()
        for stack, logical_id, role in self._all("AWS::IAM::Role"):
            who = self._user_of_role(stack, logical_id)
            for policy in role["Properties"].get("Policies", []):
                found |= set(self._grants(stack, policy["PolicyDocument"], who=who))
        for stack, logical_id, policy in self._all("AWS::IAM::Policy"):
            others = policy["Properties"].keys() & {"Users", "Groups"}
            if others:
                raise AccessError(
                    f"{stack}/{logical_id}: grants something to {', '.join(sorted(others))}, not to roles"
                )
            for role in policy["Properties"]["Roles"]:
                who = self._user_of_role(*self._resource(stack, role))
                found |= set(self._grants(stack, policy["Properties"]["PolicyDocument"], who=who))
        return found

    def _managed(self) -> set[Grant]:
        """From policies that are made elsewhere: nothing here says what is in them."""
        return {
            Grant(self._user_of_role(stack, logical_id), f"{self.readable(stack, policy)} {WILD}", "", "")
            for stack, logical_id, role in self._all("AWS::IAM::Role")
            for policy in role["Properties"].get("ManagedPolicyArns", [])
        }

    def _grants(
        self, stack: str, document: Mapping[str, Any], *, who: str | None = None, on: str | None = None
    ) -> Iterator[Grant]:
        """The statements of a policy; `who` and `on` are for those that name no principal or no resource."""
        for statement in _listed(document["Statement"]):
            unknown = statement.keys() - {"Action", "Condition", "Effect", "Principal", "Resource", "Sid"}
            if unknown:
                raise AccessError(f"{stack}: a statement with {', '.join(sorted(unknown))}: {dict(statement)}")
            actions = ", ".join(sorted(_listed(statement["Action"])))
            principal = who if who is not None else self._principal(stack, statement["Principal"])
            resources = (
                [on] if on is not None else [self.readable(stack, each) for each in _listed(statement["Resource"])]
            )
            for resource in resources:
                if statement["Effect"] == "Deny":
                    plain = [cell.removesuffix(f" {WILD}") for cell in (principal, resource)]
                    yield Grant(plain[0], f"never {actions}", plain[1], self._condition(stack, statement))
                else:
                    may = f"{actions} {WILD}" if "*" in actions else actions
                    yield Grant(principal, may, resource, self._condition(stack, statement))

    def _principal(self, stack: str, principal: Any) -> str:
        if principal in ("*", {"AWS": "*"}):
            return f"anyone {WILD}"
        return ", ".join(
            sorted(self.readable(stack, each) for values in principal.values() for each in _listed(values))
        )

    def _condition(self, stack: str, statement: Mapping[str, Any]) -> str:
        return "; ".join(
            f"{key} {'is' if operator in ('StringEquals', 'Bool') else operator} "
            + " or ".join(self.readable(stack, each) for each in _listed(value))
            for operator, keys in sorted(statement.get("Condition", {}).items())
            for key, value in sorted(keys.items())
        )

    def _user_of_role(self, stack: str, logical_id: str) -> str:
        """The one who works in the role."""
        users = [
            f"{self._named(user_stack, user)}'s monitoring"
            if "Monitoring" in path[0]
            else self._named(user_stack, user)
            for kind, path in ROLES.items()
            for user_stack, user, resource in self._all(kind)
            if (role := _at(resource["Properties"], path)) and self._resource(user_stack, role) == (stack, logical_id)
        ]
        if len(users) != 1:
            raise AccessError(
                f"{stack}/{logical_id}: a role with {len(users)} users, where it should have one: {users}"
            )
        return users[0]

    def _resource(self, stack: str, value: Any) -> tuple[str, str]:
        """Stack and logical id of the resource that `value`, in `stack`, means."""
        stack, value = self._followed(stack, value)
        match value:
            case {"Ref": str(logical_id)} | {"Fn::GetAtt": [str(logical_id), _]}:
                return stack, logical_id
        raise AccessError(f"{stack}: this means no resource: {value}")

    def _followed(self, stack: str, value: Any) -> tuple[str, Any]:
        """Where another stack's output leads to."""
        match value:
            case {"Fn::GetStackOutput": {"StackName": str(name), "OutputName": str(output)}}:
                other = name.removeprefix(f"{self._name}-")
                try:
                    return self._followed(other, self._stacks[other]["Outputs"][output]["Value"])
                except KeyError:
                    raise AccessError(f"{stack}: {name} has no output {output}") from None
        return stack, value

    def _text(self, stack: str, value: Any) -> str:
        stack, value = self._followed(stack, value)
        match value:
            case str() | int():
                return str(value)
            case {"Fn::Join": [str(separator), list(parts)]}:
                return separator.join(self._text(stack, part) for part in parts)
            case {"Fn::Sub": str(text)} if text.count("${") == text.count("${AWS::Partition}"):
                return text.replace("${AWS::Partition}", "aws")
            case {"Fn::Select": [6, {"Fn::Split": [":", {"Fn::GetAtt": [str(logical_id), "DBProxyArn"]}]}]}:
                return f"resource id of {self._named(stack, logical_id)}"
            case {"Ref": str(logical_id)}:
                return self._attribute(stack, logical_id, "Ref")
            case {"Fn::GetAtt": [str(logical_id), str(attribute)]}:
                return self._attribute(stack, logical_id, attribute)
        raise AccessError(f"{stack}: can't read {value}")

    def _attribute(self, stack: str, logical_id: str, attribute: str) -> str:
        if logical_id == "AWS::Partition":
            return "aws"
        match attribute:
            case "MasterUserSecret.SecretArn":
                return "the master secret"
            case "DefaultSecurityGroup":
                return "the VPC's default security group"
            case "DbiResourceId":
                return f"resource id of {self._named(stack, logical_id)}"
            case "Endpoint.Port":
                return str(self._stacks[stack]["Resources"][logical_id]["Properties"]["Port"])
        if attribute not in ITSELF:
            raise AccessError(f"{stack}/{logical_id}: can't read its attribute {attribute}")
        return self._named(stack, logical_id)

    def _named(self, stack: str, logical_id: str) -> str:
        try:
            resource = self._stacks[stack]["Resources"][logical_id]
            words, key = NAMES[resource["Type"]]
        except KeyError:
            raise AccessError(f"{stack}/{logical_id}: there is no name for it") from None
        if key is None:
            return words
        if key in resource.get("Properties", {}):
            name = self._text(stack, resource["Properties"][key])
            own = re.sub(rf"(?<![\w-]){re.escape(self._name)}-", "", name).removeprefix(
                f"com.amazonaws.{self._region}."
            )
            return f"{words} {own}".strip()
        return self._provided(stack, logical_id) or f"{words} {re.sub('[0-9A-F]{8}$', '', logical_id)}"

    def _provided(self, stack: str, logical_id: str) -> str | None:
        """What a function of the CDK's own is for."""
        for user_stack, _id, resource in self._all():
            token = resource.get("Properties", {}).get("ServiceToken")
            if token is not None and self._resource(user_stack, token) == (stack, logical_id):
                return f"provider of {resource['Type']}"
        return None


def collapsed(rows: Iterable[tuple[str, ...]], jobs: Iterable[str]) -> list[tuple[str, ...]]:
    """The rows, with one for all jobs where they are the same but for the job's name.

    A row that is one job's own is left alone if any row of that job's is another than the other jobs have.
    """
    rows, jobs = list(rows), list(jobs)
    own = {job: [row for row in rows if _owner(row, jobs) == job] for job in jobs}
    shapes = {job: tuple(sorted(_renamed(row, job, "`<job>`") for row in own[job])) for job in jobs}
    if len(jobs) < 2 or len(set(shapes.values())) > 1:
        return sorted(rows)
    return sorted([row for row in rows if _owner(row, jobs) is None] + list(shapes[jobs[0]]))


def _owner(row: tuple[str, ...], jobs: list[str]) -> str | None:
    return next((job for cell in row for job in jobs if _names(job).search(cell)), None)


def _renamed(row: tuple[str, ...], job: str, name: str) -> tuple[str, ...]:
    return tuple(_names(job).sub(name, cell) for cell in row)


def _names(job: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-]){re.escape(job)}(?!\w)")


def _reads(grant: Grant, secret: str) -> bool:
    actions = grant.may.removesuffix(f" {WILD}").split(", ")
    allowed = any(fnmatchcase("secretsmanager:getsecretvalue", action.lower()) for action in actions)
    return allowed and (grant.on == secret or grant.on.endswith(WILD))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _at(properties: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """What is at `path`, or None."""
    value: Any = properties
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
