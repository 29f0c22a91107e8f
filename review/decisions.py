"""What of a change is one decision: a part that comes or goes as a whole, like a job or the proxy, needs one yes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from review.changes import Change
from review.danger import Danger
from review.templates import SynthesizedEnvironment


def decided(found: Iterable[Danger], changes: Sequence[Change], after: SynthesizedEnvironment) -> Iterator[Danger]:
    """Return `found`, those of what goes as a whole with one resource and one code."""
    wholes = _gone(changes, after)
    for danger in found:
        whole = wholes.get(danger.resource)
        yield danger if whole is None else _of_whole(danger, whole)


def _of_whole(danger: Danger, whole: str) -> Danger:
    part = danger.resource.removeprefix(f"{whole}/")
    return replace(danger, kind="data", resource=whole, code="removed", text=f"its `{part}` {danger.text}")


def _gone(changes: Sequence[Change], after: SynthesizedEnvironment) -> dict[str, str]:
    """The whole that each removed resource is a part of, by its path: the largest of which nothing is left."""
    left = {prefix for each in after.resources.values() for prefix in _prefixes(each.path)}
    removed = [each.resource.path for each in changes if each.how == "removed" and "::" in each.resource.kind]
    wholes = {path: next((each for each in _prefixes(path) if each not in left), path) for path in removed}
    return {path: whole for path, whole in wholes.items() if list(wholes.values()).count(whole) > 1}


def _prefixes(path: str) -> Iterator[str]:
    """The constructs that contain it, without the stack, from the largest on; itself at last."""
    parts = path.split("/")
    yield from ("/".join(parts[:length]) for length in range(2, len(parts) + 1))
