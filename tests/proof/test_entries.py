import pytest

from consentkit.ledger import EMPTY_HEAD, ChainEntry, digest_of, head_of
from consentkit.proof.entries import ChainLog, check_entry


def an_entry(kind: str, payload: str, n: int = 1) -> ChainEntry:
    digest = digest_of("", payload)
    head = head_of(EMPTY_HEAD, "log", n, kind, None, digest)
    return ChainEntry("log", n, kind, None, payload, digest, head)


@pytest.mark.parametrize(
    ("kind", "payload", "is_read"),
    [
        ("start", '{"before":{"links":3,"records":7}}', True),
        ("start", '{"before":{}}', False),
        ("erasure", '{"at":1,"removed":[["0",1,3]]}', True),
        ("pruning", '{"at":1,"removed":[["0",1,3]],"cut":{"0":[3,"abc"]}}', False),
        ("pruning", '{"at":1,"removed":[["0",1,3]]}', True),
        ("adoption", '{"at":1,"records":500}', True),
        ("adoption", '{"records":"x"}', False),
        ("erasure", '{"at":1}', False),
        ("erasure", '{"at":1,"removed":[["0",1]]}', False),
        ("erasure", "[]", False),
        ("erasure", "no JSON", False),
    ],
)
def test_entries_of_removals_are_read(kind: str, payload: str, is_read: bool) -> None:
    entry = an_entry(kind, payload)
    assert check_entry(EMPTY_HEAD, 1, entry, None, is_removed=False) is None
    assert ChainLog().add(entry) is is_read


def test_a_beginning_later_than_the_first_entry_counts_nothing() -> None:
    assert not ChainLog().add(an_entry("start", '{"before":{"links":3,"records":7}}', n=2))


def test_removed_places_are_found_in_ranges_that_overlap() -> None:
    log = ChainLog()
    assert log.add(an_entry("erasure", '{"removed":[["0",5,7],["0",1,1],["1",2,2]]}'))
    assert log.add(an_entry("pruning", '{"removed":[["0",6,9],["0",20,20]]}'))
    log.merge()
    assert [n for n in range(25) if log.names("0", n)] == [1, 5, 6, 7, 8, 9, 20]
    assert not log.names("2", 2)
    assert log.count == {"erasure": 5, "pruning": 5}


def test_entries_that_do_not_belong_where_they_are_are_found() -> None:
    found = check_entry(EMPTY_HEAD, 1, an_entry("record", "{}"), None, is_removed=False)
    assert found is not None and found.what == "inserted"
    found = check_entry(EMPTY_HEAD, 1, an_entry("other", "{}"), None, is_removed=False)
    assert found is not None and found.what == "inserted"
    changed = an_entry("erasure", "{}")._replace(payload='{"at":2}')
    found = check_entry(EMPTY_HEAD, 1, changed, None, is_removed=False)
    assert found is not None and found.what == "changed"
