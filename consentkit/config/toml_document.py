"""A parsed TOML file with the lines of its keys."""

import re
import tomllib
from collections.abc import Iterable
from datetime import date, datetime, time
from functools import cached_property
from pathlib import Path
from typing import Any

from consentkit.config.toml_positions import key_lines, line_of
from consentkit.errors import PolicyError, PolicyProblem
from consentkit.policy import Finding, KeyPath, escaped

__all__ = ["TomlDocument"]

LARGEST = 1 << 20
"""Largest size of a file in octets, several times that of any policy; parsing much more would delay the start."""
_LONGEST_VALUE = 60
_SHALLOW = "Use at most three levels of tables, as the policy does."
# The time and memory that tomllib takes grow with the square of the number of parts of a dotted key.
_LONG_KEY = re.compile(
    r"(?:(?<![A-Za-z0-9_-])[A-Za-z0-9_-]+[ \t]*\.[ \t]*|(?:\"[^\"\n]*\"|'[^'\n]*')[ \t]*\.[ \t]*){32}"
)


class TomlDocument:
    """The data of a TOML file, and the lines of its keys.

    Attributes:
        file: the file's name in problems.
        data: the parsed file, as `tomllib` returns it.
    """

    def __init__(self, file: str, content: bytes) -> None:
        """Parse a file's bytes.

        Raises:
            PolicyError: the bytes are not UTF-8, not TOML, too many, or nested too deep.
        """
        self.file = file
        self._text = self._decode(content)
        self.data = self._parse()

    @classmethod
    def read(cls, path: Path) -> "TomlDocument":
        """Read and parse a file.

        Raises:
            PolicyError: as for the constructor, and for a file that is missing, unreadable or not a regular file.
        """
        file = escaped(str(path))
        try:
            if path.exists() and not path.is_file():
                raise _error(file, "This is not a regular file.", "Give the path of a TOML file.")
            with path.open("rb") as opened:
                return cls(file, opened.read(LARGEST + 1))
        except FileNotFoundError:
            raise _error(file, "The file does not exist.", "Create it, or correct the path.") from None
        except OSError as error:
            reason = error.strerror or "unknown reason"
            raise _error(file, f"The file cannot be read: {reason}.", "Allow this user to read it.") from None
        except ValueError:
            raise _error(file, "This is not the name of a file.", "Give the path of a TOML file.") from None

    def _decode(self, content: bytes) -> str:
        if len(content) > LARGEST:
            raise _error(
                self.file, "The file is larger than 1 MiB.", "Remove what does not belong to the policy."
            )
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise _error(self.file, "The file is in UTF-16.", "Save it as UTF-8.", 1)
        if content.startswith(b"\xef\xbb\xbf"):
            raise _error(
                self.file,
                "The file begins with a byte order mark.",
                "Save it as UTF-8 without a byte order mark.",
                1,
            )
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise _error(self.file, "The file is not UTF-8.", "Save it as UTF-8.", line) from None

    def _parse(self) -> dict[str, Any]:
        long_key = _LONG_KEY.search(self._text)
        if long_key:
            line = self._text.count("\n", 0, long_key.start()) + 1
            raise _error(self.file, "A key has more than 30 parts.", _SHALLOW, line)
        try:
            return tomllib.loads(self._text)
        except RecursionError:
            raise _error(self.file, "The file is nested too deep.", _SHALLOW) from None
        except ValueError as error:
            raise self._syntax_error(str(error)) from None

    def _syntax_error(self, reason: str) -> PolicyError:
        place, line = "", None
        match = re.fullmatch(
            r"(.*?) \(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)", reason, re.DOTALL
        )
        if match:
            reason = match[1]
            place = f" at column {match[3]}" if match[2] else " at the end of the file"
            line = int(match[2]) if match[2] else self._text.count("\n") + 1
        reason = escaped(f"{reason[:1].lower()}{reason[1:]}")
        return _error(self.file, f"Invalid TOML{place}: {reason}.", "Fix this line.", line)

    @cached_property
    def _lines(self) -> dict[KeyPath, int]:
        return key_lines(self._text)

    def problems(self, findings: Iterable[Finding]) -> tuple[PolicyProblem, ...]:
        """Return findings as problems with their lines, in the order of the file; problems without a line come first."""
        placed = [(line_of(self._lines, finding.path), finding) for finding in findings]
        placed.sort(key=lambda pair: pair[0] or 0)
        return tuple(
            PolicyProblem(
                self.file,
                line,
                format_path(finding.path),
                self._format_value_at(finding.path),
                finding.message,
                finding.remedy,
                self._subject_of(finding.path),
            )
            for line, finding in placed
        )

    def _subject_of(self, path: KeyPath) -> str:
        """Return the name and the id of the vendor or the site that a path belongs to: `YouTube (youtube)`."""
        if len(path) < 2 or path[0] not in ("sites", "vendors"):
            return ""
        try:
            row = self.data[path[0]][path[1]]
            name, row_id = row["name"], row["id"]
        except (LookupError, TypeError):
            return ""
        if not isinstance(name, str) or not isinstance(row_id, str):
            return ""
        return escaped(f"{name[:_LONGEST_VALUE]} ({row_id[:_LONGEST_VALUE]})")

    def _format_value_at(self, path: KeyPath) -> str:
        value: Any = self.data
        for part in path:
            try:
                value = value[part]
            except (LookupError, TypeError):
                return ""
        return format_value(value) if path else ""


def format_path(path: KeyPath) -> str:
    """Return a path as `vendors[2].country`, with quotes around keys that need them."""
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
            continue
        bare = re.fullmatch(r"[A-Za-z0-9_-]{1,64}", part)
        shown += ("." if shown else "") + (part if bare else format_value(part))
    return shown


def format_value(value: object) -> str:
    """Return a value as TOML writes it, shortened, without characters that control a terminal."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            short = value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}…"
            return '"' + escaped(short.replace("\\", "\\\\").replace('"', '\\"')) + '"'
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


def _error(file: str, message: str, remedy: str, line: int | None = None) -> PolicyError:
    return PolicyError((PolicyProblem(file, line, "", "", message, remedy),))
