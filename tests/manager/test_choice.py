from typing import get_args

from consentkit.manager.choice import SURFACES, Surface


def test_the_surfaces_that_are_checked_are_those_that_are_typed() -> None:
    assert get_args(Surface) == SURFACES
