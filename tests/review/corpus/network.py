"""The network opens, or leads elsewhere."""

from typing import Any

from tests.review.corpus.case import (
    ACCESS,
    ANY,
    DATA,
    PROTECTION,
    REFUSED,
    UNCLASSIFIED,
    Case,
    Reference,
    add,
    asked,
    change,
    drop,
    put,
    without,
)

GROUP, INGRESS, EGRESS = "EC2::SecurityGroup", "EC2::SecurityGroupIngress", "EC2::SecurityGroupEgress"
ENDPOINT, SUBNET, VPC = "EC2::VPCEndpoint", "EC2::Subnet", "EC2::VPC"
DATABASE = "Database/SecurityGroup"
TO_DATABASE = "Jobs/SecurityGroup/to largeDatabaseSecurityGroup"
FROM_JOBS = "Jobs/SecurityGroup/largeDatabaseSecurityGroup"
OPEN = ACCESS | UNCLASSIFIED
THE_VPC = Reference(VPC, "Network/Vpc")
ROUTES = Reference("EC2::RouteTable", "IsolatedSubnet1/RouteTable")


def _let_in(name: str, **rule: Any) -> Case:
    rule = {"IpProtocol": "tcp", "FromPort": 13306, "ToPort": 13306, **rule}
    return asked("large", name, put(GROUP, DATABASE, "SecurityGroupIngress", [rule]), ACCESS, DATABASE)


def _let_out(name: str, **rule: Any) -> Case:
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, **rule}
    return asked("large", name, put(GROUP, DATABASE, "SecurityGroupEgress", [rule]), ACCESS, DATABASE)


def _new(name: str, kind: str, properties: dict[str, Any], *names: str) -> Case:
    return asked("large", name, add("Network", "Stranger", kind, properties), OPEN, "Network/Stranger", *names)


CASES: list[Case] = [
    # Security groups
    _let_in("everybody may connect", CidrIp="0.0.0.0/0"),
    _let_in("everybody may connect by IPv6", CidrIpv6="::/0"),
    _let_in("half of the world may connect", CidrIp="128.0.0.0/1"),
    _let_in("an address may connect", CidrIp="192.0.2.1/32"),
    _let_in("a list of addresses may connect", SourcePrefixListId="pl-0123456789abcdef0"),
    _let_in("a group may connect", SourceSecurityGroupId="sg-0123456789abcdef0"),
    _let_in(
        "a group of another account may connect",
        SourceSecurityGroupId="sg-0",
        SourceSecurityGroupOwnerId="999999999999",
    ),
    _let_in("everybody may connect on all ports", CidrIp="0.0.0.0/0", FromPort=0, ToPort=65535),
    _let_in("everybody may ping", CidrIp="0.0.0.0/0", IpProtocol="icmp", FromPort=-1, ToPort=-1),
    asked(
        "large",
        "everything may come in",
        put(GROUP, DATABASE, "SecurityGroupIngress", [{"CidrIp": "10.30.0.0/20", "IpProtocol": "-1"}]),
        ACCESS,
        DATABASE,
    ),
    _let_out("the database may reach everybody", CidrIp="0.0.0.0/0"),
    _let_out("the database may reach everybody by IPv6", CidrIpv6="::/0"),
    _let_out("the database may reach a list", DestinationPrefixListId="pl-0123456789abcdef0"),
    # Without a rule for what goes out, AWS allows all.
    asked(
        "large", "the database may reach all, unsaid", without(GROUP, DATABASE, "SecurityGroupEgress"), ACCESS, DATABASE
    ),
    asked(
        "large",
        "jobs may connect on more ports",
        put(INGRESS, FROM_JOBS, "ToPort", 13400),
        ACCESS,
        DATABASE,
        "Jobs/SecurityGroup",
    ),
    asked(
        "large",
        "jobs may connect on every port",
        put(INGRESS, FROM_JOBS, "IpProtocol", "-1"),
        ACCESS,
        DATABASE,
        "Jobs/SecurityGroup",
    ),
    asked("large", "jobs may reach more ports", put(EGRESS, TO_DATABASE, "FromPort", 1), ACCESS, "Jobs/SecurityGroup"),
    asked(
        "large",
        "jobs may reach everybody",
        add(
            "Jobs",
            "Stranger",
            EGRESS,
            {
                "GroupId": Reference(GROUP, "Jobs/SecurityGroup", "GroupId"),
                "CidrIp": "0.0.0.0/0",
                "IpProtocol": "tcp",
                "FromPort": 443,
                "ToPort": 443,
            },
        ),
        ACCESS,
        "Jobs/SecurityGroup",
        "Jobs/Stranger",
    ),
    asked(
        "large",
        "a rule of its own lets everybody in",
        add(
            "Jobs",
            "Stranger",
            INGRESS,
            {
                "GroupId": Reference(GROUP, DATABASE, "GroupId"),
                "CidrIp": "0.0.0.0/0",
                "IpProtocol": "tcp",
                "FromPort": 13306,
                "ToPort": 13306,
            },
        ),
        ACCESS,
        DATABASE,
        "Jobs/Stranger",
    ),
    asked(
        "large",
        "somebody else may use the endpoint",
        add(
            "Jobs",
            "Stranger",
            INGRESS,
            {
                "GroupId": Reference(GROUP, "SecretsEndpoint/SecurityGroup", "GroupId"),
                "CidrIp": "10.0.0.0/8",
                "IpProtocol": "tcp",
                "FromPort": 443,
                "ToPort": 443,
            },
        ),
        ACCESS,
        "SecretsEndpoint",
        "Jobs/Stranger",
    ),
    asked(
        "proxied",
        "somebody else may use the proxy",
        add(
            "Jobs",
            "Stranger",
            INGRESS,
            {
                "GroupId": Reference(GROUP, "Proxy/SecurityGroup", "GroupId"),
                "CidrIp": "10.0.0.0/8",
                "IpProtocol": "tcp",
                "FromPort": 3306,
                "ToPort": 3306,
            },
        ),
        ACCESS,
        "Proxy",
        "Jobs/Stranger",
    ),
    asked(
        "large",
        "security group of another network",
        put(GROUP, "Jobs/SecurityGroup", "VpcId", "vpc-0123456789abcdef0"),
        ANY,
        "Jobs/SecurityGroup",
    ),
    asked(
        "large",
        "default security group as AWS makes it",
        drop("Custom::VpcRestrictDefaultSG", "RestrictDefault"),
        PROTECTION,
        "RestrictDefault",
    ),
    # The network itself
    asked(
        "large",
        "network of other addresses",
        put(VPC, "Network/Vpc", "CidrBlock", "10.31.0.0/20"),
        REFUSED | DATA,
        "Network/Vpc",
        "Database",
    ),
    asked("large", "names are not resolved", put(VPC, "Network/Vpc", "EnableDnsSupport", False), ANY, "Network/Vpc"),
    asked(
        "large",
        "subnet of other addresses",
        put(SUBNET, "IsolatedSubnet1", "CidrBlock", "10.30.8.0/26"),
        REFUSED | DATA | UNCLASSIFIED,
        "Subnet1",
        "Database",
    ),
    asked(
        "large",
        "subnet in another zone",
        put(SUBNET, "IsolatedSubnet1", "AvailabilityZone", "eu-central-1c"),
        REFUSED | DATA | UNCLASSIFIED,
        "Subnet1",
        "Database",
    ),
    asked(
        "large",
        "subnet gives public addresses",
        put(SUBNET, "IsolatedSubnet1", "MapPublicIpOnLaunch", True),
        OPEN | PROTECTION,
        "IsolatedSubnet1",
    ),
    asked("large", "subnet removed", drop(SUBNET, "IsolatedSubnet3"), ANY, "Subnet3", "Database"),
    asked(
        "large",
        "subnet's routes are others",
        put("EC2::SubnetRouteTableAssociation", "IsolatedSubnet1", "RouteTableId", "rtb-0123456789abcdef0"),
        ANY,
        "IsolatedSubnet1",
    ),
    _new(
        "route to a gateway",
        "EC2::Route",
        {"RouteTableId": ROUTES, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-0123456789abcdef0"},
        "Subnet1",
    ),
    _new(
        "route to another network",
        "EC2::Route",
        {"RouteTableId": ROUTES, "DestinationCidrBlock": "10.99.0.0/16", "VpcPeeringConnectionId": "pcx-0"},
        "Subnet1",
    ),
    _new(
        "route to a transit gateway",
        "EC2::Route",
        {"RouteTableId": ROUTES, "DestinationCidrBlock": "10.0.0.0/8", "TransitGatewayId": "tgw-0"},
        "Subnet1",
    ),
    _new("internet gateway", "EC2::InternetGateway", {}),
    _new(
        "internet gateway attached",
        "EC2::VPCGatewayAttachment",
        {"VpcId": THE_VPC, "InternetGatewayId": "igw-0123456789abcdef0"},
    ),
    _new(
        "NAT gateway",
        "EC2::NatGateway",
        {"SubnetId": Reference(SUBNET, "IsolatedSubnet1"), "AllocationId": "eipalloc-0"},
    ),
    _new("gateway out by IPv6", "EC2::EgressOnlyInternetGateway", {"VpcId": THE_VPC}),
    _new("public address", "EC2::EIP", {"Domain": "vpc"}),
    _new(
        "peering", "EC2::VPCPeeringConnection", {"VpcId": THE_VPC, "PeerVpcId": "vpc-0", "PeerOwnerId": "999999999999"}
    ),
    _new(
        "transit gateway attached",
        "EC2::TransitGatewayAttachment",
        {"VpcId": THE_VPC, "TransitGatewayId": "tgw-0", "SubnetIds": [Reference(SUBNET, "IsolatedSubnet1")]},
    ),
    _new("private network by VPN", "EC2::VPNGateway", {"Type": "ipsec.1"}),
    _new("more addresses", "EC2::VPCCidrBlock", {"VpcId": THE_VPC, "CidrBlock": "10.99.0.0/16"}),
    _new("another resolver of names", "EC2::DHCPOptions", {"DomainNameServers": ["192.0.2.53"]}),
    _new(
        "names resolved by rules",
        "Route53Resolver::ResolverRuleAssociation",
        {"VPCId": THE_VPC, "ResolverRuleId": "rslvr-rr-0"},
    ),
    _new(
        "private zone of names",
        "Route53::HostedZone",
        {"Name": "rds.amazonaws.com", "VPCs": [{"VPCId": THE_VPC, "VPCRegion": "eu-central-1"}]},
    ),
    _new(
        "network access list that lets all in",
        "EC2::NetworkAclEntry",
        {"NetworkAclId": "acl-0", "RuleNumber": 1, "Protocol": -1, "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"},
    ),
    _new("another subnet", "EC2::Subnet", {"VpcId": THE_VPC, "CidrBlock": "10.30.9.0/26", "MapPublicIpOnLaunch": True}),
    _new("a machine", "EC2::Instance", {"ImageId": "ami-0", "SubnetId": Reference(SUBNET, "IsolatedSubnet1")}),
    _new(
        "a mirror of the traffic",
        "EC2::TrafficMirrorSession",
        {
            "NetworkInterfaceId": "eni-0",
            "TrafficMirrorFilterId": "tmf-0",
            "TrafficMirrorTargetId": "tmt-0",
            "SessionNumber": 1,
        },
    ),
    _new(
        "a load balancer for all",
        "ElasticLoadBalancingV2::LoadBalancer",
        {"Scheme": "internet-facing", "Type": "network", "Subnets": [Reference(SUBNET, "IsolatedSubnet1")]},
    ),
    # Endpoints
    asked("large", "endpoint removed", drop(ENDPOINT, "SecretsEndpoint"), ANY, "SecretsEndpoint"),
    asked(
        "large",
        "endpoint's name leads outside",
        put(ENDPOINT, "SecretsEndpoint", "PrivateDnsEnabled", False),
        ANY,
        "SecretsEndpoint",
    ),
    asked(
        "large",
        "endpoint of somebody's service",
        put(ENDPOINT, "SecretsEndpoint", "ServiceName", "com.amazonaws.vpce.eu-central-1.vpce-svc-0123456789abcdef0"),
        ANY,
        "SecretsEndpoint",
    ),
    asked(
        "large",
        "endpoint in another security group",
        change(ENDPOINT, "SecretsEndpoint", "SecurityGroupIds", lambda old: [*old, "sg-0123456789abcdef0"]),
        ANY,
        "SecretsEndpoint",
    ),
    _new(
        "endpoint without a policy",
        "EC2::VPCEndpoint",
        {
            "VpcId": THE_VPC,
            "ServiceName": "com.amazonaws.eu-central-1.s3",
            "VpcEndpointType": "Gateway",
            "RouteTableIds": [ROUTES],
        },
    ),
    _new(
        "endpoint of a stranger's service",
        "EC2::VPCEndpoint",
        {"VpcId": THE_VPC, "ServiceName": "com.amazonaws.vpce.eu-central-1.vpce-svc-0", "VpcEndpointType": "Interface"},
    ),
    _new(
        "service for others' endpoints",
        "EC2::VPCEndpointServicePermissions",
        {"ServiceId": "vpce-svc-0", "AllowedPrincipals": ["*"]},
    ),
]
