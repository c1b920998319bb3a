"""The terms on which decisions stand: one policy, on one site, with every notice that it ever published.

`judge` says what a decision is worth now; `decisions` composes the next one. Pure: time comes in as an argument, in
seconds since the epoch.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta

from consentkit.changes import Change, Coverage, coverage
from consentkit.consent import Consent, ConsentStatus, Decision
from consentkit.notice import Notice
from consentkit.policy import Policy

__all__ = ["Terms"]


class Terms:
    """Judge decisions for one site of a policy.

    Attributes:
        notice: what visitors are told now.
        notices: every notice known here, by digest; grows by `learn`.
        needing: ids of the categories that consent is needed for.
        exempt: ids of those that are on unless the visitor objects.
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
        self.needing = tuple(category.id for category in policy.consent_needed)
        self.exempt = tuple(category.id for category in policy.optional if category.exempt)
        self._required = tuple(category.id for category in policy.categories if category.required)
        self._vendor_category = {vendor.id: vendor.category for vendor in policy.vendors}
        self._lapses = {
            vendor.id: _end_of(last_day)
            for vendor in policy.vendors
            if (last_day := policy.adequacy_lapses(vendor)) is not None
        }

    def _current(self) -> Notice:
        """Give the policy's notice its full text, and the wording that the lock says it continues."""
        plain = Notice.of(self.policy)
        locked = self.notices.get(plain.digest)
        if locked is None:
            return plain
        return Notice(plain.digest, locked.facts, plain.content, published=locked.published)

    def learn(self, notice: Notice) -> None:
        """Add a notice that was published elsewhere or earlier; what is known stays as it is, a full text aside."""
        known = self.notices.get(notice.digest)
        if known is None or (known.content is None and notice.content is not None):
            facts = known.facts if known else notice.facts
            self.notices[notice.digest] = Notice(notice.digest, facts, notice.content)
            self._by_short = {each.short: each for each in self.notices.values()}

    def known(self, digest: str) -> Notice | None:
        """Find a notice by its whole digest or the part of it that cookies carry."""
        return self.notices.get(digest) or self._by_short.get(digest)

    def expires(self, decision: Decision) -> int | None:
        """Say when a decision ends: the shorter of the validity that was promised and that of today, by the calendar in UTC.

        Returns None for a decision whose time no calendar holds.
        """
        notice = self.notices[decision.notice]
        try:
            promised = notice.validity.seconds_from(decision.decided_at)
            return min(promised, self.policy.validity.seconds_from(decision.decided_at))
        except OverflowError:
            return None

    def undecided(self, *, gpc: bool = False, status: ConsentStatus = ConsentStatus.UNKNOWN) -> Consent:
        """Give the consent of a visitor who has not answered."""
        return self._standing(None, status, frozenset(), {}, gpc=gpc, asking=self._unanswered(gpc))

    def unverifiable(self, decision: Decision, *, gpc: bool = False) -> Consent:
        """Give the consent of a visitor whose grant cannot be checked: nothing granted, and no banner for a fault of ours."""
        return self._standing(decision, ConsentStatus.UNKNOWN, frozenset(), {}, gpc=gpc, asking=())

    def _unanswered(self, gpc: bool) -> tuple[str, ...]:
        """Ask about everything, unless the browser's signal has refused everything already."""
        if gpc and all(self.policy.honours_gpc(category) for category in self.needing):
            return ()
        return self.needing

    def judge(self, decision: Decision | None, now: float, *, gpc: bool = False) -> Consent:
        """Say what a decision under a known notice is worth at `now`."""
        if decision is None:
            return self.undecided(gpc=gpc)
        ends = self.expires(decision)
        if ends is None or now >= ends:
            return self._standing(
                decision,
                ConsentStatus.EXPIRED,
                frozenset(),
                {},
                gpc=gpc,
                asking=self._unanswered(gpc),
                expires=ends,
            )
        covers = self.covers(decision.notice)
        lapsed = self._lapsed(now)
        stale = {self._vendor_category[vendor] for vendor, at in lapsed.items() if decision.changed_at < at}
        granted = decision.granted & covers.categories - stale if covers.site else frozenset[str]()
        vendors = {
            vendor: allowed
            for vendor, allowed in decision.vendors.items()
            if not allowed or (covers.site and vendor in covers.vendors and vendor not in lapsed)
        }
        status = self._status(decision, granted, vendors)
        asking = self._asking(decision, covers, granted, vendors, stale, status)
        if status is ConsentStatus.INVALIDATED:
            asking = self._unanswered(gpc)
        changes = tuple(
            c
            for c in covers.changes
            if c.asks and (c.category is None or c.category in asking) and not _new(c, covers)
        )
        upcoming = [at for at in self._lapses.values() if at > now]
        return self._standing(
            decision,
            status,
            granted,
            vendors,
            gpc=gpc,
            asking=asking,
            expires=ends,
            changes=changes if asking else (),
            until=min([ends, *upcoming]),
            lapsed=lapsed,
        )

    def covers(self, digest: str) -> Coverage:
        """Say what an answer under a known notice covers here; worked out once for each notice."""
        found = self._coverage.get(digest)
        if found is None:
            found = coverage(self.notices[digest], self.notice, self.site.id, self.site.origin)
            self._coverage[digest] = found
        return found

    def _lapsed(self, now: float) -> dict[str, int]:
        """Name the vendors whose adequacy decision has ended, and when (REQUIREMENTS TR-03)."""
        return {vendor: at for vendor, at in self._lapses.items() if at <= now}

    def _status(
        self, decision: Decision, granted: frozenset[str], vendors: Mapping[str, bool]
    ) -> ConsentStatus:
        if decision.kind == "withdrawn":
            return ConsentStatus.WITHDRAWN
        if not self.grants(decision):
            return ConsentStatus.REFUSED
        if granted & set(self.needing) or any(vendors.values()):
            return ConsentStatus.GIVEN
        return ConsentStatus.INVALIDATED

    def _asking(
        self,
        decision: Decision,
        covers: Coverage,
        granted: frozenset[str],
        vendors: Mapping[str, bool],
        stale: set[str],
        status: ConsentStatus,
    ) -> tuple[str, ...]:
        """Ask about what is new, what was granted and is no longer covered, and what was never asked."""
        again = set(covers.new)
        if status is ConsentStatus.GIVEN:
            again |= decision.granted - granted
            again |= {
                self._vendor_category[vendor]
                for vendor, allowed in decision.vendors.items()
                if allowed and vendor not in vendors and vendor in self._vendor_category
            }
            again |= stale & decision.granted
        if decision.kind == "partial":
            again |= set(self.needing) - granted
        return tuple(category for category in self.needing if category in again)

    def _standing(
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
        lapsed: Mapping[str, int] | None = None,
    ) -> Consent:
        objected = self._objected(decision, status, gpc)
        categories = {
            category.id: category.required
            or (category.id not in objected if category.exempt else category.id in granted)
            for category in self.policy.categories
        }
        effective = {
            vendor: vendors.get(vendor, categories[category]) and not (lapsed and vendor in lapsed)
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
        return {
            category for category in self.exempt if category in told and category not in decision.granted
        }

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


def _new(change: Change, covers: Coverage) -> bool:
    """Say whether a change is the coming of a category that is asked about for the first time anyway."""
    return change.category in covers.new
