"""What one stack reads of another: a value that changes has to change the reader, too, in the same deploy.

`Fn::GetStackOutput` is resolved when the reading stack is updated, and a stack whose template is the same is not. What
the settings determine is a literal in both templates (the database's port); all else that crosses is an id or a name,
which stays as long as its resource. So it goes stale exactly where a resource is replaced under the same logical id.

Exports (`Fn::ImportValue`) would refuse that, but only once the other stack has been changed and has to be rolled back;
and they refuse what is meant to work, as nothing that another stack still reads can be turned off.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-getstackoutput.html
https://github.com/aws/aws-cdk/issues/7602
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from delivery.assembly import Assembly
from review.changes import Change, compare
from review.schemas import fixed_name
from review.templates import SynthesizedEnvironment, read_environments, read_templates


def left_behind(assembly: Assembly, deployed: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what `assembly` would replace under stacks that go on using the old one, line by line.

    `deployed` has the templates of the stacks as they are, by name.
    """
    after = read_environments(assembly.folder)[assembly.environment]
    prefix = f"{after.name}-"
    templates = {name.removeprefix(prefix): template for name, template in deployed.items()}
    return list(stale(read_templates(after.name, after.account, after.region, templates, {}), after))


def stale(before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> Iterator[str]:
    """Say which resources are replaced that another stack reads, line by line."""
    for change in compare(before, after):
        if _is_replaced_silently(change, after.region) and (users := _users(change, after)):
            why = "; ".join(change.because)
            yield f"- {change.resource.path} would be replaced ({why}), and {users} would go on with the old one"


def _is_replaced_silently(change: Change, region: str) -> bool:
    if change.how != "replaced" or change.before is None or change.after is None:
        return False
    # With another logical id its outputs have other names, so that its readers change. What has a fixed name,
    # CloudFormation does not replace, but refuses.
    same = change.before.logical_id == change.after.logical_id
    return same and fixed_name(region, change.after.kind, change.after.properties) is None


def _users(change: Change, environment: SynthesizedEnvironment) -> str:
    """The other stacks that refer to the changed resource."""
    used = change.resource
    resources = environment.resources.values()
    users = {
        each.stack for each in resources if each.stack != used.stack and used in environment.meant(each.properties)
    }
    return " and ".join(sorted(users))
