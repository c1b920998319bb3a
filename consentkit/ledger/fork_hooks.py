"""Hooks around `os.fork`, called for each living instance of a class.

Servers that load the application once, such as `gunicorn --preload`, fork a process that has used the ledger already.
The child gets copies of its locks, connections and queues, but none of the threads that would release or empty them.
"""

import os
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["ForkHooks"]

T = TypeVar("T")


def _do_nothing(_instance: object) -> None:
    """Stand for a hook that a class does not have."""


class ForkHooks(Generic[T]):
    """Call a class's hooks for its instances, which are referenced weakly."""

    def __init__(
        self,
        *,
        before: Callable[[T], None] = _do_nothing,
        after_in_parent: Callable[[T], None] = _do_nothing,
        after_in_child: Callable[[T], None],
    ) -> None:
        self._instances: weakref.WeakSet[T] = weakref.WeakSet()
        if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
            os.register_at_fork(
                before=lambda: self._call(before),
                after_in_parent=lambda: self._call(after_in_parent),
                after_in_child=lambda: self._call(after_in_child),
            )

    def add(self, instance: T) -> None:
        """Call the hooks for this instance at every fork from now on."""
        self._instances.add(instance)

    def _call(self, hook: Callable[[T], None]) -> None:
        for instance in list(self._instances):
            hook(instance)
