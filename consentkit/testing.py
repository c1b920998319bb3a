"""For other people's tests: visitors who have answered, without clicking through a banner.

`grant(client, manager, "social")` works with every client that has cookies like httpx and Starlette's TestClient. The
fixture `consenting` does the same; pytest finds it wherever consentkit is installed.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

# pytest loads this module at every start, so the rest of the library is imported where a test uses it.
if TYPE_CHECKING:
    from consentkit.manager import ConsentManager, Outcome

__all__ = ["consenting", "grant", "refuse", "withdraw"]


def grant(
    client: Any, manager: "ConsentManager", *categories: str, vendors: tuple[str, ...] = ()
) -> "Outcome":
    """Let a client be a visitor who granted these categories and vendors, and nothing else; recorded like any other.

    Raises:
        UnknownIdError: the policy lacks one of them.
    """
    from consentkit.consent import Choice
    from consentkit.manager import ChoiceContext

    choice = Choice(categories=dict.fromkeys(categories, True), vendors=dict.fromkeys(vendors, True))
    outcome = manager.decide(manager.evaluator.undecided(), choice, ChoiceContext())
    _keep(client, outcome)
    return outcome


def refuse(client: Any, manager: "ConsentManager") -> "Outcome":
    """Let a client be a visitor who refused everything."""
    return grant(client, manager)


def withdraw(client: Any, manager: "ConsentManager", before: "Outcome") -> "Outcome":
    """Let a client that granted something withdraw all of it."""
    from consentkit.manager import ChoiceContext

    outcome = manager.withdraw(before.consent, None, ChoiceContext(choice="withdraw"))
    _keep(client, outcome)
    return outcome


def _keep(client: Any, outcome: "Outcome") -> None:
    for line in outcome.cookies:
        name, _, value = line.split(";", 1)[0].partition("=")
        if name in client.cookies:
            client.cookies.delete(name)
        client.cookies.set(name, value)


@pytest.fixture
def consenting() -> "Callable[..., Outcome]":
    """Return `grant`."""
    return grant
