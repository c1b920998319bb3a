"""Line numbers of the keys of a TOML file, which `tomllib` does not provide.

The scan relies on `tomllib` having parsed the text without an error. If it fails all the same, it returns the lines found so
far, because a problem without a line is better than no problem.
"""

import re
import tomllib
from bisect import bisect_right
from contextlib import suppress

from consentkit.policy import KeyPath

__all__ = ["key_lines", "line_of"]

_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r'[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'')
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]+")


class _Scanner:
    """Find the lines of the keys of a TOML text in a single pass."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self._starts = [0, *(newline.end() for newline in re.finditer("\n", text))]
        self._last: dict[KeyPath, int] = {}

    def run(self) -> None:
        table: KeyPath = ()
        while self._skip(_BLANK) < len(self.text):
            table = self._header() if self.text[self.at] == "[" else self._pair(table, table)

    def _skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise ValueError(self.at)
        self.at = match.end()
        return self.at

    def _mark(self, path: KeyPath) -> None:
        line = bisect_right(self._starts, self.at)
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], line)

    def _keys(self) -> list[str]:
        keys: list[str] = []
        while True:
            start = self._skip(_SPACE)
            raw = self.text[start : self._skip(_KEY)]
            keys.append(tomllib.loads(f"key = {raw}")["key"] if raw[0] in "\"'" else raw)
            self._skip(_SPACE)
            if self.text[self.at] != ".":
                return keys
            self.at += 1

    def _header(self) -> KeyPath:
        is_array = self.text.startswith("[[", self.at)
        start = self.at
        self.at += 2 if is_array else 1
        *parents, name = self._keys()
        path: KeyPath = ()
        for key in parents:
            path += (key,)
            if path in self._last:
                path += (self._last[path],)
        path += (name,)
        if is_array:
            self._last[path] = self._last.get(path, -1) + 1
            path += (self._last[path],)
        end, self.at = self.at + (2 if is_array else 1), start
        self._mark(path)
        self.at = end
        return path

    def _pair(self, table: KeyPath, result: KeyPath) -> KeyPath:
        start = self.at
        path = table + tuple(self._keys())
        end, self.at = self.at, start
        self._mark(path)
        self.at = end + 1
        self._skip(_SPACE)
        self._value(path)
        return result

    def _value(self, path: KeyPath) -> None:
        first = self.text[self.at]
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        else:
            self._skip(_STRING if first in "\"'" else _SCALAR)

    def _array(self, path: KeyPath) -> None:
        self.at += 1
        index = 0
        while self.text[self._skip(_BLANK)] != "]":
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self._mark((*path, index))
            self._value((*path, index))
            index += 1
        self.at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self.at += 1
        while self.text[self._skip(_BLANK)] != "}":
            if self.text[self.at] == ",":
                self.at += 1
            else:
                self._pair(path, path)
        self.at += 1


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line of each key, table and item by its path, counted from 1. Never raises."""
    scanner = _Scanner(text)
    with suppress(ValueError, IndexError, RecursionError):
        scanner.run()
    return scanner.lines


def line_of(lines: dict[KeyPath, int], path: KeyPath) -> int | None:
    """Return the line of a path, else of the innermost table or list around it that has a line, else None."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None
