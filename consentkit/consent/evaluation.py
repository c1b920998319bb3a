"""The terms on which decisions stand: one policy, on one site, with every notice that it ever published.

`judge` says what a decision is worth now; `decisions` composes the next one. Pure: time comes in as an argument, in
seconds since the epoch.
"""

import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta

from consentkit._bounded_cache import BoundedCache
from consentkit.consent.model import Consent, ConsentStatus, Decision
from consentkit.notices import Change, Coverage, Notice, coverage
from consentkit.policy import Policy

__all__ = ["Evaluator"]

log = logging.getLogger("consentkit")

_REMEMBERED = 2048


class Evaluator:
    """Judge decisions for one site of a policy.

    Attributes:
        notice: what visitors are told now.
        notices: every notice known here, by digest; grows by `learn`.
        needing: ids of the categories that consent is needed for.
        exempt: ids of those that are on unless the visitor objects.
        first_lapse: when the first adequacy decision ends that a transfer rests on, in seconds since the epoch.
    """

    def __init__(self, policy: Policy, site: str, notices: Iterable[Notice] = ()) -> None:
        """Take the notices of `consent.lock`.

        Raises:
            UnknownSiteError: the policy lists no such site.
        """
        self.policy = policy
        self.site = policy.site(site)
        self.notices = {known.digest: known for known in notices}
        self.notice = self._current()
        self.notices[self.notice.digest] = self.notice
        self._by_short = {known.short: known for known in self.notices.values()}
        self._coverage: dict[str, Coverage] = {}
        self._ends: BoundedCache[tuple[str, int], int] = BoundedCache(_REMEMBERED)
        self._undecided: dict[bool, Consent] = {}
        self.needing = tuple(category.id for category in policy.consent_needed)
        self.exempt = tuple(category.id for category in policy.optional if category.exempt)
        self._required = frozenset(category.id for category in policy.categories if category.required)
        self._vendor_category = {vendor.id: vendor.category for vendor in policy.vendors}
        self._lapses = {
            vendor.id: _end_of(last_day)
            for vendor in policy.vendors
            if (last_day := policy.adequacy_lapses(vendor)) is not None
        }
        self.first_lapse = min(self._lapses.values(), default=float("inf"))

    def _current(self) -> Notice:
        """Give the policy's notice its full text, and the wording that the lock says it continues."""
        plain = Notice.of(self.policy)
        locked = self.notices.get(plain.digest)
        if locked is None:
            return plain
        return Notice(plain.digest, locked.facts, plain.content, published=locked.published)

    def add_notice(self, notice: Notice) -> None:
        """Add a notice that was published elsewhere or earlier; what is known stays as it is, a full text aside.

        One that cannot be compared with the present notice, such as a later version of this library may have stored, is left
        out: answers under it count as unknown.
        """
        known = self.notices.get(notice.digest)
        if known is not None and (known.content is not None or notice.content is None):
            return
        facts, published = (known.facts, known.published) if known else (notice.facts, notice.published)
        learnt = Notice(notice.digest, facts, notice.content, published=published)
        try:
            self._compare(learnt)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            log.warning("The notice %s cannot be read here: %r", notice.digest, error)
            return
        self.notices[learnt.digest] = learnt
        self._by_short = {each.short: each for each in self.notices.values()}

    def known(self, digest: str) -> Notice | None:
        """Find a notice by its whole digest or the part of it that cookies carry."""
        return self.notices.get(digest) or self._by_short.get(digest)

    def expires(self, decision: Decision) -> int | None:
        """Say when a decision ends: the shorter of the validity that was promised and that of today, by the calendar in UTC.

        Returns None for a decision whose time no calendar holds.
        """
        return self.end_of(decision.notice, decision.decided_at)

    def end_of(self, digest: str, decided_at: int) -> int | None:
        """Say when a decision of that time ends that was made under a known notice, as `expires` does."""
        # The time of day is the same at both ends.
        day, seconds = divmod(decided_at, 86_400)
        midnight = self._ends.get((digest, day))
        if midnight is None:
            try:
                midnight = self._ends[digest, day] = self._end_from(digest, day * 86_400)
            except OverflowError:
                return None
        return midnight + seconds

    def _end_from(self, digest: str, start: int) -> int:
        validities = (self.notices[digest].validity, self.policy.validity)
        for validity in validities:
            validity.seconds_from(start + 86_399)  # raises where the calendar ends within that day
        return min(validity.seconds_from(start) for validity in validities)

    def undecided(self, *, gpc: bool = False, now: float = 0) -> Consent:
        """Give the consent of a visitor who has not answered; without a time no adequacy decision has lapsed."""
        kept = self._undecided.get(gpc) if now < self.first_lapse else None
        if kept is None:
            asking, lapsed, unknown = self._unanswered(gpc), self._lapsed(now), ConsentStatus.UNKNOWN
            kept = self._consent_for(None, unknown, frozenset(), {}, gpc=gpc, asking=asking, lapsed=lapsed)
            if not lapsed:
                self._undecided[gpc] = kept
        return kept

    def unverifiable(self, decision: Decision, *, gpc: bool = False, now: float = 0) -> Consent:
        """Give the consent of a visitor whose grant cannot be checked: nothing granted, and no banner for a fault of ours."""
        refused = {vendor: False for vendor, allowed in decision.vendors.items() if not allowed}
        lapsed = self._lapsed(now)
        return self._consent_for(
            decision, ConsentStatus.UNKNOWN, frozenset(), refused, gpc=gpc, asking=(), lapsed=lapsed
        )

    def _unanswered(self, gpc: bool) -> tuple[str, ...]:
        """Ask about everything, unless the browser's signal has refused everything already."""
        if gpc and all(self.policy.honours_gpc(category) for category in self.needing):
            return ()
        return self.needing

    def evaluate(self, decision: Decision | None, now: float, *, gpc: bool = False) -> Consent:
        """Say what a decision under a known notice is worth at `now`."""
        if decision is None:
            return self.undecided(gpc=gpc, now=now)
        ends = self.expires(decision)
        return self._evaluate(decision, ends, now, gpc=gpc)

    def _evaluate(self, decision: Decision, ends: int | None, now: float, *, gpc: bool) -> Consent:
        lapsed = self._lapsed(now)
        if ends is None or now >= ends:
            return self._consent_for(
                decision,
                ConsentStatus.EXPIRED,
                frozenset(),
                {},
                gpc=gpc,
                asking=self._unanswered(gpc),
                expires=ends,
                lapsed=lapsed,
            )
        covers = self.covers(decision.notice)
        covered = covers.categories - self.stale(decision, now) if covers.site else frozenset[str]()
        granted = decision.granted & covered
        vendors = {
            vendor: allowed
            for vendor, allowed in decision.vendors.items()
            if not allowed or (covers.site and vendor in covers.vendors and vendor not in lapsed)
        }
        lost = self._lost(decision, granted, vendors)
        status = self._status(decision, granted, vendors, lost)
        asking = self._asking(decision, covers, granted, lost)
        if status is ConsentStatus.INVALIDATED and not covers.site:
            asking = self._unanswered(gpc)
        return self._consent_for(
            decision,
            status,
            granted,
            vendors,
            gpc=gpc,
            asking=asking,
            expires=ends,
            changes=_growth(covers, asking),
            until=min([ends, *(at for at in self._lapses.values() if at > now)]),
            lapsed=lapsed,
        )

    def covers(self, digest: str) -> Coverage:
        """Say what an answer under a known notice covers here; worked out once for each notice."""
        found = self._coverage.get(digest)
        if found is None:
            found = self._coverage[digest] = self._compare(self.notices[digest])
        return found

    def _compare(self, notice: Notice) -> Coverage:
        """Read all that judging reads of a notice."""
        _ = notice.validity, notice.vendor_ids, notice.exempt_ids
        return coverage(notice, self.notice, self.site.id, self.site.origin)

    def stale(self, decision: Decision, now: float) -> frozenset[str]:
        """Name the categories in which an adequacy decision has lapsed since a decision (REQUIREMENTS TR-03)."""
        return frozenset(
            self._vendor_category[vendor]
            for vendor, at in self._lapsed(now).items()
            if decision.changed_at < at
        )

    def _lapsed(self, now: float) -> dict[str, int]:
        """Name the vendors whose adequacy decision has ended, and when (REQUIREMENTS TR-03)."""
        return {vendor: at for vendor, at in self._lapses.items() if at <= now}

    def _lost(self, decision: Decision, granted: Collection[str], vendors: Collection[str]) -> frozenset[str]:
        """Name the categories in which a grant counts no longer, though what it was for is still there."""
        if decision.kind == "withdrawn":
            return frozenset()
        gone = {one for one, allowed in decision.vendors.items() if allowed and one not in vendors}
        return decision.granted.difference(granted).union(
            category for one in gone if (category := self._vendor_category.get(one))
        ) & frozenset(self.needing)

    def _status(
        self,
        decision: Decision,
        granted: frozenset[str],
        vendors: Mapping[str, bool],
        lost: Collection[str],
    ) -> ConsentStatus:
        if decision.kind == "withdrawn":
            return ConsentStatus.WITHDRAWN
        allowed = {self._vendor_category[vendor] for vendor, is_on in vendors.items() if is_on}
        if (granted | allowed) & set(self.needing):
            return ConsentStatus.GIVEN
        # Where all that was granted is gone from the policy, what is left of the answer is its refusals.
        return ConsentStatus.INVALIDATED if lost and self.grants(decision) else ConsentStatus.REFUSED

    def _asking(
        self, decision: Decision, covers: Coverage, granted: frozenset[str], lost: frozenset[str]
    ) -> tuple[str, ...]:
        """Ask about what is new, what was granted and is no longer covered, and what was never asked."""
        again = lost.union(covers.new)
        if decision.kind == "partial":
            again = frozenset(self.needing) - granted
        return tuple(category for category in self.needing if category in again)

    def _consent_for(
        self,
        decision: Decision | None,
        status: ConsentStatus,
        granted: frozenset[str],
        vendors: Mapping[str, bool],
        *,
        gpc: bool,
        asking: tuple[str, ...],
        expires: int | None = None,
        changes: tuple[Change, ...] = (),
        until: float = float("inf"),
        lapsed: Collection[str] = (),
    ) -> Consent:
        objected = self._objected(decision, status, gpc)
        categories = {
            category.id: category.id in self._required
            or (category.id not in objected if category.exempt else category.id in granted)
            for category in self.policy.categories
        }
        effective = {
            vendor: vendor not in lapsed
            and (category in self._required or vendors.get(vendor, categories[category]))
            for vendor, category in self._vendor_category.items()
        }
        return Consent(
            status=status,
            granted=granted & frozenset(self.needing),
            categories=categories,
            vendors=effective,
            vendor_category=self._vendor_category,
            asking=asking,
            gpc=gpc,
            decision=decision,
            expires=expires,
            changes=changes,
            until=until,
        )

    def _objected(self, decision: Decision | None, status: ConsentStatus, gpc: bool) -> set[str]:
        """Name the exempt categories that the visitor objected to; an objection outlives a change of notice."""
        if decision is None or status is ConsentStatus.EXPIRED:
            return {c for c in self.exempt if gpc and self.policy.honours_gpc(c)}
        told = self.notices[decision.notice].category_ids
        return {category for category in self.exempt if category in told and category not in decision.granted}

    def grants(self, decision: Decision) -> bool:
        """Say whether a decision grants anything that consent is needed for; only then may it carry a subject."""
        notice = self.notices[decision.notice]
        exempt = notice.exempt_ids
        return bool(decision.granted - exempt) or any(
            allowed and notice.vendor_category.get(vendor) not in exempt
            for vendor, allowed in decision.vendors.items()
        )


def _end_of(last_day: date) -> int:
    return int(datetime.combine(last_day + timedelta(days=1), time(), UTC).timestamp())


def _growth(covers: Coverage, asking: tuple[str, ...]) -> tuple[Change, ...]:
    """List what grew since an answer, for what is asked again; a category that is new is asked about anyway."""
    again = set(asking).difference(covers.new)
    return tuple(
        change for change in covers.changes if again and change.asks and change.category in (None, *again)
    )
