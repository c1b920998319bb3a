import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consentkit.ledger import tables
from consentkit.ledger.chain import (
    EMPTY_HEAD,
    LOG,
    POOL,
    STREAMS,
    append_removal,
    canonical,
    digest_of,
    head_of,
)
from consentkit.ledger.chain_rows import ChainEntry, ChainRows, StoredRow
from consentkit.ledger.ledger import Ledger
from consentkit.ledger.snapshot import snapshot
from consentkit.proof import Checkpoint, make_checkpoint, verify
from consentkit.proof.entries import check_entry
from tests.support.chained import RowsInMemory, execute, three_writers
from tests.support.postgres import Server
from tests.support.records import NOON, a_record


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RowsInMemory:
    """200 records and ten links of three writers."""
    url = f"sqlite:///{tmp_path_factory.mktemp('whole') / 'consent.db'}"
    three_writers(url)
    rows = RowsInMemory.read(url)
    assert [len(rows.chain[stream]) for stream in sorted(rows.chain)] == [71, 70, 69]
    return rows


@pytest.fixture(scope="module")
def checkpoint(whole: RowsInMemory) -> Checkpoint:
    return make_checkpoint("example.org/consent", whole.ends, at=NOON)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'consent.db'}"
    server: Server = request.getfixturevalue("postgres")
    return server.address()


def changes(value: Any) -> Iterator[Any]:
    """Every value that differs in a single byte, for texts, and in a bit, for numbers."""
    if value is None:
        yield from (0, "")
    elif isinstance(value, bool):
        yield from (not value, 2, None)
    elif isinstance(value, int):
        yield from (value ^ 1 << bit for bit in range(63))
        yield None
    else:
        yield None
        for at, character in enumerate(value):
            yield value[:at] + chr(ord(character) ^ 1) + value[at + 1 :]
            yield value[:at] + value[at + 1 :]
        yield from (value + " ", value.encode())


def fields(rows: RowsInMemory) -> Iterator[tuple[ChainEntry, str, StoredRow]]:
    """Each entry with the head before it and its row."""
    for entries in rows.chain.values():
        head = EMPTY_HEAD
        for entry in entries:
            yield entry, head, rows.stored[entry.kind][entry.ref or 0]
            head = entry.head


def test_nothing_is_found_in_a_ledger_that_was_left_alone(
    whole: RowsInMemory, checkpoint: Checkpoint
) -> None:
    done: list[tuple[int, int]] = []
    result = verify(whole, checkpoint, progress=lambda *numbers: done.append(numbers))
    assert result.is_unchanged
    assert (result.entries, result.rows) == (210, {"record": 200, "link": 10})
    assert result.unchained == {"record": 0, "link": 0}
    assert done[-1] == (210, 210)


def test_every_changed_byte_of_a_record_or_link_is_found(whole: RowsInMemory) -> None:
    tried = 0
    for entry, head, row in fields(whole):
        for name, value in (*row.values.items(), ("salt", row.salt)):
            for changed in changes(value):
                damaged = StoredRow(
                    changed if name == "salt" else row.salt,
                    row.values if name == "salt" else {**row.values, name: changed},
                )
                finding = check_entry(head, entry.n, entry, damaged, is_removed=False)
                assert finding is not None and (finding.what, finding.seq) == ("changed", entry.ref)
                tried += 1
    assert tried > 150_000


def test_every_changed_byte_of_the_chain_is_found(whole: RowsInMemory) -> None:
    for entry, head, row in fields(whole):
        for name, value in entry._asdict().items():
            for changed in changes(value):
                damaged = entry._replace(**{name: changed})
                found = check_entry(head, entry.n, damaged, row, is_removed=False)
                assert found is not None, (entry, damaged)


def test_every_changed_byte_of_the_streams_is_found(whole: RowsInMemory) -> None:
    for at, end in enumerate(whole.ends):
        for name, value in end._asdict().items():
            for changed in list(changes(value))[:: 1 if end.n else 16]:
                if changed is None:
                    # No column of this table may be empty.
                    continue
                damaged = replace(whole, ends=[*whole.ends])
                damaged.ends[at] = end._replace(**{name: changed})
                assert not verify(damaged).is_unchanged, (end, changed)


def test_every_removed_record_is_named(whole: RowsInMemory) -> None:
    for kind, rows in whole.stored.items():
        for seq in rows:
            damaged = whole.copy()
            del damaged.stored[kind][seq]
            (finding,) = verify(damaged).findings
            assert (finding.what, finding.kind, finding.seq) == ("removed", kind, seq)


def test_every_removed_entry_is_found(whole: RowsInMemory) -> None:
    for stream, entries in whole.chain.items():
        for at, entry in enumerate(entries):
            damaged = whole.copy()
            del damaged.chain[stream][at]
            first = verify(damaged).findings[0]
            assert first.seq == entry.ref and first.what == "inserted"
            del damaged.stored[entry.kind][entry.ref or 0]
            first = verify(damaged).findings[0]
            assert (first.stream, first.n) == (stream, entry.n)
            assert first.what == ("removed" if at + 1 < len(entries) else "cut off")


def test_every_inserted_record_is_named(whole: RowsInMemory) -> None:
    for seq, row in list(whole.stored["record"].items()):
        damaged = whole.copy()
        damaged.stored["record"][seq + 1000] = row
        (finding,) = verify(damaged).findings
        assert (finding.what, finding.kind, finding.seq) == ("inserted", "record", seq + 1000)


def test_every_record_that_was_moved_is_named(whole: RowsInMemory) -> None:
    for seq in list(whole.stored["record"]):
        damaged = whole.copy()
        damaged.stored["record"][seq + 1000] = damaged.stored["record"].pop(seq)
        found = {(finding.what, finding.seq) for finding in verify(damaged).findings}
        assert found == {("removed", seq), ("inserted", seq + 1000)}


def test_every_inserted_entry_is_found(whole: RowsInMemory) -> None:
    for stream, entries in whole.chain.items():
        for at in range(len(entries) + 1):
            damaged = whole.copy()
            damaged.stored["record"][1000] = row = whole.stored["record"][1]
            head = entries[at - 1].head if at else EMPTY_HEAD
            digest = digest_of(row.salt or "", "anything")
            made = ChainEntry(
                stream,
                at + 1,
                "record",
                1000,
                None,
                digest,
                head_of(head, stream, at + 1, "record", 1000, digest),
            )
            later = [entry._replace(n=entry.n + 1) for entry in entries[at:]]
            damaged.chain[stream] = [*entries[:at], made, *later]
            assert not verify(damaged).is_unchanged


def test_every_exchange_of_two_records_is_named(whole: RowsInMemory) -> None:
    records = whole.stored["record"]
    for seq in list(records)[:-3]:
        # Three further on is the next one of the same writer.
        for other in (seq + 1, seq + 3):
            damaged = whole.copy()
            for here, there in ((seq, other), (other, seq)):
                damaged.stored["record"][here] = records[there]
            first = verify(damaged).findings[0]
            assert first.seq == seq
            assert first.what == ("reordered" if other == seq + 3 else "changed")


def test_every_exchange_of_two_entries_is_named(whole: RowsInMemory) -> None:
    for stream, entries in whole.chain.items():
        for at in range(len(entries) - 1):
            damaged = whole.copy()
            one, two = entries[at], entries[at + 1]
            damaged.chain[stream][at : at + 2] = [two._replace(n=one.n), one._replace(n=two.n)]
            findings = {finding.what for finding in verify(damaged).findings}
            assert "reordered" in findings


def rewritten(rows: RowsInMemory, change: Callable[[RowsInMemory], object]) -> RowsInMemory:
    """Change a ledger, and work the whole chain out again, as somebody with access to the database can."""
    forged = rows.copy()
    change(forged)
    for at, end in enumerate(forged.ends):
        head, entries = EMPTY_HEAD, []
        for n, entry in enumerate(forged.chain.get(end.stream, []), 1):
            row = forged.stored[entry.kind].get(entry.ref or 0)
            if row is None:
                n -= 1
                continue
            digest = digest_of(row.salt or "", canonical(row.values))
            head = head_of(head, end.stream, len(entries) + 1, entry.kind, entry.ref, digest)
            entries.append(entry._replace(n=len(entries) + 1, digest=digest, head=head))
        forged.chain[end.stream] = entries
        forged.ends[at] = end._replace(n=len(entries), head=head)
    return forged


def test_a_rewrite_of_the_whole_chain_is_found_against_a_checkpoint_alone(
    whole: RowsInMemory, checkpoint: Checkpoint
) -> None:
    for seq in list(whole.stored["record"])[::20]:

        def change(rows: RowsInMemory, seq: int = seq) -> None:
            row = rows.stored["record"][seq]
            rows.stored["record"][seq] = StoredRow(row.salt, {**row.values, "event": "refused"})

        def remove(rows: RowsInMemory, seq: int = seq) -> None:
            del rows.stored["record"][seq]

        assert verify(rewritten(whole, change)).is_unchanged
        (finding,) = verify(rewritten(whole, change), checkpoint).findings
        assert finding.what == "rewritten"
        assert verify(rewritten(whole, remove)).is_unchanged
        (finding,) = verify(rewritten(whole, remove), checkpoint).findings
        assert finding.what == "cut off"
    assert verify(rewritten(whole, lambda rows: None), checkpoint).is_unchanged


def test_every_cut_is_found_against_a_checkpoint(whole: RowsInMemory, checkpoint: Checkpoint) -> None:
    for seq in list(whole.stored["record"])[1::7]:

        def cut(rows: RowsInMemory, seq: int = seq) -> None:
            rows.stored["record"] = {at: row for at, row in rows.stored["record"].items() if at < seq}

        assert verify(rewritten(whole, cut)).is_unchanged
        assert {finding.what for finding in verify(rewritten(whole, cut), checkpoint).findings} == {"cut off"}


def test_entries_that_were_cut_off_are_found_whatever_the_log_says_of_them(
    whole: RowsInMemory, checkpoint: Checkpoint
) -> None:
    forged = whole.copy()
    at, end = next((at, end) for at, end in enumerate(forged.ends) if end.stream == "0" and end.n)
    for entry in forged.chain.pop("0"):
        del forged.stored[entry.kind][entry.ref or 0]
    forged.ends[at] = end._replace(base_n=end.n, base_head=end.head)
    payload = json.dumps({"at": NOON, "removed": [["0", 1, end.n]], "cut": {"0": [end.n, end.head]}})
    digest = digest_of("", payload)
    head = head_of(EMPTY_HEAD, LOG, 1, "pruning", None, digest)
    forged.chain[LOG] = [ChainEntry(LOG, 1, "pruning", None, payload, digest, head)]
    log = next(at for at, end in enumerate(forged.ends) if end.stream == LOG)
    forged.ends[log] = forged.ends[log]._replace(n=1, head=head)
    for noted in (None, checkpoint):
        found = {(finding.what, finding.stream) for finding in verify(forged, noted).findings}
        assert {("cut off", "0"), ("changed", LOG)} <= found


def test_an_older_checkpoint_covers_the_beginning(url: str) -> None:
    ledger = Ledger(url, lock_timeout=30)
    ledger.append(a_record())
    with snapshot(url) as connection:
        before = make_checkpoint("x", ChainRows(connection).streams(), at=NOON)
    ledger.append(a_record(), a_record())
    ledger.link("a", "b", NOON)
    with snapshot(url) as connection:
        result = verify(ChainRows(connection), before)
    assert result.is_unchanged and (result.entries, before.size) == (4, 1)
    ledger.close()


def test_records_that_were_sent_twice_are_in_the_chain_once(url: str) -> None:
    ledger = Ledger(url, lock_timeout=30)
    known = a_record()
    ledger.append(known)
    ledger.append(known)
    ledger.append(a_record(), known, a_record())
    ledger.link("a", "b", NOON)
    ledger.link("a", "b", NOON)
    with snapshot(url) as connection:
        result = verify(ChainRows(connection))
    assert result.is_unchanged and result.rows == {"record": 3, "link": 1}
    ledger.close()


def test_rows_that_were_removed_with_a_note_are_not_missed(url: str) -> None:
    ledger = Ledger(url, lock_timeout=30)
    ledger.append(*(a_record(subject=f"{n}") for n in range(10)))
    ledger.link("1", "2", NOON)
    with ledger._database.transaction() as connection:
        given = [
            (tables.records, 2),
            (tables.records, 3),
            (tables.records, 7),
            (tables.links, 1),
            (tables.links, 99),
        ]
        assert append_removal(connection, "erasure", given, at=NOON) == 4
        connection.execute(tables.records.delete().where(tables.records.c.seq.in_([2, 3, 7])))
        connection.execute(tables.links.delete())
    with snapshot(url) as connection:
        result = verify(ChainRows(connection))
        assert result.is_unchanged and result.removed == {"erasure": 4, "pruning": 0}
        assert result.rows == {"record": 7, "link": 0}
        payload = ChainRows(connection).entries(LOG, 0)[0].payload
    assert payload is not None and '"removed":' in payload
    with ledger._database.transaction() as connection:
        connection.execute(tables.records.delete().where(tables.records.c.seq == 4))
    with snapshot(url) as connection:
        (finding,) = verify(ChainRows(connection)).findings
    assert (finding.what, finding.seq) == ("removed", 4)
    ledger.close()


@pytest.mark.parametrize(
    ("statement", "what", "seq"),
    [
        ("UPDATE consentkit_records SET gpc = 2 WHERE seq = 3", "changed", 3),
        ("UPDATE consentkit_records SET salt = NULL WHERE seq = 3", "changed", 3),
        ("UPDATE consentkit_records SET site = x'ff' WHERE seq = 3", "changed", 3),
        ("UPDATE consentkit_records SET site = CAST(x'ff' AS TEXT) WHERE seq = 3", "changed", 3),
        ("DELETE FROM consentkit_records WHERE seq = 3", "removed", 3),
        ("UPDATE consentkit_records SET seq = 4000 WHERE seq = 4", "removed", 4),
        ("DELETE FROM consentkit_chain WHERE n = 1", "inserted", 1),
        ("DELETE FROM consentkit_streams WHERE stream = '0'", "changed", None),
        ("UPDATE consentkit_chain SET stream = '9' WHERE stream = '1'", "changed", 2),
        ("UPDATE consentkit_chain SET n = 'x' WHERE n = 5 AND stream = '0'", "removed", None),
        ("UPDATE consentkit_chain SET ref = 'x' WHERE n = 5 AND stream = '0'", "changed", "x"),
        ("UPDATE consentkit_chain SET kind = 'start' WHERE n = 5 AND stream = '0'", "changed", None),
    ],
)
def test_what_somebody_did_to_the_database_is_found(
    tmp_path: Path, statement: str, what: str, seq: object
) -> None:
    url = f"sqlite:///{tmp_path / 'consent.db'}"
    three_writers(url, 18)
    execute(url, statement)
    with snapshot(url) as connection:
        findings = verify(ChainRows(connection)).findings
    assert any((finding.what, finding.seq) == (what, seq) for finding in findings), findings


def test_streams_are_there_from_the_beginning(whole: RowsInMemory) -> None:
    assert {end.stream for end in whole.ends} == set(STREAMS) == {*POOL, LOG}
