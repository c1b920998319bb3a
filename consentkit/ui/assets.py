"""The files that pages load, under names that change with their content, so that browsers may keep them for ever."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

__all__ = ["Asset", "shipped_assets"]

_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served; `hashed_name` is `consent.0a1b2c3d4e5f.css` for `consent.css`."""

    hashed_name: str
    content_type: str
    content: bytes


@cache
def shipped_assets() -> Mapping[str, Asset]:
    """Read the package's files once; by plain name."""
    folder = Path(__file__).parent / "static"
    return MappingProxyType(
        {path.name: _asset(path) for path in sorted(folder.iterdir()) if path.suffix in _TYPES}
    )


def _asset(path: Path) -> Asset:
    content = _SHORTER[path.suffix](path.read_bytes())
    digest = hashlib.sha256(content).hexdigest()[:12]
    return Asset(f"{path.stem}.{digest}{path.suffix}", _TYPES[path.suffix], content)


def _tightened(css: bytes) -> bytes:
    """Leave out comments and the space around punctuation; our style sheet has neither in a string."""
    css = re.sub(rb"/\*.*?\*/", b"", css, flags=re.DOTALL)
    css = re.sub(rb"\s+", b" ", css)
    css = re.sub(rb" ?([{};,]) ?", rb"\1", css)
    return css.replace(b": ", b":").replace(b";}", b"}").strip()


def _uncommented(script: bytes) -> bytes:
    """Leave out comments and indentation. In our script lines of `//` stand alone, and no string holds `/**` or a line's end."""
    script = re.sub(rb"^\s*//.*\n", b"", script, flags=re.MULTILINE)
    script = re.sub(rb"/\*\*.*?\*/\s*", b"", script, flags=re.DOTALL)
    return re.sub(rb"^\s+", b"", script, flags=re.MULTILINE)


_SHORTER = {".css": _tightened, ".js": _uncommented}
