"""Notes on handlers which consent they need, so that ids that the policy lacks are found when the application starts."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from consentkit.errors import UnknownIdError
from consentkit.manager import ConsentManager

__all__ = ["check_required", "mark_required"]

_MARK = "_consentkit_required"

View = TypeVar("View", bound=Callable[..., Any])


def mark_required(view: View, category: str, vendor: str | None) -> View:
    """Note on a handler that it needs consent for a category, or for a vendor of it."""
    setattr(view, _MARK, (*getattr(view, _MARK, ()), (category, vendor)))
    return view


def check_required(manager: ConsentManager, view: object, name: str) -> None:
    """Check the ids that are noted on a handler, or on the methods of a class.

    Raises:
        UnknownIdError: the policy has no such category, or no such vendor in it. A note has the handler's name.
    """
    nobody = manager.evaluator.undecided()
    for category, vendor in _required_by(view):
        try:
            nobody.allows(category, vendor)
        except UnknownIdError as error:
            error.add_note(f"It stands in @requires_consent of {name}.")
            raise


def _required_by(view: object) -> Iterator[tuple[str, str | None]]:
    yield from getattr(view, _MARK, ())
    if inspect.isclass(view):
        for member in (member for each in view.__mro__ for member in vars(each).values()):
            yield from getattr(member, _MARK, ())
