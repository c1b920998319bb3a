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
def directory(tmp_path: Path) -> Path:
    return tmp_path / "state" / "spool"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentkit.ledger.spool.FIRST_PAUSE", 0.01)
    monkeypatch.setattr("consentkit.ledger.spool.LONGEST_PAUSE", 0.02)


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize("place", [None, "spool"])
def test_a_record_is_delivered_when_the_ledger_is_back(
    url: str, ledger: Ledger, directory: Path, place: str | None
) -> None:  # LG-09
    spool = Spool(ledger, directory if place else None)
    with another_process_holds(url):
        records = [a_record(event="withdrawn", at=NOON - n) for n in range(3)]
        for record in records:
            spool.put(record)
            spool.put(record)
        assert not spool.flush(0)
        assert [record.id for record in spool.pending()] == [record.id for record in records]
    assert spool.flush(LONG)
    assert spool.pending() == ()
    assert [record.id for record in ledger.history("A" * 22)] == [record.id for record in records]
    spool.close()
    assert not place or files(directory) == []


def test_the_thread_tries_again_by_itself(url: str, ledger: Ledger) -> None:
    spool = Spool(ledger)
    with another_process_holds(url):
        spool.put(a_record())
    thread = spool._thread
    if thread is not None:
        thread.join(LONG)
    assert spool.pending() == ()
    assert ledger.newest("A" * 22) is not None
    spool.close()


def test_put_returns_when_the_record_is_in_a_file_of_its_owner(
    url: str, ledger: Ledger, directory: Path
) -> None:
    spool = Spool(ledger, str(directory))
    record = a_record()
    with another_process_holds(url):
        spool.put(record)
        (name,) = files(directory)
        assert name.endswith(f"-{record.id}.json")
        assert stat.S_IMODE((directory / name).stat().st_mode) == 0o600
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert json.loads((directory / name).read_text()) == json.loads(record.to_json())
        spool.close()
    assert files(directory) == [name]


def test_another_process_delivers_the_files_of_a_killed_one(
    url: str, ledger: Ledger, directory: Path
) -> None:
    program = """
import os, sys
from consentkit.ledger import Ledger, Spool
from tests.support.records import a_record
spool = Spool(Ledger(sys.argv[1], lock_timeout=0.1), sys.argv[2])
for n in range(3):
    spool.put(a_record(event="withdrawn", at=n))
os.kill(os.getpid(), 9)
"""
    with another_process_holds(url):
        assert subprocess.run([sys.executable, "-c", program, url, str(directory)]).returncode == -9
        assert len(files(directory)) == 3
    spool = Spool(ledger, directory)
    assert spool.flush(LONG)
    assert [record.at for record in ledger.history("A" * 22)] == [0, 1, 2]
    spool.close()
    assert files(directory) == []


def test_two_processes_may_share_a_directory(url: str, ledger: Ledger, directory: Path) -> None:
    others = Ledger(url, lock_timeout=0.1)
    one, other = Spool(ledger, directory), Spool(others, directory)
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
def test_a_file_without_a_record_is_renamed_and_the_others_are_delivered(
    ledger: Ledger, directory: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    directory.mkdir(parents=True)
    (directory / "0-broken.json").write_bytes(content)
    (directory / "1-whole.json").write_text(a_record().to_json())
    (directory / "2-half.draft").write_bytes(content)
    spool = Spool(ledger, directory)
    assert spool.flush(LONG)
    spool.close()
    assert files(directory) == ["0-broken.refused", "2-half.draft"]
    assert (directory / "0-broken.refused").read_bytes() == content
    assert "0-broken.json holds no record" in caplog.text
    assert ledger.newest("A" * 22) is not None


def test_a_directory_in_the_place_of_a_file_is_renamed(ledger: Ledger, directory: Path) -> None:
    (directory / "0.json").mkdir(parents=True)
    Spool(ledger, directory).close()
    assert files(directory) == ["0.refused"]


def test_a_file_that_cannot_be_renamed_is_read_once(
    ledger: Ledger, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (directory / "0.refused" / "full").mkdir(parents=True)
    (directory / "0.json").mkdir()
    spool = Spool(ledger, directory)
    spool.put(a_record())
    assert spool.flush(LONG)
    spool.close()
    assert caplog.text.count("0.json cannot be renamed") == 1


def test_a_file_that_disappears_while_it_is_read_was_delivered(ledger: Ledger, directory: Path) -> None:
    directory.mkdir(parents=True)
    (directory / "0.json").symlink_to(directory / "gone")
    spool = Spool(ledger, directory)
    assert spool.pending() == ()
    spool.close()


def test_a_refused_record_is_renamed_and_the_others_are_delivered(
    ledger: Ledger, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    known = a_record()
    eventually(lambda: ledger.append(known))
    directory.mkdir(parents=True)
    (directory / "0.json").write_text(a_record(id=known.id, event="withdrawn").to_json())
    (directory / "1.json").write_text(a_record(subject="good").to_json())
    spool = Spool(ledger, directory)
    assert spool.flush(LONG)
    spool.close()
    assert files(directory) == ["0.refused"]
    assert f"refused record {known.id}" in caplog.text
    assert ledger.newest("good") is not None


def test_a_refused_record_without_a_file_is_logged_whole(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    known = a_record()
    eventually(lambda: ledger.append(known))
    spool = Spool(ledger)
    refused = a_record(id=known.id, event="withdrawn")
    spool.put(refused)
    assert spool.flush(LONG)
    spool.close()
    assert refused.to_json() in caplog.text


def test_a_file_that_cannot_be_deleted_is_delivered_once(
    url: str, ledger: Ledger, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(ledger, directory)
    with another_process_holds(url):
        spool.put(a_record())
        (name,) = files(directory)
        (directory / name).unlink()
        (directory / name).mkdir()
    assert spool.flush(LONG)
    spool.put(a_record())
    assert spool.flush(LONG)
    spool.close()
    assert caplog.text.count("is in the ledger, but its file cannot be deleted") == 1
    assert files(directory) == [name]


def test_a_record_waits_in_memory_if_the_directory_fails(
    url: str, ledger: Ledger, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(ledger, directory)
    directory.rmdir()
    with another_process_holds(url):
        spool.put(a_record())
        assert len(spool.pending()) == 1
    assert spool.flush(LONG)
    assert ledger.newest("A" * 22) is not None
    assert "waits in memory alone" in caplog.text
    spool.close()


def test_the_callback_gets_each_stored_record_and_may_fail(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    known = a_record()
    eventually(lambda: ledger.append(known))
    stored: SimpleQueue[str] = SimpleQueue()

    def callback(record: Record) -> None:
        stored.put(record.id)
        raise RuntimeError("a callback's bug")

    spool = Spool(ledger, delivered=callback)
    refused, good = a_record(id=known.id, event="withdrawn"), a_record(subject="good")
    spool.put(refused)
    spool.put(good)
    assert stored.get(timeout=LONG) == good.id
    spool.close()
    assert stored.empty()
    assert "a callback's bug" in caplog.text


def test_records_that_closing_loses_are_logged(
    url: str, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(ledger)
    record = a_record()
    with another_process_holds(url):
        spool.put(record)
        spool.close()
    assert f"are lost: {record.id}." in caplog.text
    spool.put(a_record())
    assert spool._thread is None


def test_closing_delivers_once_more(url: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentkit.ledger.spool.FIRST_PAUSE", LONG)
    spool = Spool(ledger)
    with another_process_holds(url):
        spool.put(a_record())
        assert not spool.flush(0.3)
    spool.close()
    assert spool.pending() == ()


def test_a_record_stays_on_disk_if_the_ledger_was_closed(url: str, directory: Path) -> None:
    ledger = Ledger(url)
    ledger.close()
    spool = Spool(ledger, directory)
    spool.put(a_record())
    spool.close()
    assert len(files(directory)) == 1


def test_the_thread_continues_after_an_unexpected_error(url: str, caplog: pytest.LogCaptureFixture) -> None:
    class Flawed(Ledger):
        flaws = 1

        def append(self, *records: Record) -> None:
            if self.flaws:
                self.flaws -= 1
                raise RuntimeError("a bug")
            super().append(*records)

    ledger = Flawed(url)
    spool = Spool(ledger)
    spool.put(a_record())
    assert spool.flush(LONG)
    assert "a bug" in caplog.text
    spool.close()
    ledger.close()


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_directory_that_cannot_be_created_raises(ledger: Ledger, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="spool = "):
        Spool(ledger, tmp_path / place)
