from consentkit import Ledger
from consentkit.proof import VisitorHistory, history_of
from tests.support.records import NOON, a_record


def test_history_holds_what_belongs_to_all_linked_references_and_nothing_else(
    ledger: Ledger, history: VisitorHistory
) -> None:  # RC-09
    assert (history.reference, history.references, bool(history)) == ("b", ("a", "b"), True)
    assert [record.seq for record in history.records] == [1, 3, 4]
    assert history.links == (("a", "b", NOON),)
    assert list(history.notices) == ["n" * 43]
    assert [words.surface for words in history.renderings.values()] == ["banner"]


def test_what_waits_for_the_ledger_comes_last_and_once(ledger: Ledger, history: VisitorHistory) -> None:
    late = a_record(subject="a")
    waiting = [late, history.records[0], a_record(subject="other")]
    assert history_of(ledger, "b", waiting=waiting).records == (*history.records, late)


def test_nobody_has_no_history(ledger: Ledger, history: VisitorHistory) -> None:
    nothing = history_of(ledger, "nobody", waiting=history.records)
    assert (nothing.records, nothing.links, bool(nothing)) == ((), (), False)
