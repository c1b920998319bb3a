"""A TOML file as its author sees it: read whole or refused, with problems placed on its lines."""

import re
import tomllib
from collections.abc import Iterable
from datetime import date, datetime, time
from functools import cached_property
from pathlib import Path
from typing import Any

from consentkit.config import toml_positions as toml_lines
from consentkit.config.toml_positions import KeyPath
from consentkit.errors import PolicyError, PolicyProblem
from consentkit.policy import Finding, escaped

__all__ = ["TomlDocument"]

LARGEST = 1 << 20
"""Octets that a file may have: far more than the largest policy needs, far less than would hold up the start."""
_LONGEST_VALUE = 60
# tomllib takes a time and a memory that grow with the square of a dotted key's parts.
_ENDLESS_KEY = re.compile(
    r"(?:(?<![A-Za-z0-9_-])[A-Za-z0-9_-]+[ \t]*\.[ \t]*|(?:\"[^\"\n]*\"|'[^'\n]*')[ \t]*\.[ \t]*){32}"
)


class TomlDocument:
    """The text of one file, its data, and where its keys stand.

    Attributes:
        file: the name that problems carry.
        data: what the file says, as `tomllib` reads it.
    """

    def __init__(self, file: str, content: bytes) -> None:
        """Parse a file's bytes.

        Raises:
            PolicyError: not UTF-8, not TOML, too large, or nested too deep.
        """
        self.file = file
        self._text = self._decoded(content)
        self.data = self._parsed()

    @classmethod
    def read(cls, path: Path) -> "TomlDocument":
        """Read and parse a file.

        Raises:
            PolicyError: as above; also when it is missing, unreadable or no regular file.
        """
        file = escaped(str(path))
        try:
            if path.exists() and not path.is_file():
                raise _refused(file, "This is not a file.", "Name the policy file itself.")
            with path.open("rb") as opened:
                return cls(file, opened.read(LARGEST + 1))
        except FileNotFoundError:
            raise _refused(file, "The file does not exist.", "Create it, or name the one to read.") from None
        except OSError as error:
            reason = error.strerror or "unknown reason"
            raise _refused(file, f"The file cannot be read: {reason}.", "Let this user read it.") from None
        except ValueError:
            raise _refused(file, "This is not the name of a file.", "Name the policy file itself.") from None

    def _decoded(self, content: bytes) -> str:
        if len(content) > LARGEST:
            raise _refused(self.file, "The file is larger than 1 MiB.", "Leave out what is not policy.")
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise _refused(self.file, "The file is in UTF-16.", "Save it as UTF-8.", 1)
        if content.startswith(b"\xef\xbb\xbf"):
            raise _refused(
                self.file, "The file begins with a byte order mark.", "Save it as UTF-8 without one.", 1
            )
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError as error:
            bad = content.count(b"\n", 0, error.start) + 1
            raise _refused(self.file, "The file is not UTF-8.", "Save it as UTF-8.", bad) from None

    def _parsed(self) -> dict[str, Any]:
        endless = _ENDLESS_KEY.search(self._text)
        if endless:
            start = self._text.count("\n", 0, endless.start()) + 1
            raise _refused(
                self.file, "A key has more than 30 parts.", "The policy has tables of three levels.", start
            )
        try:
            return tomllib.loads(self._text)
        except RecursionError:
            raise _refused(
                self.file, "The file is nested too deep.", "The policy has tables of three levels."
            ) from None
        except ValueError as error:
            found = re.fullmatch(
                r"(.*?) \(at (?:line ([0-9]+), column [0-9]+|end of document)\)", str(error), re.DOTALL
            )
            reason = escaped(found[1] if found else str(error))
            line = int(found[2]) if found and found[2] else self._text.count("\n") + 1 if found else None
            raise _refused(self.file, f"This is not TOML: {reason}.", "Mend the line.", line) from None

    @cached_property
    def _lines(self) -> dict[KeyPath, int]:
        return toml_lines.scan(self._text)

    def problems(self, findings: Iterable[Finding]) -> tuple[PolicyProblem, ...]:
        """Place findings on lines, in the order of the file; those of the file as a whole first."""
        placed = [(toml_lines.line_of(self._lines, one.path), one) for one in findings]
        placed.sort(key=lambda pair: pair[0] or 0)
        return tuple(
            PolicyProblem(
                self.file, line, shown_path(one.path), self._shown_value(one.path), one.message, one.remedy
            )
            for line, one in placed
        )

    def _shown_value(self, path: KeyPath) -> str:
        value: Any = self.data
        for part in path:
            try:
                value = value[part]
            except (LookupError, TypeError):
                return ""
        return shown_value(value) if path else ""


def shown_path(path: KeyPath) -> str:
    """Write a path as `vendors[2].country`; a key that needs quotes gets them."""
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
            continue
        bare = re.fullmatch(r"[A-Za-z0-9_-]{1,64}", part)
        shown += ("." if shown else "") + (part if bare else shown_value(part))
    return shown


def shown_value(value: object) -> str:
    """Write a value as TOML would, shortened, with nothing in it that a terminal would act on."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            cut = value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}…"
            return '"' + escaped(cut.replace("\\", "\\\\").replace('"', '\\"')) + '"'
        case dict():
            return "{…}" if value else "{}"
        case list():
            return "[…]" if value else "[]"
        case datetime() | date() | time():
            return value.isoformat()
        case int() if value.bit_length() > 200:
            return "a number of many digits"
        case _:
            return str(value)


def _refused(file: str, message: str, remedy: str, line: int | None = None) -> PolicyError:
    return PolicyError((PolicyProblem(file, line, "", "", message, remedy),))
