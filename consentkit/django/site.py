"""The one manager of a Django site, made from the setting `CONSENTKIT`."""

import threading
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.core.signals import setting_changed

from consentkit.django.databases import ledger_address
from consentkit.django.signals import send_with
from consentkit.errors import ConfigurationError
from consentkit.manager import ConsentManager
from consentkit.settings import manager_from_settings
from consentkit.web import Endpoints, SiteServices

__all__ = ["base_directory", "close_manager", "get_manager", "get_site", "manager_options", "policy_path"]

_DEFAULT_POLICY = "consent.toml"
_MAKES_ANOTHER_MANAGER = frozenset({"CONSENTKIT", "BASE_DIR", "SECRET_KEY", "SECRET_KEY_FALLBACKS"})


class DjangoSite(NamedTuple):
    """A manager, the services of its pages, and the endpoints below its prefix."""

    manager: ConsentManager
    services: SiteServices
    endpoints: Endpoints


_lock = threading.Lock()
_sites: list[DjangoSite] = []
# Managers that are closed here.
_made: list[ConsentManager] = []


def get_manager() -> ConsentManager:
    """Return the site's manager, which the first call makes. It is closed at exit.

    Raises:
        ConfigurationError: the setting CONSENTKIT, the policy or its lock has a problem; the message has the remedy.
    """
    return get_site().manager


def get_site() -> DjangoSite:
    """Return the site's manager with the services of its pages, which all middleware of a process shares.

    Raises:
        ConfigurationError: as `get_manager` does, or a template or Content-Security-Policy has a problem.
    """
    with _lock:
        if not _sites:
            manager = _given_manager() or _made_manager()
            services = SiteServices(manager)
            send_with(manager)
            _sites.append(DjangoSite(manager, services, Endpoints(services)))
        return _sites[0]


def _made_manager() -> ConsentManager:
    manager = manager_from_settings(
        manager_options(),
        root=base_directory(),
        framework_keys=(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS),
        spelled=lambda name: f"CONSENTKIT[{name!r}]",
    )
    _made.append(manager)
    return manager


def _given_manager() -> ConsentManager | None:
    """Return the manager that the setting is, for sites that build it by themselves."""
    given = getattr(settings, "CONSENTKIT", None)
    return given if isinstance(given, ConsentManager) else None


def close_manager() -> None:
    """Close the manager, unless the site has built it. The next call of `get_manager` makes another one."""
    with _lock:
        _sites.clear()
        while _made:
            _made.pop().close()


def _close_if_changed(*, setting: str, **_: Any) -> None:
    """Close the manager of other settings, for tests with `override_settings`."""
    if setting in _MAKES_ANOTHER_MANAGER:
        close_manager()


setting_changed.connect(_close_if_changed)


def manager_options() -> dict[str, Any]:
    """Return the setting, with the address of a ledger that is one of `DATABASES`.

    Raises:
        ConfigurationError: the setting is missing, or its ledger cannot be used.
    """
    given = _given_manager()
    found = {"policy": given.policy} if given is not None else getattr(settings, "CONSENTKIT", None)
    if not isinstance(found, dict):
        raise ConfigurationError(
            "The setting CONSENTKIT is missing: write CONSENTKIT = {'policy': 'consent.toml', 'ledger': 'sqlite:///consent.db'}."
        )
    # Middleware of Django or django-csp may set a policy, which is opened then.
    options = {"policy": _DEFAULT_POLICY, "csp": "", **found}
    ledger = options.get("ledger")
    if isinstance(ledger, dict):
        if list(ledger) != ["database"]:
            raise ConfigurationError(
                f"CONSENTKIT['ledger'] has the keys {', '.join(map(repr, ledger))}: write {{'database': 'default'}}, or a URL."
            )
        options["ledger"] = ledger_address(ledger["database"])
    return options


def policy_path() -> Path:
    """Return the path of the policy file, below BASE_DIR if it is relative.

    Raises:
        ConfigurationError: the setting is missing, or its policy is no file.
    """
    policy = manager_options()["policy"]
    if isinstance(policy, str | Path):
        return base_directory() / policy
    raise ConfigurationError("CONSENTKIT['policy'] is not a path, so there is no file: give the path of one.")


def base_directory() -> Path:
    """Return the folder that relative paths of the setting start from."""
    return Path(getattr(settings, "BASE_DIR", "."))
