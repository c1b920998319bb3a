from functools import cache

import pytest

from tests.contract.recording import Recording, cases, difference, read, record

recorded = read()


@cache
def made() -> Recording:
    return record()


@pytest.mark.parametrize(("section", "case"), cases(recorded))
def test_contract_stands_as_it_was_recorded(section: str, case: str) -> None:
    found = difference(recorded, made(), section, case)

    assert not found, "\n".join(["`python -m tests.contract` records a change on purpose.", *found])


def test_every_case_is_recorded() -> None:
    assert set(cases(made())) == set(cases(recorded))
