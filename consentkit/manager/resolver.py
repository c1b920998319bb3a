"""What a visitor's cookie is worth by what the ledger last said: newer records, and notices that others published."""

import logging
import threading
from typing import Any

from consentkit.consent import SKEW, Consent, ConsentCookie, ConsentStatus, Decision, Evaluator, VerifiedToken
from consentkit.consent import transitions as decisions
from consentkit.errors import LedgerUnavailableError
from consentkit.ledger import Ledger, Record
from consentkit.manager.revocations import RevocationCache
from consentkit.notices import Notice

__all__ = ["ConsentResolver"]

log = logging.getLogger("consentkit")


class ConsentResolver:
    """Judge verified tokens by the ledger. Times are seconds since the epoch."""

    def __init__(
        self,
        evaluator: Evaluator,
        cookie: ConsentCookie,
        ledger: Ledger | None,
        revocations: RevocationCache | None,
        *,
        recheck: float,
    ) -> None:
        self.evaluator = evaluator
        self.cookie = cookie
        self.ledger = ledger
        self.revocations = revocations
        self._recheck = recheck
        self._learned: float | None = None
        self._learning = threading.Lock()

    def needs_lookup(self, token: VerifiedToken | None, now: float) -> bool:
        """Say whether the ledger has to be asked before a verified token can be judged."""
        if token is None or not token.subject:
            return False
        revocations = self.revocations
        if revocations is None or (
            token.subject in revocations.known and revocations.polled <= now < revocations.due_at
        ):
            return False
        return revocations.due(token.subject, now)

    def permissions(self, token: VerifiedToken, now: float) -> Consent | None:
        """Give the consent of somebody who answered as this visitor did, for what is allowed, which is the same.

        Most of what is asked is that, and judging costs ten times as much. As long as nothing else is known of the subject, that
        stands from the token's `since` until its `until`. None where the token has to be judged.
        """
        answer, revocations = token.answer, self.revocations
        entry = None
        if answer.grants and revocations is not None:
            entry = revocations.known.get(token.subject)
            if entry is None or token.subject in revocations.held:
                return None
            record = entry[0]
            if record is None or not (record is token.proof or _proves(record, token)):
                return None
            if not revocations.polled <= now < revocations.due_at:
                return None
            token.proof = record
        ends = self.evaluator.end_of(answer.notice, token.decided_at)
        if ends is None or now >= ends or now >= self.evaluator.first_lapse:
            return None
        if answer.shared_consent is None:
            answer.shared_consent = self.evaluator.evaluate(token.decision, now)
        token.ends, token.entry = ends, entry
        token.since, token.until = token.changed_at - SKEW, min(ends, self.evaluator.first_lapse)
        return answer.shared_consent

    def resolve(self, token: VerifiedToken | None, now: float, *, gpc: bool = False) -> tuple[Consent, bool]:
        """Judge a token by what the ledger last said; and say whether the browser's cookie is out of date."""
        if token is None or self.revocations is None:
            return self.cookie.evaluate(token, now, gpc=gpc), False
        if not token.subject:
            # A grant that leads to no record could be neither proved nor ever withdrawn.
            judged = self.evaluator.undecided(gpc=gpc, now=now) if token.answer.grants else None
            return judged or self.cookie.evaluate(token, now, gpc=gpc), False
        record, fresh = self.revocations.newest(token.subject, token.changed_at, now)
        if not fresh:
            return self.evaluator.unverifiable(token.decision, gpc=gpc, now=now), False
        if record is None:
            if not self.revocations.seen(token.subject):
                return self.cookie.evaluate(token, now, gpc=gpc), False
            log.warning("A grant of %d has no record: it counts for nothing.", token.decided_at)
            return self.evaluator.undecided(gpc=gpc, now=now), False
        if record is token.proof or _proves(record, token):
            token.proof = record
            return self.cookie.evaluate(token, now, gpc=gpc), False
        decision = token.decision
        known = self.decision_of(record)
        if known is None:
            return self.evaluator.undecided(gpc=gpc, now=now), False
        if decision.changed_at > record.changed_at:
            return self.evaluator.evaluate(
                decisions.narrower(self.evaluator, decision, known), now, gpc=gpc
            ), False
        return self.evaluator.evaluate(known, now, gpc=gpc), True

    def decision_of(self, record: Record) -> Decision | None:
        """Read a decision back from its record; None under a notice that is not known here."""
        notice = self.evaluator.known(record.notice)
        if notice is None:
            return None
        granted = frozenset(
            one for one, allowed in record.categories.items() if allowed and one in notice.category_ids
        )
        return Decision(
            kind="withdrawn" if record.status == ConsentStatus.WITHDRAWN else "decided",
            granted=granted,
            vendors=dict(record.vendors),
            decided_at=record.decided_at,
            changed_at=record.changed_at,
            notice=notice.digest,
            subject=(record.subject or "") if record.status == ConsentStatus.GIVEN else "",
        )

    def load_notices(self, now: float) -> None:
        """Read the notices that others stored, once, and again when a cookie names one that is not known; never raises."""
        with self._learning:
            if self.ledger is None or (
                self._learned is not None and 0 <= now - self._learned < self._recheck
            ):
                return
            self._learned = now
            try:
                stored = self.ledger.notices()
            except LedgerUnavailableError as error:
                log.warning("The ledger's notices could not be read: %s", error)
                return
            for digest, content in stored:
                self._learn(digest, content)

    def _learn(self, digest: str, content: Any) -> None:
        """Take one notice over, if it is what its digest says."""
        try:
            notice = Notice.from_content(content)
            if notice.digest == digest:
                self.evaluator.add_notice(notice)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            log.warning("The notice %s in the ledger could not be read: %r", digest, error)

    def load_notices_unless_known(self, digest: str, now: float) -> None:
        """Read the ledger's notices where one is not known here; blocks, never raises."""
        if digest not in self.evaluator.notices and self.may_load_notices(now):
            self.load_notices(now)

    def may_load_notices(self, now: float) -> bool:
        """Say whether the ledger may know a notice that this process does not."""
        return self.ledger is not None and (
            self._learned is None or not 0 <= now - self._learned < self._recheck
        )


def _proves(record: Record, token: VerifiedToken) -> bool:
    """Say whether a record is that of the very decision that a token carries."""
    answer = token.answer
    if record.changed_at != token.changed_at or record.notice != answer.notice:
        return False
    if record.categories != answer.recorded:
        if {category for category, allowed in record.categories.items() if allowed} != answer.granted:
            return False
        answer.recorded = dict(record.categories)
    return record.vendors == answer.vendors
