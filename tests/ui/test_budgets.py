"""Sizes of the files that pages load, compressed as a server would."""

import json

import brotli
import pytest

from consentkit.ui import inline_style
from tests.support.front import Front


# `remote.js` takes the place of `consent.js` in pages of another origin. Of the last six, three are for one kind of page each,
# which loads no other, one is for developers, one for groups, and one for front ends.
@pytest.mark.parametrize(
    ("name", "budget"),
    [
        *(("consent.js", 5120), ("remote.js", 5120), ("consent.css", 2560)),
        *(
            (name, 512)
            for name in ("carry.js", "embed.css", "policy.js", "debug.js", "frames.js", "handoff.js")
        ),
    ],
)
def test_served_files_stay_within_their_budget(front: Front, name: str, budget: int) -> None:
    response = front.client().get(front.shared.pages.asset_url(name))
    assert response.status_code == 200
    assert len(brotli.compress(response.content)) <= budget


def test_every_served_file_has_a_budget(front: Front) -> None:
    assert len(front.shared.pages.assets) == 9


def test_loader_stays_within_its_budget(front: Front) -> None:
    response = front.client().get("/consent/loader.js")
    rules, _ = inline_style()
    assert len(brotli.compress(response.content)) <= 2560
    # What is left without the rules for the banner, which other pages have too.
    assert len(brotli.compress(response.content.replace(json.dumps(rules).encode(), b""))) <= 1280
