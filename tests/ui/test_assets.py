import hashlib
import re

import brotli
import pytest
import tinycss2

from consentkit.ui.assets import shipped_assets


def css() -> str:
    return shipped_assets()["consent.css"].content.decode()


def test_the_name_changes_with_the_content() -> None:
    for name, asset in shipped_assets().items():
        stem, suffix = name.rsplit(".", 1)
        assert asset.hashed_name == f"{stem}.{hashlib.sha256(asset.content).hexdigest()[:12]}.{suffix}"
        assert asset.content_type.startswith(("text/css", "text/javascript"))


def test_the_style_sheet_is_small() -> None:
    assert len(brotli.compress(css().encode())) <= 1500


def test_what_is_served_is_what_stands_in_the_source_without_comments() -> None:
    from pathlib import Path

    import consentkit

    source = (Path(consentkit.__file__).parent / "ui/static/consent.css").read_text("utf-8")
    served, written = (
        [
            node.serialize()
            for node in tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True)
        ]
        for text in (css(), source)
    )

    def squeezed(rule: str) -> str:
        return re.sub(
            r";}", "}", re.sub(r"\s*([{};:,])\s*", r"\1", re.sub(r"/\*.*?\*/", "", rule, flags=re.DOTALL))
        ).strip()

    assert "/*" not in css()
    assert [squeezed(rule) for rule in served] == [squeezed(rule) for rule in written]
    assert not [rule for rule in served if rule.startswith("error")]


@pytest.mark.parametrize(
    "physical", ["margin-left", "margin-right", "padding-left", "padding-right", "text-align:left", "float"]
)
def test_directions_are_logical(physical: str) -> None:
    assert physical not in css()


def test_nothing_moves_and_focus_is_seen() -> None:  # AX-05
    assert not re.search(r"animation|transition|@keyframes", css())
    assert ":focus-visible{outline:3px" in css()
    assert "outline:none" not in css()
