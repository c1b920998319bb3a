"""Every article of Stride in Dutch, in every state: see `tests.support.walking.Walk`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.support.walking import STATES, Walk, article_paths, open_as_visitor

if TYPE_CHECKING:
    from playwright.sync_api import Page

WALK = Walk()


# AX-01, AX-05, AX-06, IN-07
@pytest.mark.parametrize("state", STATES)
def test_articles_in_dutch_fit_and_are_accessible(
    sites: dict[str, str], new_page: "Callable[..., Page]", state: str
) -> None:
    page = open_as_visitor(new_page, sites["stride"], "nl", state)
    WALK.check(page, sites["stride"], article_paths("stride"), "stride", "nl", state)
