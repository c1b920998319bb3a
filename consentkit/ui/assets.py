"""The files that pages load. Their names change with their content, so that browsers may cache them for good."""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from consentkit.ui.script_modules import join_modules

__all__ = ["Asset", "inline_style", "served_assets", "shipped_assets"]

_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served; `hashed_name` is `consent.0a1b2c3d4e5f.css` for `consent.css`."""

    hashed_name: str
    content_type: str
    content: bytes


@cache
def shipped_assets() -> Mapping[str, Asset]:
    """Return the style sheet and the scripts by their plain names, read once in a process.

    `carry.js` is a script of its own, because only one page loads it.
    """
    folder = files("consentkit.ui")
    style_sheet = _rules("banner.css") + _rules("consent.css")
    modules = {
        path.name: path.read_text("utf-8")
        for path in (folder / "script").iterdir()
        if path.name.endswith(".js")
    }
    return MappingProxyType(
        {
            "carry.js": _asset("carry.js", join_modules({"main.js": modules.pop("carry.js")})),
            "consent.css": _asset("consent.css", style_sheet),
            "consent.js": _asset("consent.js", join_modules(modules)),
            "policy.js": _asset(
                "policy.js", _without_comments((folder / "static" / "policy.js").read_text("utf-8"))
            ),
        }
    )


def served_assets() -> dict[str, tuple[str, bytes]]:
    """Return content type and content of each shipped file, by the name under which it is served."""
    return {asset.hashed_name: (asset.content_type, asset.content) for asset in shipped_assets().values()}


@cache
def inline_style() -> tuple[str, str]:
    """Return the rules for what stands in the site's own pages, and their hash as a source of a Content-Security-Policy.

    They are part of the page, so that it is painted as soon as it arrives. Their hash is the same for everybody, so that it
    serves pages in shared caches too, where a nonce cannot.
    """
    rules = _rules("banner.css")
    digest = base64.b64encode(hashlib.sha256(rules.encode()).digest()).decode()
    return rules, f"'sha256-{digest}'"


def _rules(name: str) -> str:
    return _tightened((files("consentkit.ui") / "static" / name).read_text("utf-8"))


def _asset(name: str, text: str) -> Asset:
    content = text.encode()
    digest = hashlib.sha256(content).hexdigest()[:12]
    stem, suffix = name.rsplit(".")
    return Asset(f"{stem}.{digest}.{suffix}", _TYPES[suffix], content)


def _tightened(css: str) -> str:
    """Drop comments and the space around punctuation; our style sheet has neither in a string."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    css = re.sub(r"\s+", " ", css)
    css = re.sub(r" ?([{};,]) ?", r"\1", css)
    return css.replace(": ", ":").replace(";}", "}").strip()


def _without_comments(script: str) -> str:
    """Drop the lines of a script that are comments, and the space at the beginning of lines."""
    lines = (line.strip() for line in script.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))
