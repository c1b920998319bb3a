import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from consentkit.ledger import Ledger, Record, Spool, owner_lock
from consentkit.ledger.spool_directory import SpoolDirectory
from tests.support.postgres import Server
from tests.support.records import a_record, another_process_holds, eventually

LONG = 30.0

PROCESS = """
import os, sys
from consentkit.ledger import Ledger, Spool
from tests.support.records import a_record
url, directory, told, name, count = sys.argv[1:]
told = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def tell(record):
    os.write(told, f"{record.subject}\\n".encode())
spool = Spool(Ledger(url, lock_timeout=1), directory, delivered=tell)
for n in range(int(count)):
    assert spool.put(a_record(subject=f"{name}-{n}"))
print("ready", flush=True)
for line in sys.stdin:
    spool.adopt()
    if line == "flush\\n":
        assert spool.flush(30)
    print(len(spool.pending()), len(spool.waiting_elsewhere()), flush=True)
spool.close(timeout=30)
"""


class Process:
    """Another process that shares the directory, and tells of each delivered record in a file."""

    def __init__(self, url: str, directory: Path, told: Path, name: str, count: int) -> None:
        command = [sys.executable, "-c", PROCESS, url, str(directory), str(told), name, str(count)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ask(self, what: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        return self.read()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def end(self) -> None:
        self.process.communicate()
        assert self.process.returncode == 0


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if getattr(request, "param", "sqlite") == "sqlite":
        return f"sqlite:///{tmp_path / 'consent.db'}"
    server: Server = request.getfixturevalue("postgres")
    return server.address()


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    ledger = Ledger(url, lock_timeout=LONG)
    ledger.append(a_record(subject="first"))
    yield ledger
    ledger.close()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def told(tmp_path: Path) -> Path:
    path = tmp_path / "told"
    path.touch()
    return path


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentkit.ledger.spool.FIRST_PAUSE", 0.01)
    monkeypatch.setattr("consentkit.ledger.spool.LONGEST_PAUSE", 0.02)


def subjects(ledger: Ledger) -> set[str | None]:
    return {record.subject for record in ledger.records()} - {"first"}


@pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)
class TestProcessesThatShareADirectory:
    def test_each_deliver_their_own_records_and_read_the_others(
        self, url: str, ledger: Ledger, directory: Path, told: Path
    ) -> None:
        with another_process_holds(url):
            processes = [Process(url, directory, told, name, 5) for name in ("a", "b")]
            assert [process.read() for process in processes] == ["ready", "ready"]
            assert [process.ask("look") for process in processes] == ["5 5", "5 5"]
        for process in processes:
            process.ask("flush")
            process.end()
        lines = told.read_text().split()
        assert sorted(lines) == sorted(f"{name}-{n}" for name in "ab" for n in range(5))
        assert subjects(ledger) == set(lines)
        assert list(directory.iterdir()) == []

    def test_adopt_what_a_killed_one_left_and_tell_of_it_once(
        self, url: str, ledger: Ledger, directory: Path, told: Path
    ) -> None:
        with another_process_holds(url):
            processes = [Process(url, directory, told, name, 5) for name in ("killed", "a", "b", "c")]
            assert {process.read() for process in processes} == {"ready"}
            killed, *others = processes
            assert others[0].ask("look") == "5 15"
            killed.kill()
            waiting = [others[n].ask("look") for n in range(3)]
            assert waiting == ["10 10", "5 15", "5 15"]
        for process in others:
            process.ask("flush")
            process.end()
        lines = told.read_text().split()
        assert sorted(lines) == sorted(f"{name}-{n}" for name in ("a", "b", "c", "killed") for n in range(5))
        assert subjects(ledger) == set(lines)
        assert list(directory.iterdir()) == []

    def test_lose_nothing_and_tell_nothing_twice_if_they_are_killed_while_they_deliver(
        self, url: str, ledger: Ledger, directory: Path, told: Path
    ) -> None:
        names = [f"{n}" for n in range(4)]
        with another_process_holds(url):
            processes = [Process(url, directory, told, name, 60) for name in names]
            assert {process.read() for process in processes} == {"ready"}
        for process in processes:
            process.kill()
        last = Process(url, directory, told, "last", 0)
        assert last.read() == "ready"
        assert last.ask("flush").startswith("0 ")
        last.end()
        lines = told.read_text().split()
        assert len(lines) == len(set(lines))
        assert subjects(ledger) == {f"{name}-{n}" for name in names for n in range(60)}
        assert list(directory.iterdir()) == []


def test_a_record_that_was_stored_before_the_crash_is_told_of_once_by_its_adopter(
    url: str, ledger: Ledger, directory: Path
) -> None:
    program = """
import os, sys
from consentkit.ledger import Ledger, Spool
from tests.support.records import a_record
class Crashing(Ledger):
    def append(self, *records):
        super().append(*records)
        os.kill(os.getpid(), 9)
spool = Spool(Crashing(sys.argv[1]), sys.argv[2], delivered=lambda record: print(record.id))
spool.put(a_record(subject="stored"))
spool.flush(30)
"""
    ran = subprocess.run([sys.executable, "-c", program, url, str(directory)], capture_output=True)
    assert (ran.returncode, ran.stdout) == (-9, b"")
    assert subjects(ledger) == {"stored"}
    told: list[str | None] = []
    for _ in range(2):
        spool = Spool(ledger, directory, delivered=lambda record: told.append(record.subject))
        assert spool.flush(LONG)
        spool.close()
    assert told == ["stored"]
    assert len(list(ledger.records())) == 2


def test_a_forked_child_adopts_the_records_of_its_parent_only_when_that_is_dead(
    url: str, ledger: Ledger, directory: Path
) -> None:
    program = """
import os, sys
from consentkit.errors import LedgerUnavailableError
from consentkit.ledger import Ledger, Spool
from tests.support.records import a_record
parent = os.getpid()
class Away(Ledger):
    def append(self, *records):
        if os.getpid() == parent:
            raise LedgerUnavailableError("out of reach")
        super().append(*records)
spool = Spool(Away(sys.argv[1], lock_timeout=20), sys.argv[2], delivered=lambda record: print(record.subject))
for n in range(3):
    spool.put(a_record(subject=f"parent-{n}"))
parent_died, parent_lives = os.pipe()
child_is_ready, child_says = os.pipe()
if os.fork():
    os.read(child_is_ready, 1)
    os.kill(parent, 9)
os.close(parent_lives)
assert spool.pending() == () and spool.adopt() == ()
assert [record.subject for record in spool.waiting_elsewhere()] == ["parent-0", "parent-1", "parent-2"]
spool.put(a_record(subject="child"))
assert spool.flush(30)
os.write(child_says, b"!")
assert os.read(parent_died, 1) == b""
adopted = []
# The system closes the files of a killed process one after another.
while len(adopted) < 3:
    adopted += spool.adopt()
spool.close(timeout=30)
"""
    command = [sys.executable, "-W", "ignore", "-c", program, url, str(directory)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, timeout=LONG)
    assert ran.returncode == -9
    assert ran.stdout.split() == [b"child", b"parent-0", b"parent-1", b"parent-2"]
    assert subjects(ledger) == {"child", "parent-0", "parent-1", "parent-2"}
    assert list(directory.iterdir()) == []


def test_drafts_and_locks_of_dead_owners_are_removed_and_those_of_living_ones_stay(
    ledger: Ledger, directory: Path
) -> None:
    living = SpoolDirectory(directory)
    dead = f"{1:020}-{'d' * 16}-{a_record().id}"
    name = living.write(a_record(subject="living"), a_record().to_json())
    (directory / name).rename((directory / name).with_suffix(".draft"))
    (directory / f"{dead}.draft").write_text("{")
    (directory / f"owner-{'d' * 16}.lock").touch()
    spool = Spool(ledger, directory)
    assert sorted(path.suffix for path in directory.iterdir()) == [".draft", ".lock"]
    spool.close()
    living.close()
    assert [path.suffix for path in directory.iterdir()] == [".draft"]
    Spool(ledger, directory).close()
    assert list(directory.iterdir()) == []


def test_a_lock_that_somebody_else_holds_is_not_taken(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if another process had taken the new lock file for a dead owner's at once."""
    directory.mkdir()
    taken, free = "a" * 16, "b" * 16
    holder = owner_lock.take_lock(directory / f"owner-{taken}.lock", create=True)
    ids = iter([taken, free])
    monkeypatch.setattr(secrets, "token_hex", lambda _: next(ids))
    assert f"-{free}-" in SpoolDirectory(directory).write(a_record(), a_record().to_json())
    assert holder is not None


# Files that another process removes just before a system call, by the call.
REMOVED_BEFORE: dict[str, Path] = {}


def remove_file(call: str, _arguments: tuple[object, ...]) -> None:
    if path := REMOVED_BEFORE.pop(call, None):
        path.unlink()


sys.addaudithook(remove_file)


def test_a_lock_whose_file_was_removed_meanwhile_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "owner.lock"
    REMOVED_BEFORE["fcntl.flock"] = path
    assert owner_lock.take_lock(path, create=True) is None
    assert owner_lock.take_lock(path, create=True) is not None


def test_a_file_that_another_process_adopts_meanwhile_is_left_to_it(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory.mkdir()
    (directory / "left.json").write_text(a_record().to_json())
    REMOVED_BEFORE["os.rename"] = directory / "left.json"
    assert adopted(SpoolDirectory(directory)) == []
    assert caplog.text == ""


def test_a_record_that_cannot_be_written_leaves_no_draft(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 1)
    spool_directory, record = SpoolDirectory(directory), a_record()
    owner = spool_directory.write(a_record(), a_record().to_json()).split("-")[1]
    obstacle = directory / f"{2:020}-{owner}-{record.id}.json"
    obstacle.mkdir()
    with pytest.raises(IsADirectoryError):
        spool_directory.write(record, record.to_json())
    assert not list(directory.glob("*.draft"))


def test_a_lock_that_cannot_be_opened_keeps_the_records_of_its_owner(
    ledger: Ledger, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory.mkdir()
    (directory / f"owner-{'d' * 16}.lock").mkdir()
    (directory / f"{1:020}-{'d' * 16}-{a_record().id}.json").write_text(a_record().to_json())
    spool = Spool(ledger, directory)
    assert spool.adopt() == ()
    assert len(spool.waiting_elsewhere()) == 1
    spool.close()
    assert caplog.text.count("cannot be opened, so the records of its owner wait") == 1


def test_without_file_locks_all_files_belong_to_the_only_process(
    ledger: Ledger, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner_lock, "HAS_FILE_LOCKS", False)
    before = SpoolDirectory(directory)
    before.write(a_record(subject="before"), a_record(subject="before").to_json())
    spool = Spool(ledger, directory)
    assert spool.put(a_record(subject="own"))
    assert spool.flush(LONG)
    spool.close()
    assert subjects(ledger) == {"before", "own"}
    assert list(directory.iterdir()) == []


def test_a_file_that_cannot_be_renamed_waits(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool_directory = SpoolDirectory(directory)
    own = spool_directory.write(a_record(), a_record().to_json())
    owner = own.split("-")[1]
    record = a_record()
    name = f"{1:020}-{'d' * 16}-{record.id}.json"
    (directory / name).write_text(record.to_json())
    (directory / name.replace("d" * 16, owner)).mkdir()
    assert adopted(spool_directory) == adopted(spool_directory) == []
    assert (directory / name).exists()
    assert caplog.text.count("waits, because it cannot be adopted") == 1


def test_records_elsewhere_are_read_once_and_only_those_of_subjects(
    ledger: Ledger, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, spool = SpoolDirectory(directory), Spool(ledger, directory)
    records = [a_record(subject=subject) for subject in ("a", None, "b", "c")]
    names = [other.write(record, record.to_json()) for record in records]
    (directory / names[0].replace(records[0].id, a_record().id)).write_text("{")
    assert [record.subject for record in spool.waiting_elsewhere()] == ["a", "b", "c"]
    (directory / names[0]).write_text("changed")
    assert [record.subject for record in spool.waiting_elsewhere()] == ["a", "b", "c"]
    other.remove(names[:1])
    (directory / names[3].replace(records[3].id, a_record().id)).symlink_to(directory / "gone")
    assert [record.subject for record in spool.waiting_elsewhere()] == ["b", "c"]
    monkeypatch.setattr("consentkit.ledger.spool_directory.MOST_ELSEWHERE", 1)
    assert [record.subject for record in spool.waiting_elsewhere()] == ["b"]
    assert Spool(ledger).waiting_elsewhere() == ()
    spool.close()


def test_records_keep_their_order_when_the_clock_is_set_back(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([5_000, 3_000, 3_000])
    monkeypatch.setattr("time.time_ns", lambda: next(times))
    spool_directory = SpoolDirectory(directory)
    names = [spool_directory.write(a_record(), a_record().to_json()) for _ in range(3)]
    assert names == sorted(names)


def adopted(directory: SpoolDirectory) -> list[Record]:
    return [file.record for file in directory.adopt()]


def test_two_that_find_the_same_dead_owner_do_not_both_adopt_a_record(directory: Path) -> None:
    dead = SpoolDirectory(directory)
    for n in range(4):
        record = a_record(at=n)
        dead.write(record, record.to_json())
    dead.close()
    one, other = SpoolDirectory(directory), SpoolDirectory(directory)
    first, second = one.adopt(), other.adopt()
    found = [next(first).record.at, next(second).record.at, next(first).record.at, next(second).record.at]
    assert sorted(found) == [0, 1, 2, 3]
    assert [*first, *second] == []
    assert eventually(lambda: adopted(SpoolDirectory(directory))) == []
