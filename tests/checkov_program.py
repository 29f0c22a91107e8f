"""Prints, as JSON, what checkov's rules find in the templates that the command line names.

For a process of its own, with .venv/checkov on its path: checkov_findings.py starts it. The rules are asked directly.
checkov's own program finds the same here, but needs twice the packages, and asks its maker's server for guidelines.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import checkov.cloudformation.checks.resource.aws  # noqa: F401 - registers the rules
from checkov.cloudformation.checks.resource.registry import cfn_registry
from checkov.common.models.enums import CheckResult


def findings(template: Path) -> Iterator[dict[str, str]]:
    """What is found in one template."""
    for name, resource in json.loads(template.read_text()).get("Resources", {}).items():
        metadata = resource.get("Metadata", {})
        for rule in cfn_registry.get_checks(resource["Type"]):
            if _failed(rule.scan_resource_conf(resource)) and rule.id not in _skipped(metadata):
                yield {"rule": rule.id, "says": rule.name, "path": metadata.get("aws:cdk:path", name)}


def _failed(result: Any) -> bool:
    return (result[0] if isinstance(result, tuple) else result) is CheckResult.FAILED


def _skipped(metadata: dict[str, Any]) -> set[str]:
    """https://www.checkov.io/7.Scan%20Examples/Cloudformation.html: for a team's own resources; with a reason only."""
    skips = metadata.get("checkov", {}).get("skip", [])
    return {skip["id"] for skip in skips if skip.get("comment", "").strip()}


if __name__ == "__main__":
    print(json.dumps([each for file in sys.argv[1:] for each in findings(Path(file))]))  # noqa: T201
