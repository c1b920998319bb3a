"""The pinned packages of npm that tests use, installed on first use."""

import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def node_modules() -> Path:
    """Return the folder with TypeScript and what is pinned with it."""
    printed = subprocess.run(
        [ROOT / "tools/typescript", Path(sys.prefix) / "typescript"],
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(printed.stdout.strip()).parents[2]


@cache
def react_modules() -> Path:
    """Return the folder with React and its types."""
    directory = Path(sys.prefix) / "react"
    subprocess.run([ROOT / "tools/npm", ROOT / "requirements/frontend", directory], check=True)
    return directory / "node_modules"
