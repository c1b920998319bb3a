"""Evaluation of decisions: what a decision allows now on one site, under the current policy and all published notices.

Nothing here reads a clock: times are arguments, in seconds since the epoch. `transitions` makes the next decision
out of a choice.
"""

import logging
from collections.abc import Collection, Iterable, Mapping

from consentkit.consent.model import Consent, ConsentStatus, Decision
from consentkit.consent.validity import Validity
from consentkit.notices import Change, Coverage, Notice, coverage
from consentkit.policy import Policy

__all__ = ["Evaluator"]

log = logging.getLogger("consentkit")


class Evaluator:
    """Evaluate decisions for one site of a policy.

    Attributes:
        policy: the current policy.
        site: the site that decisions are evaluated for.
        notice: the notice of the current policy.
        notices: every notice known in this process, by digest; `add_notice` adds more.
        needing: ids of the categories that need consent.
        exempt: ids of the categories that are on unless the visitor objects.
        first_lapse: when the first adequacy decision ends that a transfer rests on, in seconds since the epoch.
        denied: ids of the categories that a signal of the browser turns off, whatever the visitor chose.
    """

    def __init__(
        self, policy: Policy, site: str, notices: Iterable[Notice] = (), denied: Iterable[str] = ()
    ) -> None:
        """Index the notices of `consent.lock` together with that of the current policy.

        Raises:
            UnknownSiteError: the policy lists no such site.
        """
        self.policy = policy
        self.denied = frozenset(denied)
        self.site = policy.site(site)
        self.notices = {notice.digest: notice for notice in notices}
        self.notice = self._current_notice()
        self.notices[self.notice.digest] = self.notice
        self._by_short = {notice.short: notice for notice in self.notices.values()}
        self._coverage: dict[str, Coverage] = {}
        self._undecided: dict[bool, Consent] = {}
        self.needing = tuple(category.id for category in policy.consent_needed)
        self.exempt = tuple(category.id for category in policy.optional if category.exempt)
        self._required = frozenset(category.id for category in policy.categories if category.required)
        self._vendor_category = {vendor.id: vendor.category for vendor in policy.vendors}
        self._validity = Validity(policy, self.notices)
        self.first_lapse = self._validity.first_lapse

    def _current_notice(self) -> Notice:
        """Return the policy's notice with its full text, and with the facts of the lock, where it has them."""
        plain = Notice.of(self.policy)
        locked = self.notices.get(plain.digest)
        if locked is None:
            return plain
        return Notice(plain.digest, locked.facts, plain.content, published=locked.published)

    # Notices

    def add_notice(self, notice: Notice) -> None:
        """Add a notice that was published elsewhere or earlier. A notice that is known already only gains its full text.

        A notice that cannot be compared with the current one is left out, and answers under it count as unknown. A later
        version of this library may have stored such a notice.
        """
        old = self.notices.get(notice.digest)
        if old is not None and (old.content is not None or notice.content is None):
            return
        facts, published = (old.facts, old.published) if old else (notice.facts, notice.published)
        added = Notice(notice.digest, facts, notice.content, published=published)
        try:
            self._compare(added)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            log.warning("Notice %s is ignored, because it cannot be compared: %r", notice.digest, error)
            return
        self.notices[added.digest] = added
        self._by_short = {known_notice.short: known_notice for known_notice in self.notices.values()}

    def known(self, digest: str) -> Notice | None:
        """Return a notice by its whole digest, or by the part of the digest that cookies carry; None if it is not known."""
        return self.notices.get(digest) or self._by_short.get(digest)

    def covers(self, digest: str) -> Coverage:
        """Return what an answer under a known notice still covers on this site. Each notice is compared once."""
        covers = self._coverage.get(digest)
        if covers is None:
            covers = self._coverage[digest] = self._compare(self.notices[digest])
        return covers

    def _compare(self, notice: Notice) -> Coverage:
        # Reads everything that `evaluate` needs of a notice, so that a damaged one fails here and not during a request.
        _ = notice.validity, notice.vendor_ids, notice.exempt_ids
        return coverage(notice, self.notice, self.site.id, self.site.origin)

    # Time

    def expires(self, decision: Decision) -> int | None:
        """Return when a decision ends, in whole seconds since the epoch; None if no calendar holds the end."""
        return self.end_of(decision.notice, decision.decided_at)

    def end_of(self, digest: str, decided_at: int) -> int | None:
        """Return when a decision made at `decided_at` under a known notice ends; see `Validity.end_of`."""
        return self._validity.end_of(digest, decided_at)

    def lapsed_categories(self, decision: Decision, now: float) -> frozenset[str]:
        """Return the categories in which an adequacy decision has ended after a decision (REQUIREMENTS TR-03)."""
        return frozenset(
            self._vendor_category[vendor]
            for vendor, at in self._validity.lapsed(now).items()
            if decision.changed_at < at
        )

    # Evaluating

    def grants(self, decision: Decision) -> bool:
        """Return whether a decision grants anything that needs consent. Only then may it carry a subject."""
        notice = self.notices[decision.notice]
        exempt = notice.exempt_ids
        return bool(decision.granted - exempt) or any(
            allowed and notice.vendor_category.get(vendor) not in exempt
            for vendor, allowed in decision.vendors.items()
        )

    def undecided(self, *, gpc: bool = False, now: float = 0) -> Consent:
        """Return the consent of a visitor who has not answered. By default no adequacy decision has ended."""
        cached = self._undecided.get(gpc) if now < self.first_lapse else None
        if cached is not None:
            return cached
        lapsed = self._validity.lapsed(now)
        consent = self._consent_for(
            None, ConsentStatus.UNKNOWN, frozenset(), {}, gpc=gpc, asking=self._unanswered(gpc), lapsed=lapsed
        )
        if not lapsed:
            self._undecided[gpc] = consent
        return consent

    def unproven(self, decision: Decision, *, gpc: bool = False, now: float = 0) -> Consent:
        """Return the consent of a visitor whose answer does not count, because it cannot be read or its record is missing.

        All questions are open. What was refused, or may have been, stays off: without an answer it would be on where no
        consent is needed.
        """
        if not self.exempt:
            return self.undecided(gpc=gpc, now=now)
        return self._consent_for(
            None,
            ConsentStatus.UNKNOWN,
            frozenset(),
            {vendor: False for vendor, allowed in decision.vendors.items() if not allowed},
            gpc=gpc,
            asking=self._unanswered(gpc),
            lapsed=self._validity.lapsed(now),
            objected=self._objected(None, ConsentStatus.UNKNOWN, gpc)
            | self._objected(decision, ConsentStatus.UNKNOWN, gpc),
        )

    def unverifiable(self, decision: Decision, *, gpc: bool = False, now: float = 0) -> Consent:
        """Return the consent of a visitor whose grant cannot be checked against the ledger.

        Nothing is granted. Nothing is asked either, because the visitor has answered and the fault is ours.
        """
        refused = {vendor: False for vendor, allowed in decision.vendors.items() if not allowed}
        return self._consent_for(
            decision,
            ConsentStatus.UNKNOWN,
            frozenset(),
            refused,
            gpc=gpc,
            asking=(),
            lapsed=self._validity.lapsed(now),
        )

    def evaluate(self, decision: Decision | None, now: float, *, gpc: bool = False) -> Consent:
        """Return what a decision under a known notice allows at `now`, or what a visitor without a decision is allowed."""
        if decision is None:
            return self.undecided(gpc=gpc, now=now)
        ends = self.expires(decision)
        lapsed = self._validity.lapsed(now)
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
        covered = (
            covers.categories - self.lapsed_categories(decision, now) if covers.site else frozenset[str]()
        )
        granted = decision.granted & covered
        # The refusal of a vendor counts whatever the notice has become; a grant only as far as the notice covers it.
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
            until=min(ends, self._validity.next_lapse(now)),
            lapsed=lapsed,
        )

    def _unanswered(self, gpc: bool) -> tuple[str, ...]:
        """Return the categories that a visitor without an answer is asked about; none if GPC has refused them all."""
        if gpc and all(self.policy.honours_gpc(category) for category in self.needing):
            return ()
        return self.needing

    def _lost(self, decision: Decision, granted: Collection[str], vendors: Collection[str]) -> frozenset[str]:
        """Return the categories of today's policy in which a grant no longer counts."""
        if decision.kind == "withdrawn":
            return frozenset()
        lost_vendors = {
            vendor for vendor, allowed in decision.vendors.items() if allowed and vendor not in vendors
        }
        return decision.granted.difference(granted).union(
            category for vendor in lost_vendors if (category := self._vendor_category.get(vendor))
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
        if (granted | allowed) & self._consented(decision):
            return ConsentStatus.GIVEN
        # If the policy has dropped everything that was granted, only the refusals of the answer are left.
        return ConsentStatus.INVALIDATED if lost and self.grants(decision) else ConsentStatus.REFUSED

    def _consented(self, decision: Decision) -> frozenset[str]:
        """Return the categories whose grant is a consent: those that need it now, and those that needed it when it was given."""
        notice = self.notices[decision.notice]
        return frozenset(notice.category_ids) - notice.exempt_ids | frozenset(self.needing)

    def _asking(
        self, decision: Decision, covers: Coverage, granted: frozenset[str], lost: frozenset[str]
    ) -> tuple[str, ...]:
        """Return the categories to ask about: new ones, granted ones that are not covered now, and unanswered ones."""
        # Who objected to what was on without consent has refused it already.
        refused = self.notices[decision.notice].exempt_ids - decision.granted
        again = lost.union(covers.new).difference(refused)
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
        objected: Collection[str] | None = None,
    ) -> Consent:
        """Return the consent with every category and vendor of the policy switched on or off."""
        off = self._objected(decision, status, gpc) if objected is None else objected
        categories = {
            category.id: category.id in self._required
            or (
                category.id not in self.denied
                and (category.id not in off if category.exempt else category.id in granted)
            )
            for category in self.policy.categories
        }
        # A vendor without a lawful transfer is off, even in a required category.
        effective = {
            vendor: vendor not in lapsed
            and category not in self.denied
            and (category in self._required or vendors.get(vendor, categories[category]))
            for vendor, category in self._vendor_category.items()
        }
        return Consent(
            status=status,
            granted=granted & self._consented(decision) if decision is not None else frozenset(),
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
        """Return the exempt categories that the visitor objected to. An objection outlives a change of notice."""
        if decision is None or status is ConsentStatus.EXPIRED:
            return {category for category in self.exempt if gpc and self.policy.honours_gpc(category)}
        disclosed = self.notices[decision.notice].category_ids
        return {
            category for category in self.exempt if category in disclosed and category not in decision.granted
        }


def _growth(covers: Coverage, asking: tuple[str, ...]) -> tuple[Change, ...]:
    """Return what the notice added in the categories that are asked about again, wholly new categories left out."""
    again = set(asking).difference(covers.new)
    return tuple(
        change for change in covers.changes if again and change.asks and change.category in (None, *again)
    )
