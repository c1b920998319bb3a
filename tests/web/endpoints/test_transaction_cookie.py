from collections.abc import Iterator

import pytest

from consentkit import Ledger
from consentkit.handoff import ChainPage, HandoffRefusal, UnderWay
from consentkit.web.endpoints.transaction_cookie import TransactionCookie
from consentkit.web.exchange import Exchange
from consentkit.web.request_head import RequestHead
from consentkit.web.response import redirect
from consentkit.web.services import SiteServices
from tests.conftest import Clock
from tests.support.family import TRANSACTION, Family, a_family


@pytest.fixture
def family(ledger_url: str, clock: Clock) -> Iterator[Family]:
    ledger = Ledger(ledger_url)
    with a_family(ledger, clock) as family:
        yield family
    ledger.close()


@pytest.fixture
def site(family: Family) -> SiteServices:
    return SiteServices(family["stride"].manager)


@pytest.fixture
def cookie(site: SiteServices) -> TransactionCookie:
    assert site.handoff is not None
    return TransactionCookie(site, site.handoff)


def exchange(site: SiteServices, *values: str) -> Exchange:
    sent = "; ".join(f"{TRANSACTION}={value}" for value in values).encode()
    return Exchange(site, RequestHead("GET", "/", [(b"cookie", sent)] if values else []))


def written(cookie: TransactionCookie, *under_way: UnderWay) -> tuple[str, str]:
    """Return the value that is set, and its lifetime."""
    headers = dict(cookie.added(redirect("/"), under_way).headers)
    value, _, attributes = (
        headers[b"set-cookie"].decode().partition("; Path=/; SameSite=Lax; HttpOnly; Secure; ")
    )
    return value.removeprefix(f"{TRANSACTION}="), attributes


def test_the_cookie_lives_as_long_as_what_is_in_it(site: SiteServices, cookie: TransactionCookie) -> None:
    assert site.handoff is not None
    transaction = site.handoff.transactions.begin("trailhead", "/shoes")
    chain = site.handoff.begin_chain(ChainPage.SITES, "/")
    assert written(cookie)[1] == "Max-Age=0" and written(cookie)[0] == ""
    assert written(cookie, transaction)[1] == "Max-Age=120"
    assert written(cookie, transaction, chain)[1] == "Max-Age=600"


def test_a_chain_takes_the_place_of_the_one_before_and_transactions_stay(
    site: SiteServices, cookie: TransactionCookie
) -> None:
    assert site.handoff is not None
    transaction = site.handoff.transactions.begin("trailhead", "/shoes")
    old, new = (site.handoff.begin_chain(ChainPage.SITES, "/") for _ in range(2))
    sent = exchange(site, written(cookie, old, transaction)[0])
    assert cookie.chain(sent) == old and cookie.transactions(sent) == (transaction,)
    for chain, left in ((new, (new, transaction)), (None, (transaction,))):
        headers = dict(cookie.with_chain(redirect("/"), sent, chain).headers)
        value = headers[b"set-cookie"].decode().split(";")[0].removeprefix(f"{TRANSACTION}=")
        assert cookie.under_way(exchange(site, value)) == left


def test_a_cookie_that_is_missing_repeated_or_forged_has_nothing_under_way(
    site: SiteServices, cookie: TransactionCookie
) -> None:
    assert site.handoff is not None
    value, _ = written(cookie, site.handoff.begin_chain(ChainPage.SITES, "/"))
    for sent in ((), (value, value), ("forged",)):
        assert cookie.under_way(exchange(site, *sent)) == () and cookie.chain(exchange(site, *sent)) is None
        with pytest.raises(HandoffRefusal, match="transaction"):
            cookie.transactions(exchange(site, *sent))
    with pytest.raises(HandoffRefusal, match="transaction over"):
        cookie.transactions(exchange(site, value))
