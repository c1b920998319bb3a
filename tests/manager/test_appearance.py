from typing import Any

import pytest

from consentkit.errors import ConfigurationError
from consentkit.manager.appearance import Appearance


@pytest.mark.parametrize(
    ("layout", "position", "used"),
    [
        ("bar", None, "bottom"),
        ("bar", "top", "top"),
        ("card", None, "end"),
        ("card", "start", "start"),
        ("dialog", None, "centre"),
    ],
)
def test_a_layout_has_a_usual_position(layout: Any, position: Any, used: str) -> None:
    appearance = Appearance.of(layout, position, None)
    assert appearance.position == used
    assert appearance.banner_classes == f"cookie-consent-{layout} cookie-consent-{used}"


@pytest.mark.parametrize(
    ("layout", "position", "remedy"),
    [
        ("wall", None, "use one of bar, card, dialog"),
        ("bar", "start", "use bottom or top, or leave it out"),
        ("dialog", "bottom", "use centre, or leave it out"),
    ],
)
def test_other_layouts_and_positions_raise_with_the_remedy(layout: Any, position: Any, remedy: str) -> None:
    with pytest.raises(ConfigurationError, match=remedy):
        Appearance.of(layout, position, None)


@pytest.mark.parametrize(
    "logo", ["https://elsewhere.example/logo.svg", "//elsewhere.example/a.svg", "logo.svg"]
)
def test_a_logo_is_a_path_on_the_site(logo: str) -> None:
    assert Appearance.of("bar", None, "/static/logo.svg").logo == "/static/logo.svg"
    with pytest.raises(ConfigurationError, match=r"like '/static/logo\.svg'"):
        Appearance.of("bar", None, logo)
