"""Changes that AWS refuses whatever else is deployed: found here, not by a deploy that fails and can't roll back."""

from __future__ import annotations

from collections.abc import Iterator

from review.changes import Change
from settings.storage import growth_mistake


def refused(change: Change) -> Iterator[str]:
    """Why AWS will refuse `change`, each as a sentence."""
    if change.resource.kind != "AWS::RDS::DBInstance" or change.how != "changed":
        return
    for each in change.differences:
        stated = each.place == ("AllocatedStorage",) and None not in (each.before, each.after)
        if stated and (why := growth_mistake(int(each.before), int(each.after))):
            yield f"{each.text}: AWS will refuse, as {why}"
