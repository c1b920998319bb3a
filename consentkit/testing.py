"""For tests of applications: visitors who have answered, without a click on the banner.

`grant(client, manager, "social")` works with every client that has cookies like those of httpx and Starlette's TestClient, and
with the test clients of Flask, Quart and Django. The fixture `consenting` returns the same function; pytest finds it wherever
consentkit is installed.
"""

from collections.abc import Callable
from http.cookies import BaseCookie
from typing import TYPE_CHECKING, Any

import pytest

# pytest loads this module at every start. The rest of the library is imported by the functions, so that tests start fast.
if TYPE_CHECKING:
    from consentkit.manager import ConsentManager, Outcome

__all__ = ["consenting", "grant", "refuse", "withdraw"]


def grant(
    client: Any, manager: "ConsentManager", *categories: str, vendors: tuple[str, ...] = ()
) -> "Outcome":
    """Record that a client's visitor grants these categories and vendors and nothing else, and set the cookies.

    Raises:
        UnknownIdError: the policy has no such category or vendor.
    """
    from consentkit.consent import Choice
    from consentkit.manager import ChoiceContext

    choice = Choice(categories=dict.fromkeys(categories, True), vendors=dict.fromkeys(vendors, True))
    outcome = manager.decide(manager.evaluator.undecided(), choice, ChoiceContext())
    _keep(client, manager, outcome)
    return outcome


def refuse(client: Any, manager: "ConsentManager") -> "Outcome":
    """Record that a client's visitor refuses everything, and set the cookies."""
    return grant(client, manager)


def withdraw(client: Any, manager: "ConsentManager", before: "Outcome") -> "Outcome":
    """Record that a client's visitor withdraws everything, and set the cookies.

    `before` is what `grant` returned.
    """
    from consentkit.manager import ChoiceContext

    outcome = manager.withdraw(before.consent, None, ChoiceContext(choice="withdraw"))
    _keep(client, manager, outcome)
    return outcome


def _keep(client: Any, manager: "ConsentManager", outcome: "Outcome") -> None:
    for line in outcome.cookies:
        name, _, value = line.split(";", 1)[0].partition("=")
        if hasattr(client, "set_cookie"):
            _set_cookie(client, manager, name, value)
            continue
        if isinstance(client.cookies, BaseCookie):  # Django's
            client.cookies[name] = value
            continue
        if name in client.cookies:
            client.cookies.delete(name)
        client.cookies.set(name, value)


def _set_cookie(client: Any, manager: "ConsentManager", name: str, value: str) -> None:
    """Set a cookie of a client of Flask or Quart, for every host that its requests may name."""
    config = getattr(getattr(client, "application", None), "config", {})
    hosts = [origin.partition("://")[2] for origin in manager.origins[manager.site]]
    for address in {"localhost", config.get("SERVER_NAME") or "localhost", *hosts}:
        host = address.partition(":")[0]
        if hasattr(client, "cookie_jar"):
            client.set_cookie(host, name, value)
        else:
            client.set_cookie(name, value, domain=host)


@pytest.fixture
def consenting() -> "Callable[..., Outcome]":
    """Return the function `grant`."""
    return grant
