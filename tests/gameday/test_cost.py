"""What a game day costs is said by the prices of review/prices.toml, and what has none there is named."""

import pytest

from gameday.cost import SECOND_HOURS, cost
from review.cost import prices_date
from settings.environment import EnvironmentSettings
from tests.fixture import ENVIRONMENTS

BASIC, LARGE = ENVIRONMENTS["basic"], ENVIRONMENTS["large"]


def of(settings: EnvironmentSettings, *, hours: float = 5.0, **database: object) -> float:
    changed = settings.database.model_copy(update=database)
    return cost(settings.model_copy(update={"database": changed}), hours=hours).usd


def test_the_sum_is_that_of_its_parts() -> None:
    hours = 5 + SECOND_HOURS
    instance, storage, proxy, endpoint = 0.016 * hours, 0.115 * 20 / 730 * hours, 0.015 * 2 * 1, 2 * 0.01 * hours
    monthly = (20 * 0.10 + 21 * 0.30 + 3.00) / 730 * hours
    assert of(BASIC) == pytest.approx(instance + storage + proxy + endpoint + monthly)


def test_a_second_zone_and_more_hours_cost_more() -> None:
    one = of(LARGE, multi_az=False)
    assert of(LARGE, multi_az=True) - one == pytest.approx(
        (5 + SECOND_HOURS) * (0.168 + 0.115 * LARGE.made_database.storage_gb / 730)
    )
    assert of(LARGE, hours=6, multi_az=False) > one


def test_what_has_no_price_is_named() -> None:
    other = BASIC.database.model_copy(update={"instance_class": "r7g.large"})
    text = str(cost(BASIC.model_copy(update={"database": other}), hours=5))
    assert "Not in it, as that page has no price: the instance, r7g.large." in text


def test_the_date_of_the_prices_is_said() -> None:
    assert f"looked up on {prices_date():%-d %B %Y}" in str(cost(BASIC, hours=5))
