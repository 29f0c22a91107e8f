"""How many connections a server accepts, by its parameter and its class: never more than it does."""

from __future__ import annotations

import math
import re

from settings.instance_class import CLASSES, CONNECTION_BYTES

GIB = 2**30
LINEAR = re.compile(r"\{DBInstanceClassMemory/(\d+)\}")
"""The default of RDS for MySQL.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html#RDS_Limits.MaxConnections"""
LOGARITHM = re.compile(r"\{log\(DBInstanceClassMemory/(\d+)\)\*(\d+)\}")
"""The default of Aurora MySQL is the greatest of two. What AWS lists for each class (45, 90, 1000, 2000 …) comes of
whole logarithms of base 2, of the class's memory as AWS lists it.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraMySQL.Managing.Performance.html#AuroraMySQL.Managing.MaxConnections"""


def least_connections(value: str, instance_class: str) -> int | None:
    """Return the lowest number that max_connections may be where its parameter is `value`; None: ask the server.

    `instance_class` is without the leading "db.".
    """
    if value.isdecimal():
        return int(value)
    if instance_class not in CLASSES:
        return None
    known = CLASSES[instance_class]
    if linear := LINEAR.fullmatch(value):
        return min(16_000, known.max_connections * CONNECTION_BYTES // int(linear[1]))
    if logarithms := LOGARITHM.findall(value):
        memory = known.memory_gb * GIB
        return max(int(math.log2(memory / int(divisor))) * int(factor) for divisor, factor in logarithms)
    return None
