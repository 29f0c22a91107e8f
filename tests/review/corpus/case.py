"""What a case of the corpus is made of: one change of an environment's templates, and what is wanted of the review."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from review.templates import SynthesizedEnvironment, read_templates

ACCESS = frozenset({"access"})
DATA = frozenset({"data"})
PROTECTION = frozenset({"protection"})
REFUSED = frozenset({"refused"})
UNCLASSIFIED = frozenset({"unclassified"})
BREAKS = frozenset({"breaks"})
ANY = ACCESS | BREAKS | DATA | PROTECTION | REFUSED | UNCLASSIFIED
"""Where it matters that somebody is asked, and not under which heading."""


@dataclass
class Draft:
    """The templates of an environment, to be edited."""

    name: str
    account: str
    region: str
    templates: dict[str, Any]
    """By stack, as CloudFormation gets them."""
    protected: dict[str, bool]
    """Whether a stack is protected from deletion."""

    @classmethod
    def of(cls, assembly: Path, name: str) -> Draft:
        """The stage `name` in `assembly`, a synthesized app."""
        folder = assembly / f"assembly-{name}"
        artifacts = json.loads((folder / "manifest.json").read_text())["artifacts"].values()
        stacks = {
            each["properties"]["stackName"].removeprefix(f"{name}-"): each
            for each in artifacts
            if each["type"] == "aws:cloudformation:stack"
        }
        account, region = next(iter(stacks.values()))["environment"].removeprefix("aws://").split("/")
        templates = {
            stack: json.loads((folder / each["properties"]["templateFile"]).read_text())
            for stack, each in stacks.items()
        }
        protected = {stack: each["properties"].get("terminationProtection", False) for stack, each in stacks.items()}
        return cls(name, account, region, templates, protected)

    def edited(self, edit: Edit) -> Draft:
        """A copy, with `edit` done to it."""
        text = json.dumps(self.templates)
        draft = replace(self, templates=json.loads(text), protected=dict(self.protected))
        edit(draft)
        # The order of keys counts, too: another order is a change that means nothing.
        assert json.dumps(draft.templates) != text or draft != self, "the edit changes nothing"
        return draft

    def read(self) -> SynthesizedEnvironment:
        """The environment, as the review sees it."""
        return read_templates(self.name, self.account, self.region, self.templates, self.protected)

    def find(self, kind: str, path: str) -> tuple[str, str, dict[str, Any]]:
        """The stack, logical id and body of the one resource of this type whose path has `path` at its end, or in it.

        `kind` is without its AWS::.
        """
        every = [
            (self._path(body), stack, logical_id, body)
            for stack, template in self.templates.items()
            for logical_id, body in template["Resources"].items()
            if body["Type"] in (kind, f"AWS::{kind}")
        ]
        found = [each for each in every if f"/{each[0]}".endswith(f"/{path}")] or [
            each for each in every if path in each[0]
        ]
        assert len(found) == 1, f"{kind} {path} is {[each[0] for each in found]} of {[each[0] for each in every]}"
        return found[0][1:]

    def _path(self, body: Mapping[str, Any]) -> str:
        path = body.get("Metadata", {}).get("aws:cdk:path", "").removeprefix(f"{self.name}/")
        return re.sub(r"(/(Resource|Default))+$", "", path)

    def resolved(self, stack: str, value: Any) -> Any:
        """`value` with each `Reference` in it as `stack` writes it; another stack's resource needs an output there."""
        match value:
            case Reference():
                other, logical_id, _ = self.find(value.kind, value.path)
                inner: Any = {"Ref": logical_id}
                if value.attribute:
                    inner = {"Fn::GetAtt": [logical_id, value.attribute]}
                if other == stack:
                    return inner
                outputs = self.templates[other]["Outputs"]
                name = next(name for name, output in outputs.items() if output["Value"] == inner)
                place = {"StackName": f"{self.name}-{other}", "Region": self.region, "OutputName": name}
                return {"Fn::GetStackOutput": place}
            case dict():
                return {key: self.resolved(stack, part) for key, part in value.items()}
            case list():
                return [self.resolved(stack, part) for part in value]
            case _:
                return value


@dataclass(frozen=True)
class Reference:
    """Stands for a reference to a resource, which the test cannot write: its logical id has a hash in it."""

    kind: str
    path: str
    attribute: str = ""


Edit = Callable[[Draft], None]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A change, and what is wanted of the review."""

    name: str
    base: str
    """The environment, or another stage of one, whose templates are edited."""
    edit: Edit = field(repr=False)
    asked: frozenset[str] = frozenset()
    """The kinds of danger under which it may be asked about; none, if it is harmless."""
    names: tuple[str, ...] = ()
    """One of these is in the resource that the danger names."""
    listed: bool = False
    """Whether it is harmless, and yet has to be in the list of changes."""
    given: Edit | None = field(default=None, repr=False)
    """What is done to the templates before, where they have nothing that the case could change."""


def asked(base: str, name: str, edit: Edit, kinds: frozenset[str], *names: str) -> Case:
    """A change that needs a yes."""
    return Case(name=name, base=base, edit=edit, asked=kinds, names=names)


def same(base: str, name: str, edit: Edit) -> Case:
    """Another way to write what means the same: nobody is asked, and it may be shown or not."""
    return Case(name=name, base=base, edit=edit)


def harmless(base: str, name: str, edit: Edit) -> Case:
    """A change that nobody is asked about, and everybody can see."""
    return Case(name=name, base=base, edit=edit, listed=True)


def given(edit: Edit, *cases: Case) -> list[Case]:
    """The cases, where the templates were edited so before."""
    return [replace(case, given=edit) for case in cases]


# What a case does to the templates. A place is a path of keys with dots between them; a number is an index in a list.


def put(kind: str, path: str, place: str, value: Any) -> Edit:
    """Give a property this value."""
    return change(kind, path, place, lambda _: value)


def without(kind: str, path: str, place: str) -> Edit:
    """Remove a property, or an element of a list."""

    def edit(draft: Draft) -> None:
        _, _, body = draft.find(kind, path)
        holder, key = _at(body["Properties"], place)
        del holder[key]

    return edit


def change(kind: str, path: str, place: str, new: Callable[[Any], Any]) -> Edit:
    """Give a property the value that `new` makes of its value."""

    def edit(draft: Draft) -> None:
        stack, _, body = draft.find(kind, path)
        holder, key = _at(body.setdefault("Properties", {}), place)
        old = holder[key] if isinstance(key, int) else holder.get(key)
        holder[key] = draft.resolved(stack, new(copy.deepcopy(old)))

    return edit


def _at(holder: Any, place: str) -> tuple[Any, Any]:
    *way, last = (int(key) if key.isdigit() else key for key in place.split("."))
    for key in way:
        holder = holder[key] if isinstance(key, int) else holder.setdefault(key, {})
    return holder, last


def attribute(kind: str, path: str, name: str, value: Any) -> Edit:
    """Give what is beside the properties, like DeletionPolicy, this value; None removes it."""

    def edit(draft: Draft) -> None:
        _, _, body = draft.find(kind, path)
        if value is None:
            del body[name]
        else:
            body[name] = value

    return edit


def drop(kind: str, path: str) -> Edit:
    """Remove a resource; nothing waits for it any more."""

    def edit(draft: Draft) -> None:
        stack, logical_id, _ = draft.find(kind, path)
        resources = draft.templates[stack]["Resources"]
        del resources[logical_id]
        for body in resources.values():
            if logical_id in body.get("DependsOn", []):
                body["DependsOn"] = [each for each in body["DependsOn"] if each != logical_id]

    return edit


def add(stack: str, logical_id: str, kind: str, properties: Mapping[str, Any], **attributes: Any) -> Edit:
    """Add a resource; its path is its stack and its logical id."""

    def edit(draft: Draft) -> None:
        draft.templates[stack]["Resources"][logical_id] = {
            "Type": kind if kind.startswith(("Custom::", "Made::")) else f"AWS::{kind}",
            "Properties": draft.resolved(stack, dict(properties)),
            **attributes,
            "Metadata": {"aws:cdk:path": f"{draft.name}/{stack}/{logical_id}/Resource"},
        }

    return edit


def rename(kind: str, path: str, new: str) -> Edit:
    """Give a resource another logical id, and its construct another path; who refers to it follows."""

    def edit(draft: Draft) -> None:
        stack, logical_id, body = draft.find(kind, path)
        template = json.dumps(draft.templates[stack]).replace(f'"{logical_id}"', f'"{new}"')
        draft.templates[stack] = json.loads(template.replace(f"${{{logical_id}", f"${{{new}"))
        body = draft.templates[stack]["Resources"][new]
        body["Metadata"]["aws:cdk:path"] = f"{draft.name}/{stack}/{new}/Resource"

    return edit


def section(stack: str, name: str, value: Any) -> Edit:
    """Set a section of a template, like Transform; a mapping is added to what is there, and None removes it all."""

    def edit(draft: Draft) -> None:
        template = draft.templates[stack]
        if value is None:
            del template[name]
            return
        template[name] = {**template.get(name, {}), **value} if isinstance(value, dict) else value

    return edit


def under_condition(kind: str, path: str, condition: Any) -> Edit:
    """Create a resource only if `condition`."""

    def edit(draft: Draft) -> None:
        stack, _, body = draft.find(kind, path)
        draft.templates[stack].setdefault("Conditions", {})["Sometimes"] = condition
        body["Condition"] = "Sometimes"

    return edit


def output(stack: str, contains: str, new: Callable[[Any], Any] | None) -> Edit:
    """Change an output, found by a part of its name, or remove it."""

    def edit(draft: Draft) -> None:
        outputs = draft.templates[stack]["Outputs"]
        [name] = [name for name in outputs if contains in name]
        if new is None:
            del outputs[name]
        else:
            outputs[name] = new(outputs[name])

    return edit


def unprotect(stack: str) -> Edit:
    """Turn the protection of a stack from deletion off."""
    return lambda draft: draft.protected.update({stack: False})


def protect(stack: str) -> Edit:
    """Turn the protection of a stack from deletion on."""
    return lambda draft: draft.protected.update({stack: True})


def several(*edits: Edit) -> Edit:
    """Do one after the other: where one change takes two edits."""

    def edit(draft: Draft) -> None:
        for each in edits:
            each(draft)

    return edit
