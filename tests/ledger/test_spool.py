import gc
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from consentkit.errors import ConfigurationError, LedgerError, LedgerUnavailableError
from consentkit.ledger import Ledger, Record, Spool
from consentkit.ledger.spool_directory import SpoolDirectory
from tests.conftest import Clock
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


class Switched(Ledger):
    """A ledger that is out of reach until the test switches it on."""

    away = True

    def append(self, *records: Record) -> None:
        if self.away:
            raise LedgerUnavailableError("switched off")
        super().append(*records)


@pytest.fixture
def switched(url: str) -> Iterator[Switched]:
    ledger = Switched(url, lock_timeout=LONG)
    yield ledger
    ledger.close()


def files(directory: Path) -> list[str]:
    """Return the names of all files but the lock files of living owners."""
    return sorted(path.name for path in directory.iterdir() if path.suffix != ".lock")


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
    assert files(directory) == ["0-broken.refused"]
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
    (name,) = files(directory)
    assert name.endswith(f"-{known.id}.refused")
    assert f"Record {known.id} was refused" in caplog.text
    assert ledger.newest("good") is not None


def test_a_refused_record_is_logged_by_its_id_alone(
    ledger: Ledger, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:  # RC-08
    known = a_record()
    eventually(lambda: ledger.append(known))
    for place in (None, directory):
        spool = Spool(ledger, place)
        refused = a_record(id=known.id, event="withdrawn", subject="pseudonym", language="xx-words")
        assert spool.put(refused)
        assert spool.flush(LONG)
        spool.close()
    assert caplog.text.count(f"Record {known.id} was refused") == 2
    assert "pseudonym" not in caplog.text
    assert "xx-words" not in caplog.text
    (name,) = files(directory)
    assert name.endswith(".refused")
    assert (directory / name).read_text() == refused.to_json()


def test_a_file_that_cannot_be_deleted_is_delivered_once(
    url: str, ledger: Ledger, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Obstructing(Ledger):
        """Put a directory in the place of every file while it is delivered."""

        def append(self, *records: Record) -> None:
            super().append(*records)
            for path in directory.glob("*.json"):
                if path.is_file():
                    path.unlink()
                    path.mkdir()

    obstructing = Obstructing(url)
    spool = Spool(obstructing, directory)
    spool.put(a_record())
    assert spool.flush(LONG)
    spool.put(a_record())
    assert spool.flush(LONG)
    spool.close()
    obstructing.close()
    assert caplog.text.count("is in the ledger, but cannot be deleted") == 2
    assert len(files(directory)) == 2
    assert len(ledger.history("A" * 22)) == 2


@pytest.mark.parametrize("how", ["gone", "directory"])
def test_a_record_whose_file_is_gone_does_not_stop_the_others(
    switched: Switched, directory: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(switched, directory)
    gone, other = a_record(), a_record(subject="other")
    spool.put(gone)
    (name,) = files(directory)
    (directory / name).unlink()
    if how == "directory":
        (directory / name).mkdir()
    spool.put(other)
    assert [record.id for record in spool.pending()] == [other.id]
    switched.away = False
    assert spool.flush(LONG)
    spool.close()
    assert switched.newest("other") is not None
    assert switched.history("A" * 22) == []
    assert f"Record {gone.id} is no longer in the spool" in caplog.text


def test_a_file_that_cannot_be_read_now_waits_and_does_not_stop_the_others(
    switched: Switched, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stored: SimpleQueue[str] = SimpleQueue()
    switched.away = True
    spool = Spool(switched, directory, delivered=lambda record: stored.put(record.id))
    late, other = a_record(), a_record(subject="other")
    spool.put(late)
    (name,) = files(directory)
    os.link(directory / name, directory / "aside")
    # Too many levels of symbolic links: an error that does not mean that there is no record.
    (directory / "loop").symlink_to(directory / name)
    (directory / "loop").rename(directory / name)
    spool.put(other)
    assert [record.id for record in spool.pending()] == [other.id]
    switched.away = False
    assert stored.get(timeout=LONG) == other.id
    (directory / "aside").rename(directory / name)
    assert stored.get(timeout=LONG) == late.id
    spool.close()
    assert caplog.text.count(f"Record {late.id} cannot be read from the spool") == 1


def test_records_wait_in_memory_if_the_directory_fails(
    url: str, ledger: Ledger, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(ledger, directory)
    directory.rmdir()
    directory.write_text("no directory")
    with another_process_holds(url):
        assert all([spool.put(a_record()) for _ in range(5)])
        assert len(spool.pending()) == 5
        assert spool.waiting_elsewhere() is None
    assert spool.flush(LONG)
    assert len(ledger.history("A" * 22)) == 5
    assert caplog.text.count("wait in memory alone") == 1
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


def test_the_callback_is_called_when_the_file_is_gone_so_that_nobody_tells_of_it_again(
    url: str, ledger: Ledger, directory: Path
) -> None:
    left: SimpleQueue[list[str]] = SimpleQueue()
    spool = Spool(ledger, directory, delivered=lambda record: left.put(files(directory)))
    with another_process_holds(url):
        spool.put(a_record())
    assert left.get(timeout=LONG) == []
    spool.close()


class TestClosing:
    def test_logs_how_many_records_are_lost(
        self, url: str, ledger: Ledger, caplog: pytest.LogCaptureFixture
    ) -> None:
        spool = Spool(ledger)
        with another_process_holds(url):
            for _ in range(3):
                spool.put(a_record())
            spool.close()
            spool.close()
        assert caplog.text.count("3 records that waited in memory alone are lost") == 1
        assert not spool.put(a_record()), "nobody would deliver it"
        assert not spool._is_running

    def test_delivers_once_more(self, url: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("consentkit.ledger.spool.FIRST_PAUSE", LONG)
        spool = Spool(ledger)
        with another_process_holds(url):
            spool.put(a_record())
            assert not spool.flush(0.3)
        spool.close()
        assert spool.pending() == ()

    @pytest.mark.parametrize("place", [None, "spool"])
    def test_delivers_what_came_while_the_try_under_way_was_failing(
        self, url: str, directory: Path, place: str | None
    ) -> None:
        trying, closing = threading.Event(), threading.Event()

        class Hanging(Ledger):
            """Fail the first try, which ends only after `close` was called."""

            def append(self, *records: Record) -> None:
                if not trying.is_set():
                    trying.set()
                    assert closing.wait(LONG)
                    raise LedgerUnavailableError("out of reach")
                super().append(*records)

        ledger = Hanging(url)
        spool = Spool(ledger, directory if place else None)
        spool.put(a_record())
        assert trying.wait(LONG)
        for _ in range(119):
            assert spool.put(a_record())
        thread = threading.Thread(target=spool.close, kwargs={"timeout": LONG})
        thread.start()
        # The ledger is back only after `close` has begun.
        while not spool._closed:
            thread.join(0.001)
        closing.set()
        thread.join(LONG)
        assert len(ledger.history("A" * 22)) == 120
        assert spool.health()["waiting"] == 0
        ledger.close()

    def test_takes_no_longer_than_its_timeout(self, url: str, directory: Path) -> None:
        complete, trying, over = threading.Event(), threading.Event(), threading.Event()

        class Hanging(Ledger):
            def append(self, *records: Record) -> None:
                if not complete.is_set():
                    raise LedgerUnavailableError("out of reach")
                trying.set()
                assert over.wait(LONG)
                super().append(*records)

        ledger = Hanging(url)
        spool = Spool(ledger, directory)
        for n in range(250):
            spool.put(a_record(subject=f"{n}"))
        complete.set()
        assert trying.wait(LONG)
        spool.close(timeout=0)
        assert len(files(directory)) == 250
        assert list(directory.glob("owner-*.lock")), "the thread still delivers, so nobody else may"
        thread = spool._thread
        over.set()
        assert thread is not None
        thread.join(LONG)
        assert not list(directory.glob("owner-*.lock"))
        assert 150 <= len(files(directory)) < 250, "the batch under way was the last"
        ledger.close()

    def test_leaves_the_directory_to_other_processes(self, url: str, ledger: Ledger, directory: Path) -> None:
        spool = Spool(ledger, directory)
        before, after = a_record(at=1), a_record(at=2)
        with another_process_holds(url):
            spool.put(before)
            spool.close()
            spool.close()
        assert spool.put(after), "what was answered is kept"
        assert spool.adopt() == ()
        assert len(list(directory.iterdir())) == 2, "two records and no lock"
        stored: SimpleQueue[str] = SimpleQueue()
        other = Spool(ledger, directory, delivered=lambda record: stored.put(record.id))
        assert [stored.get(timeout=LONG), stored.get(timeout=LONG)] == [before.id, after.id]
        other.close()
        assert list(directory.iterdir()) == []

    def test_refuses_a_later_record_that_cannot_be_written(self, ledger: Ledger, directory: Path) -> None:
        spool = Spool(ledger, directory)
        spool.close()
        directory.rmdir()
        directory.write_text("no directory")
        assert not spool.put(a_record())


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


class TestBounds:
    @pytest.mark.parametrize("place", [None, "spool"])
    def test_keep_room_for_records_of_subjects(
        self, switched: Switched, directory: Path, place: str | None
    ) -> None:
        spool = Spool(switched, directory if place else None, most=10)
        taken = [spool.put(a_record(subject=None)) for _ in range(12)]
        assert taken == [True] * 8 + [False] * 4
        taken = [spool.put(a_record(event="withdrawn", at=5 - n)) for n in range(4)]
        assert taken == [True] * 2 + [False] * 2
        health = spool.health()
        spool.close()
        assert health == {
            "waiting": 10,
            "oldest": 4,
            "refused": 6,
            "directory": str(directory) if place else None,
        }
        assert len(files(directory)) == 10 if place else not directory.exists()

    def test_are_bytes_too(self, switched: Switched) -> None:
        spool = Spool(switched, most_bytes=10 * len(a_record(subject=None).to_json()) + 100)
        assert [spool.put(a_record(subject=None)) for _ in range(9)] == [True] * 8 + [False]
        assert [spool.put(a_record()) for _ in range(4)] == [True, True, False, False]
        switched.away = False
        assert spool.flush(LONG)
        assert spool.put(a_record(subject=None)), "there is room again"
        spool.close()

    def test_leave_files_of_dead_processes_until_there_is_room(
        self, switched: Switched, directory: Path
    ) -> None:
        dead = SpoolDirectory(directory)
        for n in range(25):
            record = a_record(at=n)
            dead.write(record, record.to_json())
        dead.close()
        told: SimpleQueue[int] = SimpleQueue()
        spool = Spool(switched, directory, delivered=lambda record: told.put(record.at), most=10)
        assert spool.health()["waiting"] == 10
        assert spool.adopt() == ()
        switched.away = False
        assert [told.get(timeout=LONG) for _ in range(25)] == list(range(25))
        spool.close()
        assert files(directory) == []

    def test_memory_holds_no_record_that_is_on_disk(self, switched: Switched, directory: Path) -> None:
        spool = Spool(switched, directory)
        spool.put(record := a_record())
        gc.collect()
        # The frame of this test and the argument.
        assert sys.getrefcount(record) == 2
        spool.close()


class TestTheLog:
    def test_of_an_outage_has_one_line_for_each_state(
        self, switched: Switched, directory: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        spool = Spool(switched, directory, most=100, clock=lambda: 0)
        for _ in range(300):
            spool.put(a_record(subject=None, language="xx-words"))
        switched.away = False
        assert spool.flush(LONG)
        spool.close()
        assert caplog.messages == [
            "The ledger is out of reach: records wait for it.",
            "The ledger is back, and all records that waited were delivered. (refused: 220, delivered: 80)",
        ]

    def test_has_counters_and_the_reason_while_the_outage_lasts(
        self, switched: Switched, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        spool = Spool(switched, most=10, clock=clock)
        for _ in range(20):
            spool.put(a_record(subject=None, language="xx-words"))
        clock.advance(60)
        while "still out of reach" not in caplog.text:
            assert not spool.flush(0.01)
        spool.close()
        assert (
            "The ledger is still out of reach: records wait for it. (waiting: 8, refused: 12) switched off"
            in caplog.messages
        )
        assert "xx-words" not in caplog.text


class TestADirectoryThatIsCreatedWhenNeeded:
    def test_is_created_with_the_first_record(self, url: str, ledger: Ledger, directory: Path) -> None:
        spool = Spool(ledger, directory, created_when_needed=True)
        assert (spool.adopt(), spool.waiting_elsewhere(), spool.pending()) == ((), (), ())
        assert not directory.exists()
        with another_process_holds(url):
            spool.put(a_record())
            assert len(files(directory)) == 1
            assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert spool.flush(LONG)
        spool.close()

    def test_is_read_if_it_exists(self, ledger: Ledger, directory: Path) -> None:
        directory.mkdir(parents=True)
        (directory / "left.json").write_text(a_record(subject="left").to_json())
        spool = Spool(ledger, directory, created_when_needed=True)
        assert spool.flush(LONG)
        spool.close()
        assert ledger.newest("left") is not None

    def test_may_be_impossible(
        self, url: str, ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "file").write_text("")
        spool = Spool(ledger, tmp_path / "file" / "spool", created_when_needed=True)
        with another_process_holds(url):
            assert all([spool.put(a_record()), spool.put(a_record())])
            assert len(spool.pending()) == 2
        assert spool.flush(LONG)
        spool.close()
        assert len(ledger.history("A" * 22)) == 2
        assert caplog.text.count("wait in memory alone") == 1


@pytest.mark.parametrize(
    "errors",
    [[], [LedgerError("not in one call")], [LedgerError("not in one call"), LedgerUnavailableError("away")]],
)
def test_the_callback_gets_what_the_ledger_returns(url: str, errors: list[LedgerError]) -> None:
    class Copying(Ledger):
        """Store a copy of each record for a linked site, after some errors."""

        def append(self, *records: Record) -> list[Record]:
            if errors:
                raise errors.pop(0)
            stored = [a_record(subject=f"{record.subject} {site}") for record in records for site in "AB"]
            super().append(*stored)
            return stored

    ledger = Copying(url, lock_timeout=LONG)
    told: list[str | None] = []
    spool = Spool(ledger, delivered=lambda record: told.append(record.subject))
    spool.put(a_record(subject="s"))
    assert spool.flush(LONG)
    spool.close()
    ledger.close()
    assert told == ["s A", "s B"]


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_directory_that_cannot_be_created_raises(ledger: Ledger, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="spool = "):
        Spool(ledger, tmp_path / place)
