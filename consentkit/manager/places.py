"""The managers of one site for the places of its visitors: one for each regime of the policy, made when it is first needed."""

import logging
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from consentkit.errors import ConfigurationError
from consentkit.headers import sends_gpc
from consentkit.manager.location import Location, RequestOrigin, is_in_an_app
from consentkit.notices import Notice
from consentkit.policy import Place, Policy, RegimePolicies

if TYPE_CHECKING:
    from consentkit.manager.manager import ConsentManager

__all__ = ["ManagersByPlace", "managers_by_place"]

log = logging.getLogger("consentkit")

_DAY = 86_400


class ManagersByPlace:
    """The managers of a site's regimes. The place of a visitor decides about one request, and is not kept.

    Attributes:
        home: the site's own manager.
        policies: the policy under each regime.
        vary: the names of the headers that the place is read from.
    """

    def __init__(self, home: "ConsentManager", location: Location | None) -> None:
        """Make the notices of all regimes known to the site's manager."""
        self.home = home
        self._location = location
        self.policies = RegimePolicies(home.policy)
        self.vary: tuple[str, ...] = tuple(getattr(location, "vary", ()))
        for policy in self.policies.by_id.values():
            home.evaluator.add_notice(Notice.of(policy))
        self._managers: dict[tuple[str, bool], ConsentManager] = {}
        self._today = (0, date.min)
        self._has_failed = False

    def at(self, request: RequestOrigin, asked: str = "") -> "ConsentManager":
        """Return the manager for a request. Never raises.

        `asked` is the code of a place whose rules the visitor asks for. They count where they are stricter.
        """
        today = self._day()
        policy = self.policies.at(self._place(request), today)
        chosen = Place.parse(asked) if asked else None
        if chosen is not None:
            policy = self.policies.stricter(policy, self.policies.at(chosen, today))
        return self._manager(policy, signal=policy.regime.gpc_over_choice and sends_gpc(request.headers))

    @property
    def strictest(self) -> "ConsentManager":
        """The manager for visitors of whom nothing is known, and for pages that shared caches keep."""
        return self._manager(self.policies.strictest, signal=False)

    def _place(self, request: RequestOrigin) -> Place | None:
        if self._location is None or is_in_an_app(request.headers):
            return None
        try:
            place = self._location(request)
            # A function of the owner's may return a code in small letters.
            return None if place is None else Place.parse(place.code)
        except Exception:
            # Once, because every request would log it. The visitor gets the strictest rules.
            if not self._has_failed:
                self._has_failed = True
                log.exception(
                    "The location failed, or returned no consentkit.Place, so visitors get the strictest rules of the policy."
                )
            return None

    def _day(self) -> date:
        number = int(self.home.clock()) // _DAY
        if self._today[0] != number:
            self._today = (number, datetime.fromtimestamp(number * _DAY, UTC).date())
        return self._today[1]

    def _manager(self, policy: Policy, *, signal: bool) -> "ConsentManager":
        if policy is self.home.policy and not signal:
            return self.home
        key = (policy.regime.id, signal)
        manager = self._managers.get(key)
        if manager is None:
            denied = [row.id for row in policy.optional if signal and policy.denies_by_gpc(row.id)]
            # Two threads may make one at the same time. The first that is kept counts.
            manager = self._managers.setdefault(key, self.home.under(policy, denied))
        return manager


def managers_by_place(home: "ConsentManager", location: Location | None) -> ManagersByPlace | None:
    """Return the managers of a policy's regimes; None for a policy without `[regimes]`.

    Raises:
        ConfigurationError: a location that no rule depends on, or that is no function.
    """
    if location is not None and not callable(location):
        raise ConfigurationError(
            f"location = {location!r} is no function: pass trusted_header(...), or a function of the request."
        )
    if home.policy.regimes is None:
        if location is not None:
            raise ConfigurationError(
                "location is given, but the policy has no rules by place: add [regimes] to it, or leave location out."
            )
        return None
    return ManagersByPlace(home, location)
