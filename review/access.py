"""The access that a change adds: permissions, and connections through security groups.

The whole environment counts: a permission that moves from one policy to another is not new.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from review.grants import OF_ANOTHER, grants
from review.new_jobs import unlike_other_jobs
from review.rules import Rule, let_through, rules
from review.templates import SynthesizedEnvironment


def widened(before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> Iterator[tuple[str, str, str]]:
    """The access that only `after` gives: the path of what has it, a word for it, and a sentence.

    Both have their jobs in one stack.
    """
    yield from _more_granted(before, after)
    yield from _more_open(before, after)


def _more_open(before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> Iterator[tuple[str, str, str]]:
    old, new = list(rules(before)), list(dict.fromkeys(rules(after)))
    added = [rule for rule in new if not let_through(rule, old)]
    for rule in unlike_other_jobs(added, old, new, before, after):
        lets = f"lets {rule.peer} in" if rule.way == "in" else f"lets it reach {rule.peer}"
        yield rule.group, "opens" if rule.way == "in" else "reaches", f"{lets}, on {_ports(rule)}"


def _more_granted(before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> Iterator[tuple[str, str, str]]:
    old, new = list(dict.fromkeys(grants(before))), list(dict.fromkeys(grants(after)))
    same = set(old) & set(new)  # almost all, and a thousand jobs have 25,000
    added = [
        grant for grant in new if not grant.denies and grant not in same and not any(each.covers(grant) for each in old)
    ]
    added = unlike_other_jobs(added, old, new, before, after)
    paths = {resource.path for resource in before.resources.values() if resource.kind not in OF_ANOTHER}
    gone = paths - {resource.path for resource in after.resources.values()}
    dropped = [
        grant
        for grant in old
        if grant.denies
        and grant not in same
        and grant.holder not in gone
        and not any(each.covers(grant) for each in new)
    ]
    for word, words, some_grants in (("allows", "may now", added), ("undenied", "is no longer denied", dropped)):
        actions = defaultdict(list)
        for grant in some_grants:
            actions[grant.holder, grant.who, grant.on, grant.condition].append(grant.action)
        for (holder, who, on, condition), some in sorted(actions.items()):
            named = ", ".join(f"`{action}`" for action in sorted(some))
            only = f", if `{condition}`" if condition else ""
            subject = f"`{who}`" if who else "it"
            yield holder, word, f"{subject} {words} {named} on `{on}`{only}"


def _ports(rule: Rule) -> str:
    if rule.protocol == "-1":
        return "every port and protocol"
    first, last = rule.ports
    return f"{rule.protocol} `{first}`" if first == last else f"{rule.protocol} `{first}` to `{last}`"
