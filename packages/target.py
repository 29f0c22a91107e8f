"""Where wheels run: a Python on a machine. That of the functions, that of this process, those of a team's machines."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from itertools import chain

from packaging.tags import Tag, compatible_tags, cpython_tags

NEWEST_GLIBC = 34
"""glibc 2.34, of Amazon Linux 2023, which Lambda's Python runs on: a wheel for a newer one does not load there.

https://docs.aws.amazon.com/linux/al2023/ug/compare-with-al2.html
"""
OLDEST_GLIBC = {"aarch64": 17, "x86_64": 5}
"""Where manylinux begins for a machine: https://peps.python.org/pep-0600/"""


@dataclass(frozen=True, order=True)
class Target:
    """A version of CPython on a machine with Linux."""

    python: str
    """Like 3.14."""
    machine: str
    """As Python's `platform.machine()` calls it: aarch64, x86_64."""

    def __str__(self) -> str:
        """Return it as it is said to people."""
        return f"Python {self.python} on {self.machine}"

    @property
    def name(self) -> str:
        """What a lock calls it."""
        return f"{self.python}-{self.machine}"

    @property
    def abi(self) -> str:
        """What compiled modules are made for."""
        return f"cp{self.python.replace('.', '')}"

    @property
    def platforms(self) -> list[str]:
        """The platforms of its wheels, those for the newest glibc first."""
        oldest = OLDEST_GLIBC.get(self.machine, 17)
        named = [f"manylinux_2_{glibc}_{self.machine}" for glibc in range(NEWEST_GLIBC, oldest - 1, -1)]
        return [*named, f"manylinux2014_{self.machine}"]

    @property
    def tags(self) -> frozenset[Tag]:
        """What a wheel's name may say for it to run there."""
        version = tuple(map(int, self.python.split(".")))
        compiled = cpython_tags(version, platforms=self.platforms)
        return frozenset(chain(compiled, compatible_tags(version, self.abi, self.platforms)))

    @property
    def markers(self) -> dict[str, str]:
        """What the markers of requirements are compared with: https://peps.python.org/pep-0508/"""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
        }


FUNCTION = Target("3.14", "aarch64")
"""What the functions run on. stacks/jobs/function.py deploys this Python, on this machine."""
HERE = Target(f"{sys.version_info.major}.{sys.version_info.minor}", platform.machine())
"""What `make run`, `make try` and the tests of jobs run on."""
NEWEST = int(FUNCTION.python.partition(".")[2])
MACHINES = sorted(
    {Target(f"3.{minor}", machine) for minor in range(11, NEWEST + 1) for machine in OLDEST_GLIBC} | {FUNCTION, HERE}
)
"""What a lock is for: the functions, and the machines of a team and of its workflows."""
