"""Every page of Stride but the articles in English, in every state: see `tests.support.walking.Walk`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.support.walking import STATES, Walk, open_as_visitor, other_paths

if TYPE_CHECKING:
    from playwright.sync_api import Page

WALK = Walk()


# AX-01, AX-05, AX-06, IN-07
@pytest.mark.parametrize("state", STATES)
def test_other_pages_in_english_fit_and_are_accessible(
    sites: dict[str, str], new_page: "Callable[..., Page]", state: str
) -> None:
    page = open_as_visitor(new_page, sites["stride"], "en", state)
    WALK.check(page, sites["stride"], other_paths("stride"), "stride", "en", state)
