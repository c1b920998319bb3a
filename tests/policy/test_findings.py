from typing import Annotated

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic.functional_validators import AfterValidator

from consentkit.policy.findings import Finding, invalid


def refuse(value: str) -> str:
    raise invalid(f"{value} is wrong.", "Fix it.")


@pytest.mark.parametrize("value", ["This", "{value}", "{message} {remedy}", "100 %s"])
def test_message_and_remedy_pass_through_pydantic_unchanged(value: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Annotated[str, AfterValidator(refuse)]).validate_python(value)
    (error,) = caught.value.errors()
    assert error["ctx"] == {"message": f"{value} is wrong.", "remedy": "Fix it."}


def test_a_finding_is_a_problem_by_default() -> None:
    assert Finding(("a",), "Wrong.", "Fix it.").warning is False
