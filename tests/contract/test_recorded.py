from functools import cache

import pytest

from tests.contract.recording import Recording, cases, difference, read, record

recorded = read()
SECTIONS = sorted({section for section, _ in cases(recorded)})


@cache
def made() -> Recording:
    return record()


@pytest.mark.parametrize("section", SECTIONS)
def test_contract_stands_as_it_was_recorded(section: str) -> None:
    found = [
        line
        for each, case in cases(recorded)
        if each == section
        for line in difference(recorded, made(), section, case)
    ]
    assert not found, "\n".join(["`python -m tests.contract` records a change on purpose.", *found])


def test_every_case_is_recorded() -> None:
    assert set(cases(made())) == set(cases(recorded))
