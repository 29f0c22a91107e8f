"""Which packages of the jobs another lock brings: somebody else's code, which runs beside the team's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from packages.locks import lock_file, read_lock
from packages.requirements import PackagesError, base_file, shown
from packages.target import FUNCTION
from review.markdown import code


def changed_packages(old: Path, new: Path) -> Iterator[str]:
    """What each lock of the project in `new` changes of that in `old`, in Markdown."""
    before, after = _locked(old), _locked(new)
    for lock in sorted(before.keys() | after.keys()):
        was, now = before.get(lock, {}), after.get(lock, {})
        changed = [_changed(name, was.get(name), now.get(name)) for name in sorted(was.keys() | now.keys())]
        if lines := [line for line in changed if line]:
            yield f"{code(lock)}: {', '.join(lines)}"


def _changed(name: str, before: tuple[str, str] | None, after: tuple[str, str] | None) -> str:
    """How a package's version and hash are others now; nothing if they are not."""
    if before == after:
        return ""
    if before is None or after is None:
        there = after or before
        return f"{code(name)} {there[0] if there else ''} {'is new' if after else 'is gone'}"
    if before[0] == after[0]:
        return f"{code(name)} {after[0]} is another file of the same version"
    return f"{code(name)} from {before[0]} to {after[0]}"


def _locked(project: Path) -> Mapping[str, Mapping[str, tuple[str, str]]]:
    """The functions' packages of each lock, with their versions and hashes; none of a lock that can't be read."""
    jobs = project / "lambda" / "jobs"
    found = {}
    for file in (lock_file(base_file(jobs)), *jobs.glob("[!.]*.lock")):
        try:
            wheels = read_lock(file)[1].get(FUNCTION.name, []) if file.is_file() else []
        except PackagesError:  # a synth says so
            continue
        found[shown(file)] = {wheel.package: (wheel.version, wheel.sha256) for wheel in wheels}
    return found
