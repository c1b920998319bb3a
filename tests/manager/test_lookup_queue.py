import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from consentkit.errors import LedgerUnavailableError
from consentkit.manager import lookup_queue
from consentkit.manager.lookup_queue import WORKERS, LookUpQueue

PATIENCE = 30.0


class Asked:
    """What a queue asks: each batch may hang until it is let go, or fail."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.begun = threading.Semaphore(0)
        self.gates: dict[str, threading.Event] = {}
        self.error: Exception | None = None

    def __call__(self, subjects: Sequence[str]) -> None:
        self.batches.append(list(subjects))
        gates = [self.gates[subject] for subject in subjects if subject in self.gates]
        error = self.error
        self.begun.release()
        for gate in gates:
            assert gate.wait(PATIENCE)
        if error is not None:
            raise error

    def hang(self, *subjects: str) -> None:
        self.gates |= {subject: threading.Event() for subject in subjects}

    def has_begun(self) -> None:
        assert self.begun.acquire(timeout=PATIENCE)


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def longest() -> list[float]:
    """The seconds that a request waits; tests change them."""
    return [PATIENCE]


@pytest.fixture
def queue(asked: Asked, longest: list[float]) -> Iterator[LookUpQueue]:
    queue = LookUpQueue(asked, longest_wait=lambda: longest[0])
    yield queue
    queue.close()
    for gate in asked.gates.values():
        gate.set()


def answered(queue: LookUpQueue, subject: str) -> bool:
    answer = queue.ask(subject)
    return answer is not None and queue.wait([answer], PATIENCE)


def silence(queue: LookUpQueue, asked: Asked) -> None:
    """Let one query fail, so that requests wait no more."""
    asked.error = LedgerUnavailableError("Closed for today.")
    answer = queue.ask("first")
    assert answer is not None and answer.wait(PATIENCE)
    assert queue.ask("first") is None


def test_subjects_that_wait_share_a_query(queue: LookUpQueue, asked: Asked) -> None:
    asked.hang(*(f"hanging {number}" for number in range(WORKERS)))
    for number in range(WORKERS):
        assert queue.ask(f"hanging {number}") is not None
        asked.has_begun()
    answers = [queue.ask(f"waiting {number}") for number in range(700)]
    assert len(queue) == WORKERS + 700
    asked.gates["hanging 0"].set()
    assert queue.wait([answer for answer in answers if answer], PATIENCE)
    assert sorted(map(len, asked.batches)) == [*[1] * WORKERS, 200, 500]


def test_query_that_hangs_delays_no_other(queue: LookUpQueue, asked: Asked) -> None:
    asked.hang("slow")
    slow = queue.ask("slow")
    asked.has_begun()
    assert all(answered(queue, f"fast {number}") for number in range(20))
    assert queue.ask("slow") is slow and slow is not None and not slow.is_set()
    assert queue.state == "ok"


def test_subject_whose_query_hangs_is_asked_again_by_the_next_request(
    queue: LookUpQueue, asked: Asked, longest: list[float]
) -> None:
    asked.hang("slow")
    assert queue.ask("slow") is not None
    asked.has_begun()
    gate = asked.gates.pop("slow")
    longest[0] = -1.0
    again = queue.ask("slow")
    assert again is not None and again.wait(PATIENCE)
    gate.set()


def test_late_answer_serves_requests_that_came_later(
    queue: LookUpQueue, asked: Asked, longest: list[float]
) -> None:
    asked.hang(*map(str, range(WORKERS)))
    for number in range(WORKERS):
        queue.ask(str(number))
        asked.has_begun()
    longest[0] = -1.0
    assert queue.ask("0") is None and queue.state == "no answer"
    longest[0] = PATIENCE
    late = threading.Event()
    with queue._changed:
        queue._subjects["0"] = late
    asked.gates["0"].set()
    assert late.wait(PATIENCE)


def test_length_of_the_queue_is_limited(
    queue: LookUpQueue, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup_queue, "LONGEST_QUEUE", 2)
    monkeypatch.setattr(lookup_queue, "FIRST_PAUSE", PATIENCE)
    queue.reset()
    silence(queue, asked)
    for subject in ("second", "third", "fourth"):
        assert queue.ask(subject) is None
        queue.add(subject)
    assert set(queue._subjects) == {"first", "second"}


def test_outage_and_its_end_are_logged_once(
    queue: LookUpQueue, asked: Asked, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO", "consentkit.revocation")
    monkeypatch.setattr(lookup_queue, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(lookup_queue, "LONGEST_PAUSE", 0.002)
    queue.reset()
    silence(queue, asked)
    for _ in range(5):
        asked.has_begun()
    asked.error = None
    with queue._changed:
        again = queue._queued("first")
    assert again is not None and again.wait(PATIENCE)
    ended = [thread for thread in threading.enumerate() if thread.name == "consentkit-look-up"]
    for thread in ended:
        thread.join(PATIENCE)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "Closed for today." in caplog.text and "unanswered: 1" in caplog.text
    assert "first" not in caplog.text
    assert queue.state == "ok"


def test_request_that_is_not_answered_in_time_is_logged(
    queue: LookUpQueue, asked: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "consentkit.revocation")
    asked.hang("slow")
    answer = queue.ask("slow")
    assert answer is not None
    assert not queue.wait([answer], 0), "a look whether there is an answer is no wait"
    assert not queue.wait([answer], 0.001) and not queue.wait([answer], 0.001)
    asked.gates["slow"].set()
    assert queue.wait([answer], PATIENCE)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "unanswered: 2" in caplog.text


def test_a_ledger_that_answers_by_turns_adds_a_line_a_minute_at_most(
    queue: LookUpQueue, asked: Asked, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO", "consentkit.revocation")
    monkeypatch.setattr(lookup_queue, "FIRST_PAUSE", 0.001)
    for turn in range(20):
        asked.error = LedgerUnavailableError("Closed for today.") if turn % 2 == 0 else None
        with queue._changed:
            answer = queue._queued(f"subject {turn}")
        assert answer is not None and answer.wait(PATIENCE)
    assert len(caplog.records) <= 2, caplog.text


def test_error_of_a_program_is_logged_with_its_traceback(
    queue: LookUpQueue, asked: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    asked.error = ZeroDivisionError("a mistake")
    answer = queue.ask("first")
    assert answer is not None and answer.wait(PATIENCE)
    assert caplog.records[0].exc_info is not None


# Jobs


def test_job_runs_once_however_many_ask_for_it(queue: LookUpQueue, longest: list[float]) -> None:
    begun, go = threading.Event(), threading.Event()
    calls: list[int] = []

    def call() -> None:
        calls.append(1)
        begun.set()
        assert go.wait(PATIENCE)

    first = queue.run("poll", call)
    assert first is not None and begun.wait(PATIENCE)
    assert queue.run("poll", call) is first
    longest[0] = -1.0
    assert queue.run("poll", call) is None, "it hangs"
    go.set()
    assert first.wait(PATIENCE) and calls == [1]


def test_job_that_fails_while_look_ups_are_answered_stops_none_and_is_logged_once(
    queue: LookUpQueue, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO", "consentkit.revocation")
    monkeypatch.setattr(lookup_queue, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(lookup_queue, "LONGEST_PAUSE", 0.002)
    begun, go, failures = threading.Event(), threading.Event(), threading.Semaphore(0)

    def fail() -> None:
        begun.set()
        assert go.wait(PATIENCE)
        failures.release()
        raise LedgerUnavailableError("The poll is slow.")

    queue.run("poll", fail)
    assert begun.wait(PATIENCE) and answered(queue, "first")
    go.set()
    for _ in range(3):
        assert failures.acquire(timeout=PATIENCE)
    assert answered(queue, "second") and queue.state == "ok"
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_job_that_waits_after_a_failure_is_not_waited_for_by_requests(
    queue: LookUpQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup_queue, "FIRST_PAUSE", PATIENCE)
    monkeypatch.setattr(lookup_queue, "LONGEST_PAUSE", PATIENCE)
    begun, go = threading.Event(), threading.Event()

    def fail() -> None:
        begun.set()
        assert go.wait(PATIENCE)
        raise LedgerUnavailableError("The poll is slow.")

    answer = queue.run("poll", fail)
    assert answer is not None and begun.wait(PATIENCE) and answered(queue, "first")
    go.set()
    assert answer.wait(PATIENCE)
    assert queue.run("poll", fail) is None
    assert answered(queue, "second"), "the thread that waits for the poll's time wakes up"


def test_look_ups_find_out_first_whether_the_ledger_answers_again(
    queue: LookUpQueue, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup_queue, "FIRST_PAUSE", 0.01)
    order: list[str] = []

    def fail() -> None:
        order.append("poll")
        if len(order) == 1:
            queue.add("first")
            raise LedgerUnavailableError("Not yet.")

    def look_up(subjects: Sequence[str]) -> None:
        order.append("look-up")

    queue._look_up = look_up
    queue.reset()
    queue.run("poll", fail)
    # A thread may start another one and end before it.
    while running := [thread for thread in threading.enumerate() if thread.name == "consentkit-look-up"]:
        for thread in running:
            thread.join(PATIENCE)
    assert order[0] == "poll" and sorted(order) == ["look-up", "poll", "poll"]


def test_job_that_is_not_repeated_is_left_out_while_the_ledger_is_silent(
    queue: LookUpQueue, asked: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("a mistake")

    answer = queue.run("notices", lambda: None, repeats=False)
    assert answer is not None and answer.wait(PATIENCE)
    answer = queue.run("notices", fail, repeats=False)
    assert answer is not None and answer.wait(PATIENCE)
    assert "a mistake" in caplog.text and queue.state == "not asked yet"
    silence(queue, asked)
    assert queue.run("notices", fail, repeats=False) is None


# Threads


@pytest.mark.parametrize("ask", [lambda queue: queue.ask("first"), lambda queue: queue.add("first")])
def test_system_that_has_no_more_threads_raises_nothing(
    ask: Callable[[LookUpQueue], object], queue: LookUpQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as without_threads:
        without_threads.setattr(threading.Thread, "start", start)
        ask(queue)
    assert answered(queue, "first")


def test_threads_end_when_there_is_nothing_to_ask(queue: LookUpQueue) -> None:
    before = set(threading.enumerate())
    assert answered(queue, "first")
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE)
    assert queue._threads == queue._idle == 0


def test_closed_queue_neither_asks_nor_repeats(queue: LookUpQueue, asked: Asked) -> None:
    asked.hang("first")
    asked.error = LedgerUnavailableError("The ledger was closed.")
    answer = queue.ask("first")
    asked.has_begun()
    queue.close()
    asked.gates["first"].set()
    assert answer is not None and answer.wait(PATIENCE)
    queue.add("second")
    assert queue.ask("second") is None and queue.run("poll", lambda: None) is None
    assert len(queue) == 0 and asked.batches == [["first"]]
