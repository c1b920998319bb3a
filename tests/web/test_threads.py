import threading

import anyio
import pytest
from anyio import to_thread

from consentkit.web import threads
from consentkit.web.threads import in_ledger_thread


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
