"""Counting of the work that a call does, which a busy machine does not change."""

import sys
from collections.abc import Callable

__all__ = ["calls_during"]


def calls_during(function: Callable[[], object]) -> int:
    """Count the Python functions that a call runs, comprehensions included."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        function()
    finally:
        sys.setprofile(None)
    return calls
