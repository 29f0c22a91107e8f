"""What the models of settings have in common: how they are, and texts that must look like something."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

KEY = r"arn:aws:kms:[a-z0-9-]+:[0-9]{12}:key/(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})"


class Settings(BaseModel):
    """Settings don't change, and a key that nobody reads is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


@dataclass(frozen=True)
class Like:
    """Requires a text to match `pattern`; else says what to `write`."""

    pattern: str
    write: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema of the text, with the check after it."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Return the JSON schema of the text, with the pattern."""
        return {**handler(schema), "pattern": f"^({self.pattern})$", "x-write": self.write}

    def _check(self, value: str) -> str:
        if not re.fullmatch(self.pattern, value, re.ASCII):  # \w and \d mean ASCII's, as in the JSON schema
            raise ValueError(f"write {self.write}")
        return value


def partition_of(region: str) -> str:
    """Return what the ARNs of a region begin with after `arn:`."""
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"


def region_of(arn: str) -> str:
    """Return the region that the ARN of a resource names."""
    return arn.split(":")[3]
