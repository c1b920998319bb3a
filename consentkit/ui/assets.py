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

__all__ = ["Asset", "inline_style", "loader_script", "served_assets", "shipped_assets"]

_REMOTE = "remote_"
_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}


# Scripts of their own, which few pages load: the one between two sites, those for developers, those of a group, and those of
# pages of another origin with frames.
_ALONE = ("carry.js", "debug.js", "frames.js", "handoff.js")
# A library that swaps pages may run the script again for the tag of another page.
_ONCE = "window.consentkit||"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served; `hashed_name` is `consent.0a1b2c3d4e5f.css` for `consent.css`."""

    hashed_name: str
    content_type: str
    content: bytes


@cache
def shipped_assets() -> Mapping[str, Asset]:
    """Return the style sheet and the scripts by their plain names, read once in a process.

    `remote.js` is the script for pages of another origin.
    """
    style_sheet = _rules("banner.css") + _rules("consent.css")
    policy_script = (files("consentkit.ui") / "static" / "policy.js").read_text("utf-8")
    scripts = _joined_scripts()
    return MappingProxyType(
        {
            "consent.css": _asset("consent.css", style_sheet),
            "embed.css": _asset("embed.css", _rules("embed.css")),
            "policy.js": _asset("policy.js", _without_comments(policy_script)),
            **{name: _asset(name, scripts[name]) for name in (*_ALONE, "consent.js", "remote.js")},
        }
    )


@cache
def loader_script() -> str:
    """Return the script of the loader, with the text "consentkit page" where a site puts its data."""
    return _joined_scripts()["loader.js"]


def _joined_scripts() -> dict[str, str]:
    """Return the scripts by name, each joined from its modules.

    The script for pages of another origin consists of the same modules as `consent.js`, except those that have a variant whose
    name begins with `remote_`.
    """
    sources = {
        path.name: path.read_text("utf-8")
        for path in (files("consentkit.ui") / "script").iterdir()
        if path.name.endswith(".js")
    }
    alone = {name: join_modules({"main.js": sources.pop(name)}) for name in (*_ALONE, "loader.js")}
    variants = {name for name in sources if name.startswith(_REMOTE)}
    modules = {name: source for name, source in sources.items() if name not in variants}
    remote = modules | {name.removeprefix(_REMOTE): sources[name] for name in variants}
    return alone | {
        "consent.js": _ONCE + join_modules(modules),
        "remote.js": _ONCE + join_modules(remote),
    }


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
