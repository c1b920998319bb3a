"""A visitor's history in which every text is hostile."""

import pytest

from consentkit import Ledger
from consentkit.ledger import SentWords
from consentkit.proof import VisitorHistory, history_of
from tests.support.records import NOON, a_record

HOSTILE = '</pre></iframe>"><script>document.title = "run"</script>'


@pytest.fixture
def history(ledger: Ledger) -> VisitorHistory:
    """Three records of one visitor on two sites, with a notice and words, and a record of somebody else."""
    words = SentWords.of(
        notice="n" * 43,
        site="stride",
        language="nl",
        surface="banner",
        version="1",
        html=f"<p>Mag dat?</p>{HOSTILE}",
    )
    ledger.store_notice("n" * 43, {"controller": HOSTILE})
    ledger.store_renderings([words])
    ledger.append(
        a_record(subject="a", rendering=words.id, jurisdiction=HOSTILE),
        a_record(subject="other", notice="o" * 43),
        a_record(
            subject="b", event="withdrawn", status="withdrawn", at=NOON + 1, expires_at=None, categories={}
        ),
        a_record(subject="b", rendering="gone", expires_at=2**60),
    )
    ledger.link("a", "b", NOON)
    return history_of(ledger, "b")
