"""Every page of Stride in Dutch, in every state: see `tests.support.walking.Walk`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.support.walking import STATES, Walk, open_as_visitor, paths_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

WALK = Walk()


# AX-01, AX-05, AX-06, IN-07
@pytest.mark.parametrize("state", STATES)
def test_every_page_of_stride_in_dutch_fits_and_is_accessible(
    sites: dict[str, str], new_page: "Callable[..., Page]", state: str
) -> None:
    page = open_as_visitor(new_page, sites["stride"], "nl", state)
    WALK.check(page, sites["stride"], paths_of("stride"), "stride", "nl", state)
