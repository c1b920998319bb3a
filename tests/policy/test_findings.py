from typing import Annotated

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic.functional_validators import AfterValidator

from consentkit.policy.findings import Finding, invalid


def refuse(value: str) -> str:
    raise invalid(f"{value} is wrong.", "Mend it.")


@pytest.mark.parametrize("value", ["This", "{value}", "{message} {remedy}", "100 %s"])
def test_a_fault_carries_its_words_through_pydantic_as_they_are(value: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Annotated[str, AfterValidator(refuse)]).validate_python(value)
    (error,) = caught.value.errors()
    assert error["ctx"] == {"message": f"{value} is wrong.", "remedy": "Mend it."}


def test_a_finding_is_a_problem_unless_it_says_otherwise() -> None:
    assert Finding(("a",), "Wrong.", "Mend it.").warning is False
