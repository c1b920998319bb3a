import base64
import hashlib
import re
from pathlib import Path

import brotli
import pytest
import tinycss2

import consentkit
from consentkit.ui.assets import inline_style, loader_script, shipped_assets
from consentkit.ui.script_modules import join_modules

UI = Path(consentkit.__file__).parent / "ui"


def css() -> str:
    """Return both style sheets, one after the other."""
    return "".join(shipped_assets()[name].content.decode() for name in ("consent.css", "embed.css"))


def test_asset_name_holds_the_digest_of_its_content() -> None:
    for name, asset in shipped_assets().items():
        stem, suffix = name.rsplit(".", 1)
        assert asset.hashed_name == f"{stem}.{hashlib.sha256(asset.content).hexdigest()[:12]}.{suffix}"
        assert asset.content_type.startswith(("text/css", "text/javascript"))


def test_script_is_the_joined_modules() -> None:
    modules = {path.name: path.read_text("utf-8") for path in (UI / "script").glob("*.js")}
    for name in ("carry.js", "debug.js", "frames.js", "handoff.js"):
        assert shipped_assets()[name].content.decode() == join_modules({"main.js": modules.pop(name)})
    assert loader_script() == join_modules({"main.js": modules.pop("loader.js")})
    remote = {name.removeprefix("remote_"): modules.pop(name) for name in list(modules) if "remote_" in name}
    assert set(remote) == {"server.js", "synchronization.js"} <= set(modules)
    scripts = {"consent.js": modules, "remote.js": modules | remote}
    for name, joined in scripts.items():
        script = shipped_assets()[name].content.decode()
        assert script == "window.consentkit||" + join_modules(joined)


def test_inline_rules_are_the_first_of_the_style_sheet_and_small() -> None:
    rules, source = inline_style()
    assert css().startswith(rules) and "</" not in rules
    digest = base64.b64encode(hashlib.sha256(rules.encode()).digest()).decode()
    assert source == f"'sha256-{digest}'"
    assert len(brotli.compress(rules.encode())) <= 1350


def test_style_sheet_has_the_rules_of_its_source_without_comments() -> None:
    names = ("banner.css", "consent.css", "embed.css")
    source = "".join((UI / "static" / name).read_text("utf-8") for name in names)
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
    "physical",
    ["margin-left", "margin-right", "padding-left", "padding-right", "text-align:left", "float:left"],
)
def test_style_sheet_has_no_physical_directions(physical: str) -> None:
    assert physical not in css()


def test_nothing_is_animated_and_focus_is_visible() -> None:  # AX-05
    assert not re.search(r"animation|transition|@keyframes", css())
    assert ":focus-visible{outline:3px" in css()
    assert "outline:none" not in css()
