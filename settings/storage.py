"""How the storage of an RDS instance can change."""

from __future__ import annotations


def growth_mistake(before_gb: int, after_gb: int) -> str | None:
    """Return why RDS refuses to change storage from `before_gb` to `after_gb`, and what to write; None if it does not.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.ModifyingExisting.html; CloudFormation can't even
    roll such an update back: https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1312
    """
    if after_gb < before_gb:
        return f"RDS can't shrink storage: write {before_gb}, or {least_growth(before_gb)} or more"
    if before_gb < after_gb < least_growth(before_gb):
        return f"RDS grows storage by 10 % or more: write {before_gb}, or {least_growth(before_gb)} or more"
    return None


def least_growth(gb: int) -> int:
    """Return the least storage above `gb` that RDS grows to."""
    return -(-gb * 11 // 10)
