"""What a function is told of its job is short enough for Lambda, and the same text every time."""

import pytest

from settings.job_variables import parameters_variable


def test_parameters_are_compact_and_sorted() -> None:
    assert parameters_variable({"b": [1, {"d": 2, "c": "ü"}], "a": 1.5}) == '{"a":1.5,"b":[1,{"c":"\\u00fc","d":2}]}'


def test_parameters_have_2000_characters_at_most() -> None:
    assert len(parameters_variable({"a": "x" * 1992})) == 2000
    with pytest.raises(ValueError, match=r"^they take 2001 characters as JSON: write 2000 at most"):
        parameters_variable({"a": "x" * 1993})
