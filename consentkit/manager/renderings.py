"""The words of forms, which records refer to by their ids.

A process stores words when it renders them for the first time, in a thread of its own, so that no page waits. Until they are
stored, each decision that refers to them takes them along in its own transaction. A decision that reaches another process
finds them in the ledger.
"""

import logging
import re
import threading
from contextlib import suppress
from typing import Final

from consentkit._bounded_cache import BoundedCache
from consentkit.errors import LedgerError
from consentkit.ledger import ForkHooks, Ledger, SentWords
from consentkit.manager.limits import TokenBucket

__all__ = ["RenderingStore"]

log = logging.getLogger("consentkit")

MOST_RENDERINGS: Final = 5000
"""Renderings that one process stores. A policy has some tens; 32 languages under ten regimes have about two thousand."""
LOOK_UPS_A_SECOND: Final = 10
"""For how many ids a process asks the ledger in the long run, because anybody can send any id."""
LOOK_UPS_AT_ONCE: Final = 200
_ID = re.compile(r"[A-Za-z0-9_-]{16}", re.ASCII)


class RenderingStore:
    """The renderings that this process has sent, and those of other processes that it has met. Thread-safe."""

    def __init__(self, ledger: Ledger | None, site: str) -> None:
        """Start without renderings. `site` is the id of this site."""
        self._ledger, self._site = ledger, site
        self._sent: dict[str, SentWords] = {}
        self._found: BoundedCache[str, SentWords] = BoundedCache(MOST_RENDERINGS)
        self._waiting: dict[str, SentWords] = {}
        self._is_closed = self._is_full = False
        self._look_ups = TokenBucket(rate=LOOK_UPS_A_SECOND, burst=LOOK_UPS_AT_ONCE)
        self.restart()
        _FORK_HOOKS.add(self)

    def restart(self) -> None:
        """Start without a thread, as in a forked child, whose parent stores what waits."""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, words: SentWords) -> bool:
        """Remember words that are about to be sent, and store them in the background. Return False if there is no room."""
        with self._lock:
            if words.id in self._sent:
                return True
            if len(self._sent) >= MOST_RENDERINGS:
                is_first, self._is_full = not self._is_full, True
            else:
                self._sent[words.id] = self._waiting[words.id] = words
                self._start()
                return True
        if is_first:
            log.warning(
                "This process has rendered %d different texts for visitors. Further ones are sent, but not stored, and their "
                "records do not refer to them. Check whether a template of yours renders something random.",
                MOST_RENDERINGS,
            )
        return False

    def sent(self, rendering: str) -> SentWords | None:
        """Return the words with an id if this process has sent them."""
        return self._sent.get(rendering)

    def must_look_up(self, rendering: str) -> bool:
        """Return whether only the ledger can tell if words with an id were sent."""
        if self._ledger is None or not _ID.fullmatch(rendering):
            return False
        return rendering not in self._sent and rendering not in self._found

    def look_up(self, rendering: str) -> None:
        """Ask the ledger for the words with an id, unless it was asked too often of late. Blocks.

        Raises:
            LedgerUnavailableError: the ledger does not answer.
        """
        if self._ledger is None or not self._look_ups.take():
            return
        words = self._ledger.rendering(rendering)
        if words is not None:
            self._found.add(rendering, words)

    def look_up_unless_known(self, rendering: str) -> None:
        """Ask the ledger for the words with an id that only it can know. Blocks; never raises."""
        if self.must_look_up(rendering):
            with suppress(LedgerError):
                self.look_up(rendering)

    def find(self, rendering: str, notice: str, language: str) -> str:
        """Return the id of words that were sent on this site, under this notice and in this language, else an empty text."""
        words = self._sent.get(rendering) or self._found.get(rendering)
        if words is None or (words.notice, words.site, words.language) != (notice, self._site, language):
            return ""
        return rendering

    def store_waiting(self) -> None:
        """Store what could not be stored before. Does not wait."""
        with self._lock:
            self._start()

    def close(self) -> None:
        """Store nothing more, once the thread that stores has ended."""
        with self._lock:
            self._is_closed, thread = True, self._thread
        if thread is not None:
            thread.join()

    def _start(self) -> None:
        """Start the thread, unless it runs or has nothing to do. The caller holds the lock."""
        if self._ledger is None or self._is_closed or self._thread is not None or not self._waiting:
            return
        self._thread = threading.Thread(
            target=self._store, args=(self._ledger,), name="consentkit-renderings", daemon=True
        )
        self._thread.start()

    def _store(self, ledger: Ledger) -> None:
        while True:
            with self._lock:
                batch = list(self._waiting.values())
                if not batch:
                    self._thread = None
                    return
            try:
                ledger.store_renderings(batch)
            except LedgerError as error:
                log.debug("Renderings could not be stored now: %s", error)
                with self._lock:
                    self._thread = None
                return
            with self._lock:
                for words in batch:
                    self._waiting.pop(words.id, None)


_FORK_HOOKS: Final = ForkHooks(after_in_child=RenderingStore.restart)
