import threading

import anyio
import pytest
from anyio import to_thread

from consentkit.errors import LedgerBusyError
from consentkit.web import threads
from consentkit.web.threads import in_ledger_thread, look_up_in_time


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_waiting_for_the_ledger_takes_no_thread_from_the_application(backend: str) -> None:
    go = threading.Event()

    async def main() -> None:
        to_thread.current_default_thread_limiter().total_tokens = 1
        async with anyio.create_task_group() as waiting:
            for _ in range(3):
                waiting.start_soon(in_ledger_thread, lambda: go.wait(30))
            assert await to_thread.run_sync(threading.current_thread) is not threading.current_thread()
            go.set()
        assert await in_ledger_thread(lambda: "answer") == "answer"

    anyio.run(main, backend=backend)


def test_number_of_ledger_threads_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "THREADS", 2)
    running, most = 0, 0
    lock = threading.Lock()
    both = threading.Barrier(2, timeout=30)

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        both.wait()
        with lock:
            running -= 1

    async def main() -> None:
        async with anyio.create_task_group() as waiting:
            for _ in range(6):
                waiting.start_soon(in_ledger_thread, work)

    anyio.run(main)
    assert most == 2


def test_decision_is_refused_at_once_when_too_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "THREADS", 1)
    monkeypatch.setattr(threads, "MOST_WAITING", 2)
    go = threading.Event()

    async def main() -> None:
        async with anyio.create_task_group() as waiting:
            for _ in range(3):
                waiting.start_soon(in_ledger_thread, lambda: go.wait(30))
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(LedgerBusyError, match="2 decisions wait for the ledger already"):
                await in_ledger_thread(lambda: None)
            go.set()
        assert await in_ledger_thread(lambda: "answer") == "answer"

    anyio.run(main)


def test_look_up_that_need_not_wait_uses_no_thread() -> None:
    asked: list[tuple[float, bool]] = []

    def look_up(wait: float) -> bool:
        asked.append((wait, threading.current_thread() is threading.main_thread()))
        return True

    anyio.run(look_up_in_time, look_up)
    assert asked == [(0, True)]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_page_goes_on_after_the_longest_wait_even_without_a_thread_for_its_look_up(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "THREADS", 1)
    go = threading.Event()
    waits: list[float] = []

    def hang(wait: float) -> bool:
        return wait > 0 and go.wait(30)

    def look_up(wait: float) -> bool:
        waits.append(wait)
        return wait > 0

    async def main() -> None:
        async with anyio.create_task_group() as others:
            others.start_soon(look_up_in_time, hang)
            await anyio.wait_all_tasks_blocked()
            monkeypatch.setattr("consentkit.manager.revocations.LONGEST_WAIT", 0.05)
            await look_up_in_time(look_up)
            assert waits == [0], "the only thread is taken"
            monkeypatch.setattr("consentkit.manager.revocations.LONGEST_WAIT", 30.0)
            go.set()
        await look_up_in_time(look_up)
        assert waits[1] == 0 and 0 < waits[2] < 30, "waiting for the thread is part of it"

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_look_ups_do_not_wait_for_decisions(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "THREADS", 1)
    go, looked_up = threading.Event(), threading.Event()

    def look_up(wait: float) -> bool:
        if wait:
            looked_up.set()
        return wait > 0

    async def main() -> None:
        async with anyio.create_task_group() as decisions:
            for _ in range(3):
                decisions.start_soon(in_ledger_thread, lambda: go.wait(30))
            await anyio.wait_all_tasks_blocked()
            with anyio.move_on_after(10):
                await look_up_in_time(look_up)
            go.set()

    anyio.run(main, backend=backend)
    assert looked_up.is_set()
