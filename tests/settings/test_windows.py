"""The windows of RDS: what they mean, how long they are, and which of them meet."""

import pytest

from settings.windows import daily_window, weekly_window


@pytest.mark.parametrize("text", ["02:00-02:30", "23:45-00:15", "00:00-23:59"])
def test_a_daily_window_of_half_an_hour_or_more_is_right(text: str) -> None:
    daily_window(text)


@pytest.mark.parametrize("text", ["sun:03:00-sun:03:30", "sun:23:45-mon:00:15", "mon:00:00-sun:23:59"])
def test_a_weekly_window_of_half_an_hour_or_more_is_right(text: str) -> None:
    weekly_window(text)


@pytest.mark.parametrize(
    ("text", "minutes"), [("02:00-02:29", 29), ("23:50-00:10", 20), ("02:00-02:00", 0), ("00:00-00:01", 1)]
)
def test_a_shorter_one_is_refused(text: str, minutes: int) -> None:
    with pytest.raises(ValueError, match=f"it takes {minutes} minutes: write 30 or more"):
        daily_window(text)
    first, last = text.split("-")
    day = "tue" if first > last else "mon"
    with pytest.raises(ValueError, match=f"it takes {minutes} minutes: write 30 or more"):
        weekly_window(f"mon:{first}-{day}:{last}")


@pytest.mark.parametrize(
    ("daily", "weekly", "meet"),
    [
        ("02:00-02:30", "sun:02:30-sun:03:00", False),
        ("02:00-02:30", "sun:01:30-sun:02:00", False),
        ("02:00-02:30", "sun:02:29-sun:03:00", True),
        ("02:00-02:30", "sun:01:00-sun:02:01", True),
        ("02:00-02:30", "tue:23:00-wed:03:00", True),
        ("02:00-02:30", "tue:03:00-wed:01:59", False),
        ("02:00-02:30", "tue:03:00-thu:01:00", True),
        ("23:45-00:15", "sun:23:00-sun:23:45", False),
        ("23:45-00:15", "mon:00:14-mon:01:00", True),
        ("23:45-00:15", "mon:00:15-mon:01:00", False),
        ("00:00-00:30", "sun:23:30-mon:00:10", True),
    ],
)
def test_windows_that_share_a_minute_meet(daily: str, weekly: str, meet: bool) -> None:
    assert daily_window(daily).meets(weekly_window(weekly)) is meet
    assert weekly_window(weekly).meets(daily_window(daily)) is meet
