from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from consentkit import Ledger
from consentkit.ledger import ChainRows, Record, snapshot
from consentkit.proof import erase, verify
from tests.conftest import Clock
from tests.support.family import Family
from tests.support.front import COOKIE, EVERYTHING, Front
from tests.support.postgres import Server
from tests.support.records import NOON, a_record


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'consent.db'}"
    server: Server = request.getfixturevalue("postgres")
    return server.address()


@pytest.fixture
def here(make_front: Callable[..., Front], url: str) -> Front:
    return make_front(ledger=url)


@pytest.fixture
def there(make_front: Callable[..., Front], url: str) -> Front:
    """Another process of the same site."""
    return make_front(ledger=url)


def status(client: TestClient) -> str:
    return str(client.get("/consent/decision").json()["status"])


def holding(front: Front, cookie: str) -> TestClient:
    client = front.client()
    client.cookies.set(COOKIE, cookie)
    return client


def subject_of(front: Front) -> str:
    return front.records()[-1].subject or ""


def stored(ledger: Ledger) -> tuple[list[Record], list[tuple[str, str, int]]]:
    return list(ledger.records()), list(ledger.links())


def test_a_cookie_grants_nothing_anywhere_once_its_records_are_erased(
    here: Front, there: Front, clock: Clock
) -> None:  # RC-09
    told: list[Record] = []
    here.manager.on_change(told.append)
    cookie = here.cookie(here.client(), **EVERYTHING)
    subject = subject_of(here)
    assert [status(holding(front, cookie)) for front in (here, there)] == ["given", "given"]
    (erased,) = here.manager.erase([subject])
    assert (erased.references, erased.records, len(erased.withdrawn)) == ((subject,), 2, 1)
    assert [record.event for record in told] == ["given", "withdrawn"]
    assert stored(here.ledger) == ([], [])
    assert status(holding(here, cookie)) != "given"
    clock.advance(61)
    assert [status(holding(front, cookie)) for front in (here, there)] == ["withdrawn", "unknown"]
    # The visitor is a new one, and keeps what is chosen from now on.
    visitor = holding(there, cookie)
    visitor.cookies.clear()
    visitor.cookies.set(COOKIE, cookie, domain="stride.example")
    there.cookie(visitor, analytical=True)
    assert subject_of(there) != subject
    clock.advance(61)
    assert status(holding(here, str(visitor.cookies[COOKIE]))) == "given"
    assert status(holding(here, cookie)) == "withdrawn"


def test_running_processes_learn_of_an_erasure_that_none_of_them_did(
    here: Front, there: Front, clock: Clock
) -> None:
    cookie, other = here.cookie(here.client(), **EVERYTHING), here.cookie(here.client(), social=True)
    first = here.records()[0].subject or ""
    assert [status(holding(there, each)) for each in (cookie, other)] == ["given", "given"]
    with_url = Ledger(here.ledger._database._engine)
    erased = erase(with_url, first, now=int(clock()))
    assert erased.records == 2 and with_url.erasures() == 1
    with_url.close()
    clock.advance(61)
    assert [status(holding(there, each)) for each in (cookie, other)] == ["unknown", "given"]
    assert [status(holding(here, each)) for each in (cookie, other)] == ["unknown", "given"]


def test_all_linked_records_go_and_nothing_that_leads_to_the_visitor_is_left(url: str) -> None:
    ledger = Ledger(url, lock_timeout=30)
    ledger.append(*(a_record(subject=subject, at=NOON + place) for place, subject in enumerate("abcab")))
    for pair in (("a", "h"), ("h", "b"), ("c", "i")):
        ledger.link(*pair, NOON)
    erased = erase(ledger, "h", now=NOON + 60)
    assert (erased.references, erased.records, erased.links) == (("a", "b", "h"), 6, 2)
    records, links = stored(ledger)
    assert [record.subject for record in records] == ["c"] and links == [("c", "i", NOON)]
    with snapshot(url) as connection:
        assert verify(ChainRows(connection)).is_unchanged
    again = erase(ledger, "a", now=NOON + 60)
    assert (again.references, again.records, again.links) == (("a",), 0, 0)
    ledger.close()


def test_a_consent_that_has_expired_is_erased_without_a_withdrawal(url: str) -> None:
    ledger = Ledger(url, lock_timeout=30)
    ledger.append(a_record(subject="a"), a_record(subject="a", expires_at=None, changed_at=NOON - 9))
    assert erase(ledger, "a", now=NOON + 185 * 86_400).withdrawn == ()
    ledger.append(a_record(subject="b", expires_at=None))
    assert len(erase(ledger, "b", now=NOON + 185 * 86_400).withdrawn) == 1
    ledger.close()


def test_a_record_that_waited_brings_nothing_back(here: Front, there: Front, clock: Clock) -> None:
    """While the ledger was out of reach a process took a part of a grant back, and delivers that after the erasure."""
    client = here.client()
    granted = here.cookie(client, **EVERYTHING)
    (grant,) = here.records()
    clock.advance(10)
    at = int(clock())
    part = replace(
        grant, id="00000000-0000-4000-8000-000000000001", at=at, changed_at=at, event="withdrawn", seq=None,
        categories={"analytical": True, "tracking": False, "social": False},
    )  # fmt: skip
    # As the spool of another process shows it here, too.
    here.manager.revocations.hold(part, clock(), stored=False)
    assert here.client().get("/consent/decision").json()["status"] == "unknown"
    there.manager.erase([grant.subject or ""])
    clock.advance(61)
    assert status(holding(here, granted)) == "unknown", "nothing is left that the waiting record could narrow"
    delivery = here.manager._parts.delivery
    assert delivery is not None and delivery.append(part) == ()
    assert here.records() == []
    assert status(holding(here, granted)) == "unknown"
    # A refusal of somebody else, and a record of a visitor with older records, are delivered as ever.
    other = replace(part, id="00000000-0000-4000-8000-000000000002", subject=None, status="refused")
    assert delivery.append(other) == (other,)


def test_a_choice_that_is_on_its_way_to_another_site_does_not_arrive_after_the_erasure(
    family: Family,
) -> None:
    browser = family.browser()
    browser.choose("stride", EVERYTHING)
    issued = browser.issue("stride", "trailhead")
    reference = next(record.subject for record in family.ledger.records() if record.subject)
    family["stride"].manager.erase([reference])
    browser.follow(issued)
    assert browser.granted("trailhead") == set()
    assert list(family.ledger.records()) == []
