"""How decisions are taken is tested with the manager; here is what is kept beside them."""

from collections.abc import Iterator

import pytest

from consentkit import ConsentManager, Policy
from consentkit.consent.model import Choice
from consentkit.manager.choice import ChoiceContext
from consentkit.notices.notice import Notice
from consentkit.web import SiteServices
from tests.conftest import Clock
from tests.support.sites import managing


@pytest.fixture
def manager(policy: Policy, ledger_url: str, clock: Clock) -> Iterator[ConsentManager]:
    with managing(policy, ledger=ledger_url, clock=clock) as made:
        yield made


def accept(manager: ConsentManager, **context: str) -> None:
    choice = Choice(categories={"social": True}, vendors={})
    manager.decide(manager.evaluator.undecided(), choice, ChoiceContext(**context))  # type: ignore[arg-type]


# IN-06: the exact words, templates' and style sheets' hashes included
def test_the_first_record_under_a_notice_has_it_kept_with_what_was_shown(manager: ConsentManager) -> None:
    SiteServices(manager)
    assert manager.ledger is not None and manager.ledger.notices() == []
    for language in ("en", "nl", "en"):
        accept(manager, language=language)
    assert manager.ledger.notices() == [(manager.notice.digest, manager.notice.content)]
    shown = dict(manager.ledger.renderings(manager.notice.digest))
    assert set(shown) == {"en", "nl"}
    assert "Accept all" in shown["en"]["banner"] and "Alles accepteren" in shown["nl"]["banner"]
    assert len(shown["en"]["templates"]["banner.html"]) == 64 and shown["en"]["assets"]


def test_an_older_notice_that_is_known_by_its_facts_alone_is_not_kept_anew(manager: ConsentManager) -> None:
    older = Notice("o" * 43, manager.notice.facts)
    manager.evaluator.add_notice(older)
    accept(manager, notice=older.digest)
    assert manager.ledger is not None and manager.ledger.notices() == []
    (record,) = manager.ledger.records()
    assert record.notice == older.digest


def test_an_older_notice_whose_words_are_known_is_kept_without_todays_rendering(
    manager: ConsentManager,
) -> None:
    SiteServices(manager)
    older = Notice.from_content({**(manager.notice.content or {}), "records_kept": "P1Y"})
    manager.evaluator.add_notice(older)
    accept(manager, notice=older.digest)
    assert manager.ledger is not None and manager.ledger.notice(older.digest) == older.content
    assert manager.ledger.renderings(older.digest) == []
