"""The thread that sends what waits in the outbox: at least once, with pauses that grow, and never on behalf of a request.

Messages are sent one after another. If an endpoint fails, this process leaves it alone for a while, so that it
holds up no others.
"""

import logging
import secrets
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Final

from consentkit._version import __version__
from consentkit.errors import LedgerUnavailableError
from consentkit.ledger import DEAD, GONE, ForkHooks, Outbox, OutboxRow
from consentkit.manager.http_post import Answer, post
from consentkit.manager.webhooks import DAY, GIVE_UP_AFTER, Webhook

__all__ = ["WebhookSender", "longest_pause"]

log = logging.getLogger("consentkit.webhooks")

LEASE: Final = 120
"""Seconds after which a claimed message is due again: more than one attempt takes, a slow resolver included."""
FIRST_PAUSE: Final = 10
LOOK_INTERVAL: Final = 60.0
"""Seconds between two looks for messages that other processes left."""
LEDGER_PAUSE: Final = 5.0
LONGEST_REST: Final = 300
"""Seconds for which one process leaves a failing endpoint alone. Short, so that repaired endpoints are noticed."""
CLOSE_TIMEOUT: Final = 4.0


def longest_pause(attempts: int) -> int:
    """Return after how many seconds the next attempt follows at the latest: ten, then twice as many each time, up to a day."""
    return min(DAY, FIRST_PAUSE << min(attempts - 1, 20))


def _jittered(longest: int) -> int:
    # Full jitter: processes that failed at the same time come back at different ones.
    return 1 + secrets.randbelow(longest)


class WebhookSender:
    """Send the messages of one site. The thread runs only while messages wait."""

    def __init__(
        self,
        outbox: Outbox,
        webhooks: Sequence[Webhook],
        *,
        site: str,
        clock: Callable[[], float],
        send: Callable[..., Answer] = post,
    ) -> None:
        """Prepare, without a thread. The clock returns seconds since the epoch; `send` is `post`, or `post` with other limits."""
        self._outbox, self._site, self._clock, self._send_one = outbox, site, clock, send
        self._webhooks = {webhook.endpoint: webhook for webhook in webhooks}
        self._closed = False
        self.restart()
        _FORK_HOOKS.add(self)

    def restart(self) -> None:
        """Start without a thread, as a forked child does: the parent sends what it has claimed."""
        self._changed = threading.Condition(threading.Lock())
        self._thread: threading.Thread | None = None
        self._is_running = self._gave_up = False
        # How often somebody asked for a look, and up to which of these the thread has looked.
        self._asked = self._answered = 0
        self._looked_at = float("-inf")
        self._failures: dict[str, int] = {}
        self._paused_until: dict[str, int] = {}
        self._states: dict[str, str] = {}
        self._ledger_fails = False
        self._counts: dict[str, int] | None = None

    def wake(self) -> None:
        """Send what is due, soon and in the thread."""
        with self._changed:
            self._ask()

    def look(self) -> None:
        """Send what other processes left behind, unless this process has looked within the last minute."""
        if not 0 <= self._clock() - self._looked_at < LOOK_INTERVAL:
            self.wake()

    def flush(self, timeout: float) -> bool:
        """Wait until everything that is due now has been tried, and return whether that took at most `timeout` seconds."""
        with self._changed:
            asked = self._ask()
            return self._changed.wait_for(lambda: self._answered >= asked, timeout)

    def health(self) -> dict[str, int] | None:
        """Return how many messages wait and how many were given up, as of the last look; None before."""
        counts = self._counts
        if counts is None:
            return None
        return {
            "waiting": sum(counts.values()) - counts[DEAD] - counts[GONE],
            "dead": counts[DEAD] + counts[GONE],
        }

    def close(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """Send what is due for at most `timeout` seconds, then stop. What is left stays in the outbox."""
        with self._changed:
            self._closed = True
            thread = self._thread if self._is_running else None
            self._changed.notify_all()
        if thread is not None:
            thread.join(timeout)
        self._gave_up = True

    # The thread

    def _ask(self) -> int:
        """Ask for a look, and start the thread unless it runs. The caller holds the lock."""
        self._asked += 1
        self._changed.notify_all()
        if not self._is_running and not self._closed:
            self._is_running = True
            self._thread = threading.Thread(target=self._run, name="consentkit-webhooks", daemon=True)
            self._thread.start()
        return self._asked

    def _run(self) -> None:
        while True:
            with self._changed:
                asked, is_last = self._asked, self._closed
            pause = self._try_to_send()
            with self._changed:
                self._answered = asked
                self._changed.notify_all()
                if self._asked == asked:
                    if is_last or pause is None:
                        self._is_running = False
                        return
                    self._changed.wait_for(lambda: self._asked != asked or self._closed, pause)  # noqa: B023 - called at once

    def _try_to_send(self) -> float | None:
        """Send what is due. Return seconds until the next look, or None if nothing waits."""
        try:
            pause = self._send_due()
        except LedgerUnavailableError as error:
            if not self._ledger_fails:
                log.warning("The outbox cannot be read, so messages to webhooks wait. %s", error)
            self._ledger_fails = True
            return LEDGER_PAUSE
        except Exception:
            log.exception("Messages to webhooks could not be sent. They are tried again.")
            return LOOK_INTERVAL
        self._ledger_fails = False
        return pause

    def _send_due(self) -> float | None:
        self._looked_at = self._clock()
        while (row := self._claimed()) is not None:
            self._attempt(row)
            if self._gave_up:
                return None
        self._counts = self._outbox.counts(self._site)
        due = self._outbox.due(self._site, list(self._webhooks))
        if not due:
            return None
        first = min(max(at, self._paused_until.get(name, 0)) for name, at in due.items())
        # The clock may be set meanwhile, so no pause is longer.
        return min(max(first - self._clock(), 0.05), LOOK_INTERVAL)

    def _claimed(self) -> OutboxRow | None:
        now = int(self._clock())
        endpoints = [name for name in self._webhooks if self._paused_until.get(name, 0) <= now]
        return self._outbox.claim(self._site, endpoints, now, LEASE)

    # One message

    def _attempt(self, row: OutboxRow) -> None:
        webhook = self._webhooks[row.endpoint]
        try:
            answer = self._send_one(webhook.url, row.body.encode(), self._headers(row, webhook))
        except (OSError, HTTPException) as error:
            # The receiver's words may be in it, and end up in a log or on a terminal.
            words = f"{type(error).__name__}: {error}"[:200]
            self._failed(row, "".join(each if each.isprintable() else "?" for each in words))
            return
        if 200 <= answer.status < 300:
            self._outbox.delivered(row.id)
            self._failures.pop(row.endpoint, None)
            self._note(row.endpoint, "ok", logging.INFO, "takes messages again")
        elif answer.status == 410:
            self._outbox.refused(row, "410 Gone")
            self._note(
                row.endpoint,
                GONE,
                logging.ERROR,
                "answered 410 Gone, so it is sent nothing more. Remove it from webhooks=, or begin again with: "
                "consentkit ledger outbox --retry-all",
            )
        else:
            self._failed(row, f"HTTP status {answer.status}", _seconds(answer.retry_after, self._clock()))

    def _headers(self, row: OutboxRow, webhook: Webhook) -> dict[str, str]:
        from standardwebhooks import Webhook as Signer

        at = int(self._clock())
        moment = datetime.fromtimestamp(at, UTC)
        return {
            "Content-Type": "application/json",
            "User-Agent": f"consentkit/{__version__}",
            "webhook-id": row.id,
            "webhook-timestamp": str(at),
            "webhook-signature": " ".join(
                Signer(secret).sign(row.id, moment, row.body) for secret in webhook.secrets
            ),
        }

    def _failed(self, row: OutboxRow, error: str, retry_after: int = 0) -> None:
        now = int(self._clock())
        failures = self._failures[row.endpoint] = self._failures.get(row.endpoint, 0) + 1
        self._paused_until[row.endpoint] = now + max(
            _jittered(min(longest_pause(failures), LONGEST_REST)), retry_after
        )
        self._outbox.failed(row, error, now + max(_jittered(longest_pause(row.attempts)), retry_after))
        given_up = self._outbox.give_up(row, error, now)
        self._note(row.endpoint, "failing", logging.WARNING, f"fails, and is tried again: {error}")
        if given_up:
            days = GIVE_UP_AFTER // DAY
            self._note(
                row.endpoint,
                DEAD,
                logging.ERROR,
                f"has failed for {days} days, so {given_up} messages to it were given up: {error}. See: consentkit ledger outbox",
            )

    def _note(self, endpoint: str, state: str, level: int, message: str) -> None:
        """Log that an endpoint is in another state than before; all is well at first."""
        before = self._states.get(endpoint, "ok")
        # A failure after messages were given up is no news.
        if before != state and (before, state) != (DEAD, "failing"):
            log.log(level, "Webhook %s %s", endpoint, message)
            self._states[endpoint] = state


def _seconds(retry_after: str | None, now: float) -> int:
    """Return the seconds that a `Retry-After` asks for, at most a day; 0 if it asks for none."""
    if not retry_after:
        return 0
    try:
        seconds = (
            int(retry_after)
            if retry_after.isdecimal()
            else int(parsedate_to_datetime(retry_after).timestamp() - now)
        )
    except (ValueError, OverflowError):
        return 0
    return min(max(seconds, 0), DAY)


_FORK_HOOKS: Final = ForkHooks(after_in_child=WebhookSender.restart)
