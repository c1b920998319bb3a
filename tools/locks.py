"""Read, compare and check the locks in `requirements/`.

* `python -m tools.locks changes OLD NEW` lists what differs between two directories of locks.
* `python -m tools.locks installed LOCK` fails unless this environment holds what the lock names, and nothing else.
* `python -m tools.locks older LOCK OLDER` pins the releases of the file OLDER in the lock, in place of newer ones.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

from packaging.markers import Marker
from packaging.utils import canonicalize_name
from packaging.version import Version

# What an environment holds without a lock: the library itself, and what `python -m venv` puts there.
UNLOCKED = frozenset({"consentkit", "pip", "setuptools"})

_PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*)(?:\[[\w,-]+\])?==([^\s;\\]+)(?: ; ([^\\\n]+?))?(?: \\)?$")
_HASH = re.compile(r"^    --hash=sha256:([0-9a-f]{64})")
_VIA = re.compile(r"^    #   ([a-z0-9][a-z0-9.-]*)\b")


@dataclass(frozen=True)
class Pin:
    """One entry of a lock; `via` names the packages that require it."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    via: tuple[str, ...]
    lines: str

    @property
    def applies(self) -> bool:
        """Whether this Python on this platform needs the package."""
        return not self.marker or Marker(self.marker).evaluate()


def read(lock: str) -> list[Pin]:
    """Read the text of a lock.

    Raises:
        ValueError: an entry is not pinned by version and hash.
    """
    pins = []
    for part in re.split(r"^(?=[^\s#])", lock, flags=re.MULTILINE):
        first, *rest = part.splitlines() or [""]
        if not first or first.startswith("#"):
            continue
        found = _PIN.match(first)
        hashes = tuple(match[1] for line in rest if (match := _HASH.match(line)))
        if found is None or not hashes:
            raise ValueError(f"Expected name==version with hashes, found {first!r}. Run `make lock`.")
        via = tuple(match[1] for line in rest if (match := _VIA.match(line)))
        pins.append(Pin(found[1], found[2], found[3] or "", hashes, via, part))
    return pins


def changes(old: Sequence[Pin], new: Sequence[Pin]) -> Iterator[str]:
    """Describe each package that was added, removed or given another version or other files."""
    before, after = _by_name(old), _by_name(new)
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name, {}), after.get(name, {})
        if not was:
            yield f"+ {name} {', '.join(now)}"
        elif not now:
            yield f"- {name} {', '.join(was)}"
        elif was.keys() != now.keys():
            yield f"  {name} {', '.join(was)} -> {', '.join(now)}"
        elif was != now:
            yield f"  {name} {', '.join(now)}: other files"


def _by_name(pins: Sequence[Pin]) -> dict[str, dict[str, frozenset[str]]]:
    found: dict[str, dict[str, frozenset[str]]] = {}
    for pin in pins:
        found.setdefault(pin.name, {})[pin.version] = frozenset(pin.hashes)
    return found


def differences(pins: Sequence[Pin], installed: dict[str, str]) -> Iterator[str]:
    """Describe each difference between a lock and the packages that are installed, by name and version."""
    wanted = {pin.name: pin.version for pin in pins if pin.applies}
    for name in sorted(wanted.keys() | installed.keys() - UNLOCKED):
        if wanted.get(name) != installed.get(name):
            yield f"{name}: locked {wanted.get(name, 'not at all')}, installed {installed.get(name, 'not at all')}"


def installed_here() -> dict[str, str]:
    """Return the version of each package in this environment."""
    return {canonicalize_name(one.metadata["Name"]): one.version for one in distributions()}


def set_back(lock: str, older: str) -> str:
    """Return the text of a lock in which the releases of `older` take the place of newer ones.

    Raises:
        ValueError: the lock does not hold a newer release of each.
    """
    for pin in read(older):
        newer = next((one for one in read(lock) if one.name == pin.name), None)
        if newer is None or Version(newer.version) <= Version(pin.version):
            raise ValueError(f"Expected a newer {pin.name} than {pin.version} in the lock, found {newer}.")
        lock = lock.replace(newer.lines, pin.lines)
    return lock


def _read_all(directory: Path) -> list[Pin]:
    locks = sorted(path for path in directory.glob("*.txt") if path.name != "older.txt")
    return [pin for lock in locks for pin in read(lock.read_text("utf-8"))]


def main(arguments: Sequence[str]) -> int:
    """Run one of the commands in the module's docstring, and return the exit code."""
    match arguments:
        case ["changes", old, new]:
            print("\n".join(changes(_read_all(Path(old)), _read_all(Path(new)))) or "Nothing changed.")
        case ["installed", lock]:
            found = list(differences(read(Path(lock).read_text("utf-8")), installed_here()))
            print("\n".join(found) or f"Installed exactly what {lock} holds.")
            return int(bool(found))
        case ["older", lock, older]:
            text = set_back(Path(lock).read_text("utf-8"), Path(older).read_text("utf-8"))
            Path(lock).write_text(text, "utf-8")
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
