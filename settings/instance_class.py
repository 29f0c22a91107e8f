"""RDS instance classes: their vCPUs, their memory, how many connections they accept.

The classes are those of RDS for MySQL 8.4, but for c6gd, x2iedn and serverless:
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.DBInstanceClass.Support.html
"""

from collections.abc import Iterator
from dataclasses import dataclass

from settings.spelling import did_you_mean

MIB = 2**20
CONNECTION_BYTES = 12_582_880
"""RDS sets max_connections to {DBInstanceClassMemory/12582880}, and to 16,000 at most.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html#RDS_Limits.MaxConnections"""


@dataclass(frozen=True, kw_only=True)
class InstanceClass:
    """An RDS instance class."""

    name: str
    """Without the leading "db."."""
    vcpus: int
    memory_gb: float
    """As AWS lists it, in GiB."""
    burstable: bool
    """Its CPU earns credits while idle and spends them under load; not for a constant load."""

    @property
    def max_connections(self) -> int:
        """The lowest number of connections that the server accepts, unless a parameter group says otherwise.

        AWS doesn't publish how much memory the operating system and RDS's own processes take. This subtracts 5 % and
        384 MiB, more than was observed on any server: 1 GiB has 66 connections
        (here 49), 2 GiB 150 (130), 4 GiB 312 (292), 8 GiB 648 (616), 16 GiB 1320 (1267), 30.5 GiB 2540 (2440).
        https://serverfault.com/questions/862387/aws-rds-connection-limits
        """
        usable = 0.95 * self.memory_gb * 1024 * MIB - 384 * MIB
        return min(16_000, int(usable / CONNECTION_BYTES))

    @property
    def has_insights(self) -> bool:
        """Whether Database Insights is available: not on the micro and small classes.

        https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_DatabaseInsights.Engines.html
        """
        return self.memory_gb > 2


def read_instance_class(name: str) -> InstanceClass:
    """Return the class called `name`, like t4g.small.

    Raises:
        ValueError: there is no such class; the message says what to write instead.
    """
    if name not in CLASSES:
        example = "write one of RDS for MySQL without the leading db., like t4g.small or m7g.large"
        raise ValueError(f"there is no such class: {did_you_mean(name, CLASSES, otherwise=example)}")
    return CLASSES[name]


# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.DBInstanceClass.Summary.html
_BURSTABLE_SIZES = {  # vCPUs, GiB
    "micro": (2, 1),
    "small": (2, 2),
    "medium": (2, 4),
    "large": (2, 8),
    "xlarge": (4, 16),
    "2xlarge": (8, 32),
}
_SIZES = {"large": 2, "xlarge": 4} | {f"{n}xlarge": 4 * n for n in (2, 4, 8, 12, 16, 24, 32, 48)}  # vCPUs
_FAMILIES = (  # with the GiB per vCPU, and the sizes above 16xlarge
    ("m6g m6gd m7g", 4, ()),
    ("r6g r6gd r7g", 8, ()),
    ("x2g", 16, ()),
    ("m5 m5d", 4, ("24xlarge",)),
    ("r5 r5b r5d", 8, ("24xlarge",)),
    ("m6i m6id m6idn m6in", 4, ("24xlarge", "32xlarge")),
    ("r6i r6id r6idn r6in", 8, ("24xlarge", "32xlarge")),
    ("m7i m8a m8g m8gd m9g", 4, ("24xlarge", "48xlarge")),
    ("r7i r8a r8g r8gd", 8, ("24xlarge", "48xlarge")),
)


def _classes() -> Iterator[InstanceClass]:
    for family in ("t3", "t4g"):
        for size, (vcpus, memory_gb) in _BURSTABLE_SIZES.items():
            yield InstanceClass(name=f"{family}.{size}", vcpus=vcpus, memory_gb=memory_gb, burstable=True)
    for families, gb_per_vcpu, larger in _FAMILIES:
        for family in families.split():
            for size, vcpus in _SIZES.items():
                if vcpus <= _SIZES["16xlarge"] or size in larger:
                    memory_gb = gb_per_vcpu * vcpus
                    yield InstanceClass(name=f"{family}.{size}", vcpus=vcpus, memory_gb=memory_gb, burstable=False)


CLASSES = {each.name: each for each in _classes()}
"""Every known class, by its name."""
