"""The services of one site for the rules of each place, made when the first visitor from there comes."""

from collections.abc import Callable
from typing import Generic, TypeVar

from consentkit.manager import ConsentManager, ManagersByPlace
from consentkit.policy import Place
from consentkit.web.query import unrepeated_fields
from consentkit.web.request_head import RequestHead

__all__ = ["PLACE_FIELD", "ServicesByPlace"]

PLACE_FIELD = "place"
"""Field of the query with which a visitor asks for the rules of another place, on the library's own pages."""

_Services = TypeVar("_Services")


class ServicesByPlace(Generic[_Services]):
    """The services for each manager of a site's regimes. Thread-safe.

    Attributes:
        home: the services of the site's own manager.
    """

    def __init__(
        self,
        managers: ManagersByPlace,
        prefix: str,
        home: _Services,
        *,
        make: "Callable[[ConsentManager, ServicesByPlace[_Services]], _Services]",
    ) -> None:
        """Start with the services of the site's own manager.

        Args:
            managers: of the regimes.
            prefix: under which visitors may ask for the rules of another place.
            home: the services of the site's own manager.
            make: makes the services of another manager.
        """
        self._managers, self._prefix, self.home, self._make = managers, prefix, home, make
        self._made: dict[ConsentManager, _Services] = {}

    def at(self, head: RequestHead) -> _Services:
        """Return the services for a request. Never raises."""
        return self._of(self._managers.at(head, self.asked(head)))

    def asked(self, head: RequestHead) -> str:
        """Return the code of the place whose rules a visitor asks for; empty if it is none."""
        if not head.query or not head.local_path.startswith(self._prefix):
            return ""
        place = Place.parse(unrepeated_fields(head.query).get(PLACE_FIELD, ""))
        return place.code if place is not None else ""

    @property
    def strictest(self) -> _Services:
        """The services for visitors of whom nothing is known."""
        return self._of(self._managers.strictest)

    def _of(self, manager: ConsentManager) -> _Services:
        if manager is self._managers.home:
            return self.home
        services = self._made.get(manager)
        if services is None:
            # As with the managers, the first that is kept counts.
            services = self._made.setdefault(manager, self._make(manager, self))
        return services
