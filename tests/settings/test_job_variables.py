"""What the functions are told of the jobs is short enough for Lambda, and the same text every time."""

import pytest

from settings.job_variables import fits_variable, parameters_variable, rights_text


def test_parameters_are_compact_and_sorted() -> None:
    assert parameters_variable({"b": [1, {"d": 2, "c": "ü"}], "a": 1.5}) == '{"a":1.5,"b":[1,{"c":"\\u00fc","d":2}]}'


def test_rights_are_the_sorted_sum_of_what_the_jobs_need() -> None:
    one = {"b": frozenset({"SELECT", "INSERT"})}
    two = {"b": frozenset({"DELETE"}), "a": frozenset({"SELECT"})}
    assert rights_text([one, two]) == '{"a":"SELECT","b":"DELETE, INSERT, SELECT"}'


def test_parameters_have_2000_characters_at_most() -> None:
    assert len(parameters_variable({"a": "x" * 1992})) == 2000
    with pytest.raises(ValueError, match=r"^they take 2001 characters as JSON: write 2000 at most"):
        parameters_variable({"a": "x" * 1993})


def test_rights_of_more_than_3000_characters_do_not_fit_beside_what_else_lambda_allows() -> None:
    select = frozenset({"SELECT"})
    names = [f"t{number:0>58}" for number in range(42)]
    assert fits_variable(rights_text([dict.fromkeys([*names, "a" * 5], select)]))
    assert not fits_variable(rights_text([dict.fromkeys([*names, "a" * 6], select)]))
