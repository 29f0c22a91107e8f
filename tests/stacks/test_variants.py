"""The environments that every check sees: together they have every setting, and more than its default."""

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel

from settings.environment import DeliverySettings, EnvironmentSettings, JobSettings
from tests.fixture import ENVIRONMENTS, VARIANTS, load_files

SETTINGS = [*ENVIRONMENTS.values(), *load_files(VARIANTS)]
COMBINED = ("proxy.enabled", "database.auth", "database.snapshot", "encryption_key", "permissions_boundary")


def test_every_setting_has_several_values_among_them() -> None:
    found: dict[str, set[str]] = {}
    for settings in SETTINGS:
        for place, value in _leaves(settings):
            found.setdefault(place, set()).add(repr(value))
    for model, prefix in ((DeliverySettings, "delivery."), (JobSettings, "jobs.")):
        assert {f"{prefix}{name}" for name in model.model_fields} <= found.keys()
    assert EnvironmentSettings.model_fields.keys() <= {place.partition(".")[0] for place in found}
    once = [place for place, values in found.items() if len(values) == 1]
    # Environments without clients, a delivery or jobs are among them; an accepted change makes no template.
    empty = ("database.clients", "delivery", "jobs")
    assert [place for place in once if place not in empty and not place.startswith("accept_change")] == []


def test_proxy_login_snapshot_key_and_boundary_meet_each_other() -> None:
    """Each of two with and without the other, but for a boundary, which changes no resource but roles."""
    on = [{place: _is_on(value) for place, value in _leaves(settings)} for settings in SETTINGS]
    for number, one in enumerate(COMBINED):
        for other in COMBINED[number + 1 :]:
            met = {(each.get(one, False), each.get(other, False)) for each in on}
            assert len(met) >= (3 if "permissions_boundary" in (one, other) else 4), (one, other)


def _is_on(value: Any) -> bool:
    return value not in (None, False, "iam")


def _leaves(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, f"{prefix}{name}.")
        elif isinstance(value, tuple) and any(isinstance(each, BaseModel) for each in value):
            for each in _models(value):
                yield from _leaves(each, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _models(values: Iterable[Any]) -> Iterator[BaseModel]:
    yield from (each for each in values if isinstance(each, BaseModel))
