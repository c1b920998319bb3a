import string
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consentkit import ConsentManager, Ledger
from consentkit.handoff.chain import Chain, ChainPage, StepResult
from consentkit.handoff.token import HandoffRefusal
from consentkit.handoff.transaction import Transactions
from tests.conftest import Clock
from tests.support.family import IDS, a_family


@pytest.fixture
def managers(ledger_url: str, clock: Clock) -> Iterator[dict[str, ConsentManager]]:
    ledger = Ledger(ledger_url)
    with a_family(ledger, clock) as family:
        yield {site: family[site].manager for site in IDS}
    ledger.close()


@pytest.fixture
def transactions(managers: dict[str, ConsentManager]) -> Transactions:
    return Transactions(managers["trailhead"])


# XS-06
def test_a_transaction_is_read_by_the_site_that_began_it_for_two_minutes(
    managers: dict[str, ConsentManager], transactions: Transactions, clock: Clock
) -> None:
    begun = transactions.begin("stride", "/shoes?size=42")
    value = transactions.dumps([begun])
    assert transactions.loads(value.encode()) == (begun,)
    assert (begun.issuer, begun.back, len(begun.secret), len(begun.state)) == (
        "stride",
        "/shoes?size=42",
        22,
        43,
    )
    assert begun.state not in value
    with pytest.raises(HandoffRefusal, match=r"transaction\Z"):
        Transactions(managers["shoelab"]).loads(value.encode())
    clock.advance(120)
    assert transactions.loads(value.encode())
    for seconds in (1, -200):
        clock.advance(seconds)
        with pytest.raises(HandoffRefusal, match="transaction over"):
            transactions.loads(value.encode())


def test_tampered_transaction_cookie_is_refused(transactions: Transactions) -> None:
    value = transactions.dumps([transactions.begin("stride", "/")])
    packed, signature = value.split(".")
    other = "E" if value.endswith("A") else "A"
    for spoilt in (
        value[:-1] + other,
        value + "A",
        "",
        ".",
        packed,
        f".{signature}",
        "\u00e9",
        f"x.{signature}",
    ):
        with pytest.raises(HandoffRefusal, match=r"transaction\Z"):
            transactions.loads(spoilt.encode())
    for signed in ("bm90aGluZw", "W10", "WzFd", "W1sxXV0", "bnVsbA"):
        with pytest.raises(HandoffRefusal, match="transaction"):
            transactions.loads(transactions._signer.sign(signed))


# SG-03
def test_transaction_cookie_with_its_signature_spelled_otherwise_is_refused(
    transactions: Transactions,
) -> None:
    value = transactions.dumps([transactions.begin("stride", "/")])
    letters = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    last = letters.index(value[-1])
    others = [value[:-1] + letters[last ^ spare] for spare in range(1, 4)]
    assert transactions.loads(value.encode())
    for other in (*others, f"{value}=", f"{value[:-10]}*$%{value[-10:]}", f"{value[:-10]} {value[-10:]}"):
        with pytest.raises(HandoffRefusal, match=r"transaction\Z"):
            transactions.loads(other.encode())


def test_each_tab_has_its_own_and_the_oldest_are_forgotten(transactions: Transactions, clock: Clock) -> None:
    tabs = [transactions.begin("stride", f"/{number}") for number in range(6)]
    assert transactions.loads(transactions.dumps(tabs).encode()) == tuple(tabs[:4])
    late = transactions.begin("shoelab", "/late")
    clock.advance(100)
    newest = transactions.begin("stride", "/newest")
    value = transactions.dumps([newest, late])
    clock.advance(21)
    assert transactions.loads(value.encode()) == (newest,), "the other one is over"
    assert transactions.dumps([]) == ""


# CK-08
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(
    st.lists(
        st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=1023), min_size=1, max_size=6
    )
)
def test_however_long_the_pages_are_browsers_keep_the_cookie_and_the_newest_is_in_it(
    transactions: Transactions, pages: list[str]
) -> None:
    begun = [transactions.begin("stride", f"/{page}") for page in pages]
    value = transactions.dumps(begun)
    assert len(f"__Host-consent-tx={value}") <= 4096
    kept = transactions.loads(value.encode())
    assert kept == tuple(begun[: len(kept)]) and 1 <= len(kept) <= 4


def a_chain(clock: Clock, *sites: str) -> Chain:
    return Chain.begin(sites or ("stride", "shoelab"), ChainPage.SITES, "/shoes", int(clock()))


def test_a_chain_is_kept_next_to_the_transactions_for_ten_minutes_after_the_click(
    transactions: Transactions, clock: Clock
) -> None:
    begun = a_chain(clock).step()
    other = transactions.begin("stride", "/", "n" * 22)
    value = transactions.dumps([begun, other]).encode()
    assert transactions.under_way(value) == (begun, other) and transactions.loads(value) == (other,)
    clock.advance(599)
    later = begun.with_result(StepResult.TAKEN).step()
    value = transactions.dumps([later]).encode()
    clock.advance(1)
    assert transactions.under_way(value) == (later,)
    with pytest.raises(HandoffRefusal, match="transaction over"):
        transactions.loads(value)
    clock.advance(1)
    assert transactions.under_way(value) == (), "a step prolongs nothing"
    clock.advance(-700)
    assert transactions.under_way(value) == ()


def test_a_chain_over_other_sites_than_those_of_the_policy_is_dropped(
    transactions: Transactions, clock: Clock
) -> None:
    begun = transactions.begin("stride", "/")
    for sites in (("shoelab", "stride"), ("stride",), ("stride", "shoelab", "walk"), ("stride", "walk")):
        value = transactions.dumps([a_chain(clock, *sites), begun]).encode()
        assert transactions.under_way(value) == (begun,)
    odd = transactions._signer.sign("W3sib3RoZXIiOjF9XQ")
    assert transactions.under_way(odd) == ()
