import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from consentkit.errors import ConfigurationError
from consentkit.ledger import Ledger, Record, Spool
from consentkit.ledger import spool as outbox
from tests.support.records import NOON, a_record, another_process_holds, eventually

LONG = 30.0


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'consent.db'}"


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    ledger = Ledger(url, lock_timeout=0.1)
    first = a_record(subject="first")
    eventually(lambda: ledger.append(first))
    yield ledger
    ledger.close()


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "state" / "spool"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(outbox, "LONGEST_PAUSE", 0.02)


def files(spool: Path) -> list[str]:
    return sorted(path.name for path in spool.iterdir())


@pytest.mark.parametrize("place", [None, "spool"])
def test_a_record_is_delivered_when_the_ledger_is_back(
    url: str, ledger: Ledger, spool: Path, place: str | None
) -> None:  # LG-09
    waiting = Spool(ledger, spool if place else None)
    with another_process_holds(url):
        records = [a_record(event="withdrawn", at=NOON - n) for n in range(3)]
        for record in records:
            waiting.put(record)
            waiting.put(record)
        assert not waiting.flush(0)
        assert [record.id for record in waiting.pending()] == [record.id for record in records]
    assert waiting.flush(LONG)
    assert waiting.pending() == ()
    assert [record.id for record in ledger.history("A" * 22)] == [record.id for record in records]
    waiting.close()
    assert not place or files(spool) == []


def test_it_tries_again_by_itself(url: str, ledger: Ledger) -> None:
    waiting = Spool(ledger)
    with another_process_holds(url):
        waiting.put(a_record())
    thread = waiting._thread
    if thread is not None:
        thread.join(LONG)
    assert waiting.pending() == ()
    assert ledger.newest("A" * 22) is not None
    waiting.close()


def test_a_record_is_on_disk_for_its_owner_alone_before_put_returns(
    url: str, ledger: Ledger, spool: Path
) -> None:
    waiting = Spool(ledger, str(spool))
    record = a_record()
    with another_process_holds(url):
        waiting.put(record)
        (name,) = files(spool)
        assert name.endswith(f"-{record.id}.json")
        assert stat.S_IMODE((spool / name).stat().st_mode) == 0o600
        assert stat.S_IMODE(spool.stat().st_mode) == 0o700
        assert json.loads((spool / name).read_text()) == json.loads(record.to_json())
        waiting.close()
    assert files(spool) == [name]


def test_another_process_delivers_what_a_dead_one_left(url: str, ledger: Ledger, spool: Path) -> None:
    program = """
import os, sys
from consentkit.ledger import Ledger, Spool
from tests.support.records import a_record
waiting = Spool(Ledger(sys.argv[1], lock_timeout=0.1), sys.argv[2])
for n in range(3):
    waiting.put(a_record(event="withdrawn", at=n))
os.kill(os.getpid(), 9)
"""
    with another_process_holds(url):
        assert subprocess.run([sys.executable, "-c", program, url, str(spool)]).returncode == -9
        assert len(files(spool)) == 3
    waiting = Spool(ledger, spool)
    assert waiting.flush(LONG)
    assert [record.at for record in ledger.history("A" * 22)] == [0, 1, 2]
    waiting.close()
    assert files(spool) == []


def test_two_processes_may_share_a_directory(url: str, ledger: Ledger, spool: Path) -> None:
    others = Ledger(url, lock_timeout=0.1)
    one, other = Spool(ledger, spool), Spool(others, spool)
    with another_process_holds(url):
        records = [a_record(subject=f"{n}") for n in range(6)]
        for n, record in enumerate(records):
            (one if n % 2 else other).put(record)
    assert one.flush(LONG)
    assert other.flush(LONG)
    assert {record.id for record in ledger.records()} >= {record.id for record in records}
    assert len(list(ledger.records())) == 7
    one.close()
    other.close()
    others.close()


@pytest.mark.parametrize("content", [b"", b"{", b'{"at": 1}', b"\xff\xfe", b"[" * 100_000])
def test_a_file_that_holds_no_record_is_set_aside_and_not_lost(
    ledger: Ledger, spool: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    spool.mkdir(parents=True)
    (spool / "0-broken.json").write_bytes(content)
    (spool / "1-whole.json").write_text(a_record().to_json())
    (spool / "2-half.draft").write_bytes(content)
    waiting = Spool(ledger, spool)
    assert waiting.flush(LONG)
    waiting.close()
    assert files(spool) == ["0-broken.refused", "2-half.draft"]
    assert (spool / "0-broken.refused").read_bytes() == content
    assert "0-broken.json holds no record" in caplog.text
    assert ledger.newest("A" * 22) is not None


def test_a_directory_in_the_place_of_a_file_is_set_aside_too(ledger: Ledger, spool: Path) -> None:
    (spool / "0.json").mkdir(parents=True)
    Spool(ledger, spool).close()
    assert files(spool) == ["0.refused"]


def test_what_cannot_be_set_aside_stays_and_is_not_tried_for_ever(
    ledger: Ledger, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (spool / "0.refused" / "full").mkdir(parents=True)
    (spool / "0.json").mkdir()
    waiting = Spool(ledger, spool)
    waiting.put(a_record())
    assert waiting.flush(LONG)
    waiting.close()
    assert caplog.text.count("0.json stays where it is") == 1


def test_a_file_that_goes_while_it_is_looked_at_was_delivered(ledger: Ledger, spool: Path) -> None:
    spool.mkdir(parents=True)
    (spool / "0.json").symlink_to(spool / "gone")
    waiting = Spool(ledger, spool)
    assert waiting.pending() == ()
    waiting.close()


def test_a_record_that_the_ledger_refuses_is_set_aside_and_the_others_go(
    ledger: Ledger, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    known = a_record()
    eventually(lambda: ledger.append(known))
    spool.mkdir(parents=True)
    (spool / "0.json").write_text(a_record(id=known.id, event="withdrawn").to_json())
    (spool / "1.json").write_text(a_record(subject="good").to_json())
    waiting = Spool(ledger, spool)
    assert waiting.flush(LONG)
    waiting.close()
    assert files(spool) == ["0.refused"]
    assert f"Record {known.id} is refused" in caplog.text
    assert ledger.newest("good") is not None


def test_a_refused_record_without_a_directory_is_in_the_log(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    known = a_record()
    eventually(lambda: ledger.append(known))
    waiting = Spool(ledger)
    refused = a_record(id=known.id, event="withdrawn")
    waiting.put(refused)
    assert waiting.flush(LONG)
    waiting.close()
    assert refused.to_json() in caplog.text


def test_a_file_that_cannot_be_removed_is_not_delivered_for_ever(
    url: str, ledger: Ledger, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    waiting = Spool(ledger, spool)
    with another_process_holds(url):
        waiting.put(a_record())
        (name,) = files(spool)
        (spool / name).unlink()
        (spool / name).mkdir()
    assert waiting.flush(LONG)
    waiting.put(a_record())
    assert waiting.flush(LONG)
    waiting.close()
    assert caplog.text.count("is in the ledger, but stays") == 1
    assert files(spool) == [name]


def test_a_directory_that_fails_costs_nobody_an_answer(
    url: str, ledger: Ledger, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    waiting = Spool(ledger, spool)
    spool.rmdir()
    with another_process_holds(url):
        waiting.put(a_record())
        assert len(waiting.pending()) == 1
    assert waiting.flush(LONG)
    assert ledger.newest("A" * 22) is not None
    assert "waits in memory alone" in caplog.text
    waiting.close()


def test_whoever_follows_is_told_of_each_record_that_was_stored_and_may_fail(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    known = a_record()
    eventually(lambda: ledger.append(known))
    told: SimpleQueue[str] = SimpleQueue()

    def follow(record: Record) -> None:
        told.put(record.id)
        raise RuntimeError("a follower's bug")

    waiting = Spool(ledger, delivered=follow)
    refused, good = a_record(id=known.id, event="withdrawn"), a_record(subject="good")
    waiting.put(refused)
    waiting.put(good)
    assert told.get(timeout=LONG) == good.id
    waiting.close()
    assert told.empty()
    assert "a follower's bug" in caplog.text


def test_what_is_lost_at_the_end_is_named(url: str, ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    waiting = Spool(ledger)
    record = a_record()
    with another_process_holds(url):
        waiting.put(record)
        waiting.close()
    assert f"lost with this process: records {record.id}." in caplog.text
    waiting.put(a_record())
    assert waiting._thread is None


def test_closing_tries_once_more(url: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "FIRST_PAUSE", LONG)
    waiting = Spool(ledger)
    with another_process_holds(url):
        waiting.put(a_record())
        assert not waiting.flush(0.3)
    waiting.close()
    assert waiting.pending() == ()


def test_a_closed_ledger_is_waited_for_without_harm(url: str, spool: Path) -> None:
    ledger = Ledger(url)
    ledger.close()
    waiting = Spool(ledger, spool)
    waiting.put(a_record())
    waiting.close()
    assert len(files(spool)) == 1


def test_an_unexpected_failure_is_logged_and_survived(url: str, caplog: pytest.LogCaptureFixture) -> None:
    class Flawed(Ledger):
        flaws = 1

        def append(self, *records: Record) -> None:
            if self.flaws:
                self.flaws -= 1
                raise RuntimeError("a bug")
            super().append(*records)

    ledger = Flawed(url)
    waiting = Spool(ledger)
    waiting.put(a_record())
    assert waiting.flush(LONG)
    assert "a bug" in caplog.text
    waiting.close()
    ledger.close()


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_spool_that_cannot_be_is_a_mistake_of_the_developer(
    ledger: Ledger, tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="spool = "):
        Spool(ledger, tmp_path / place)
