import inspect
import re

import pytest

from consentkit import errors
from consentkit.errors import (
    ConsentError,
    ConsentRequiredError,
    PolicyError,
    PolicyProblem,
    UnknownCategoryError,
)


def classes() -> dict[str, type[Exception]]:
    return {
        name: one for name, one in vars(errors).items() if inspect.isclass(one) and issubclass(one, Exception)
    }


def test_the_tree_that_is_drawn_is_the_tree_that_is() -> None:
    drawn = re.findall(
        r"^([│├└─ ]*)(\w+Error)\b", (errors.__doc__ or "").partition("::")[2].replace("\n    ", "\n"), re.M
    )
    ancestors: list[str] = []
    for indent, name in drawn:
        depth = len(indent) // 4
        del ancestors[depth:]
        if ancestors:
            assert issubclass(classes()[name], classes()[ancestors[-1]]), name
        ancestors.append(name)
    assert {name for _, name in drawn} == set(classes())


def test_all_of_them_are_offered_and_end_in_error() -> None:
    assert set(errors.__all__) == {*classes(), "PolicyProblem"}
    assert all(name.endswith("Error") and issubclass(one, ConsentError) for name, one in classes().items())


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (
            PolicyProblem("a.toml", 3, "vendors[2].country", '"XX"', "No country.", "Name one."),
            'a.toml:3: vendors[2].country = "XX": No country. Name one.',
        ),
        (PolicyProblem("a.toml", None, "", "", "It is empty.", ""), "a.toml: It is empty."),
        (
            PolicyProblem("a.toml", 1, "schema", "", "It is missing.", "Write it."),
            "a.toml:1: schema: It is missing. Write it.",
        ),
    ],
)
def test_a_problem_reads_like_a_compilers(problem: PolicyProblem, words: str) -> None:
    assert str(problem) == words
    assert str(PolicyError((problem, problem))) == f"{words}\n{words}"


def test_an_unknown_id_is_named_with_those_that_are_known() -> None:
    assert str(UnknownCategoryError("x", ("a", "b"))) == "The policy has no category 'x'; it has: a, b."
    assert str(UnknownCategoryError("x")) == "The policy has no category 'x'; it has: none."


def test_a_missing_consent_is_named() -> None:
    assert "category 'social'" in str(ConsentRequiredError("social"))
    assert "vendor 'youtube' of category 'social'" in str(ConsentRequiredError("social", "youtube"))
