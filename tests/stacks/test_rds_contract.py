"""The database through sequences of deploys, on the model in tests/stacks/rds_contract.py of AWS's own handler."""

from typing import Any

import pytest

from settings.environment import EnvironmentSettings
from tests.fixture import ENVIRONMENTS
from tests.stacks.rds_contract import Rds, RefusedByAws, Snapshot
from tests.stacks.templates import Synthesize, the

Template = dict[str, Any]
LARGE = ENVIRONMENTS["large"]


@pytest.fixture(scope="module")
def template(synthesize: Synthesize) -> Template:
    """The instance of large, 100 GB and protected."""
    return the(synthesize(LARGE)["Database"], "AWS::RDS::DBInstance")


@pytest.fixture(scope="module")
def restored(synthesize: Synthesize) -> Template:
    """The same, from a snapshot."""
    return the(synthesize(LARGE, database={"snapshot": "before"})["Database"], "AWS::RDS::DBInstance")


def _with(template: Template, **properties: Any) -> Template:
    return {**template, **properties}


def test_what_rds_upgraded_by_itself_is_restored_as_it_was(template: Template, restored: Template) -> None:
    rds = Rds(default="8.4.10")
    rds.create(template)
    rds.apply_minor_version("8.4.11")
    assert rds.instance is not None
    snapshots = {"before": Snapshot(version=rds.instance.version, storage=rds.instance.storage)}
    for default in ("8.4.10", "8.4.11", "8.4.12"):  # regions differ, and time passes
        other = Rds(default=default, snapshots=snapshots)
        other.create(restored)
        assert other.instance is not None
        assert other.instance.version == max("8.4.11", default)
        assert other.drift(restored) == set()


def test_what_rds_upgraded_by_itself_is_no_drift_and_takes_further_updates(template: Template) -> None:
    rds = Rds(default="8.4.10")
    rds.create(template)
    rds.apply_minor_version("8.4.11")
    assert rds.drift(template) == set()
    # An environment from 0.1.0, which named the version that it was made with.
    rds.update(_with(template, EngineVersion="8.4.10"), template)
    rds.update(template, _with(template, AllocatedStorage="200"))
    assert rds.instance is not None
    assert (rds.instance.version, rds.instance.storage) == ("8.4.11", 200)


def test_a_whole_version_would_be_drift_and_would_refuse_the_restore(restored: Template) -> None:
    whole = _with(restored, EngineVersion="8.4.10")
    rds = Rds(default="8.4.11", snapshots={"before": Snapshot(version="8.4.11", storage=100)})
    with pytest.raises(RefusedByAws, match=r"Cannot upgrade mysql from 8\.4\.11 to 8\.4\.10"):
        rds.create(whole)
    assert rds.drift(whole) == {"EngineVersion"}


def test_a_create_that_fails_midway_is_rolled_back_only_when_the_protection_is_lifted(template: Template) -> None:
    # tests/delivery/test_states.py: it is the first step of what is printed then.
    rds = Rds(default="8.4.10")
    rds.create(template)
    with pytest.raises(RefusedByAws, match="Cannot delete protected DB Instance"):
        rds.delete()
    assert rds.instance is not None
    rds.instance.protected = False
    rds.delete()
    rds.create(template)


def test_a_little_more_storage_is_refused_and_so_is_the_way_back(template: Template) -> None:
    rds = Rds(default="8.4.10")
    rds.create(template)
    little = _with(template, AllocatedStorage="105")
    with pytest.raises(RefusedByAws, match="Invalid storage size"):
        rds.update(template, little)
    with pytest.raises(RefusedByAws, match="Invalid storage size"):
        rds.update(little, template, rollback=True)  # UPDATE_ROLLBACK_FAILED
    rds.update(template, _with(template, AllocatedStorage="110"))


def test_storage_never_shrinks_and_a_rollback_leaves_what_was_added(template: Template) -> None:
    rds = Rds(default="8.4.10")
    rds.create(template)
    more = _with(template, AllocatedStorage="200")
    rds.update(template, more)
    rds.update(more, template, rollback=True)
    assert rds.instance is not None
    assert rds.instance.storage == 200
    with pytest.raises(RefusedByAws, match="Invalid storage size"):
        rds.update(more, template)


@pytest.mark.parametrize(
    "change", [{"name": "other"}, {"snapshot": "before"}, {"snapshot": None}], ids=["name", "restore", "forget"]
)
def test_what_asks_for_another_instance_is_refused_and_takes_no_data_with_it(
    change: dict[str, Any], template: Template, restored: Template, synthesize: Synthesize
) -> None:
    before = restored if change == {"snapshot": None} else template
    rds = Rds(default="8.4.10", snapshots={"before": Snapshot(version="8.4.10", storage=100)})
    rds.create(before)
    changed: EnvironmentSettings = LARGE
    after = the(synthesize(changed, database=change)["Database"], "AWS::RDS::DBInstance")
    with pytest.raises(RefusedByAws):
        rds.update(before, after)
    assert rds.instance is not None


def test_protection_is_taken_away_by_a_deploy_and_then_the_instance_can_be_deleted(template: Template) -> None:
    rds = Rds(default="8.4.10")
    rds.create(template)
    rds.update(template, _with(template, DeletionProtection=False))
    rds.delete()
