"""System checks: what would fail or slip through only later, each with an id and what to do."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.urls import get_resolver

from consentkit.config import PolicyFile, check_file
from consentkit.django.middleware_order import CONSENT, middleware_order
from consentkit.django.site import get_manager, manager_options, policy_path
from consentkit.django.views import requirements
from consentkit.enforcement import CookieGate
from consentkit.errors import ConfigurationError, PolicyProblem, SecretKeyError, UnknownIdError
from consentkit.manager import ConsentManager
from consentkit.policy import Policy

__all__ = ["check_site"]

_SESSION = "django.contrib.sessions.middleware.SessionMiddleware"
_CSRF = "django.middleware.csrf.CsrfViewMiddleware"
_WITHOUT_MANAGER = frozenset({"consentkit.E001", "consentkit.E002"})
_LOCAL = ("http://localhost", "http://127.0.0.1", "http://[::1]")


@register("consentkit")
def check_site(app_configs: Iterable[AppConfig] | None = None, **_: Any) -> list[CheckMessage]:
    """Check the setting CONSENTKIT, the policy, the order of middleware, cookies of Django and what views need."""
    found = [*_check_policy(), *_check_middleware()]
    if any(message.id in _WITHOUT_MANAGER for message in found):
        return found
    try:
        manager = get_manager()
    except SecretKeyError as error:
        hint = "Set SECRET_KEY, or CONSENTKIT['secret_key'], to at least 32 random characters."
        return [*found, Error(str(error), hint=hint, id="consentkit.E005")]
    except (ConfigurationError, UnknownIdError) as error:
        return [*found, Error(str(error), hint="Fix the setting CONSENTKIT.", id="consentkit.E006")]
    return [
        *found,
        *_check_ledger(manager),
        *_check_origins(manager),
        *_check_cookies(manager.policy),
        *_check_requirements(manager.policy),
    ]


def _check_policy() -> Iterator[CheckMessage]:
    try:
        if isinstance(manager_options()["policy"], Policy):
            return
        report = check_file(policy_path())
    except ConfigurationError as error:
        hint = "Describe the site in the setting CONSENTKIT."
        yield Error(str(error), hint=hint, id="consentkit.E001")
        return
    yield from (_policy_error(problem) for problem in report.problems)
    if report.policy is not None:
        yield from _check_lock(report.policy)


def _policy_error(problem: PolicyProblem) -> CheckMessage:
    key = f"{problem.key}: " if problem.key else ""
    place = problem.file if problem.line is None else f"{problem.file}:{problem.line}"
    return Error(f"{key}{problem.message}", hint=problem.remedy, obj=place, id="consentkit.E002")


def _check_lock(policy: PolicyFile) -> Iterator[CheckMessage]:
    hint = "Run `manage.py consent lock`, and commit the file."
    if not policy.lock.notices:
        message = "There is no consent.lock, so decisions under this policy are lost when it changes."
        yield Warning(message, hint=hint, id="consentkit.W003")
    elif not policy.locked:
        message = "The policy has changed since consent.lock was written."
        yield Warning(message, hint=hint, id="consentkit.W004")


def _check_middleware() -> Iterator[CheckMessage]:
    order = middleware_order()
    if order is None:
        message = "The consent's middleware is missing, so nobody is asked and every cookie is set."
        hint = f"Add {CONSENT!r} to MIDDLEWARE, after SecurityMiddleware and before SessionMiddleware."
        yield Error(message, hint=hint, id="consentkit.E010")
        return
    for name in order.sets_cookies_outside:
        message = f"{name} sets cookies without regard to consent, because it comes before {CONSENT}."
        yield Error(message, hint=f"Move {name} behind it.", id="consentkit.E011")
    for name in order.sets_policies_outside:
        message = f"{name} comes before {CONSENT}, so its policy blocks vendors that visitors allowed."
        yield Warning(message, hint=f"Move {name} behind it.", id="consentkit.W012")
    for name in order.compresses_inside:
        message = f"{name} comes after {CONSENT}, so pages are not compressed at all."
        yield Warning(message, hint=f"Move {name} in front of it.", id="consentkit.W013")
    for name in order.caches_inside:
        message = f"{name} comes after {CONSENT}, so it keeps what a view shows one visitor for all others."
        yield Error(message, hint=f"Move {name} in front of it.", id="consentkit.E017")
    if order.redirects_outside:
        message = f"CommonMiddleware comes before {CONSENT}, so a URL pattern that matches everything takes its addresses."
        yield Warning(message, hint="Move CommonMiddleware behind it.", id="consentkit.W014")


def _check_ledger(manager: ConsentManager) -> Iterator[CheckMessage]:
    if manager.ledger is None:
        message = "There is no ledger, so no consent can be proved to an authority."
        hint = "Set CONSENTKIT['ledger'] to a URL, or to {'database': 'default'}."
        yield Warning(message, hint=hint, id="consentkit.W007")


def _check_origins(manager: ConsentManager) -> Iterator[CheckMessage]:
    site, origins = manager.site, manager.origins[manager.site]
    is_local = any(origin.startswith(_LOCAL) for origin in origins)
    if settings.DEBUG and not is_local:
        message = f"DEBUG is on, but the site is at {origins[0]}, so no choice can be made on this machine."
        hint = f"During development, set CONSENTKIT['origins'] = {{{site!r}: 'http://localhost:8000'}}."
        yield Warning(message, hint=hint, id="consentkit.W015")
    if is_local and not settings.DEBUG:
        message = f"DEBUG is off, but the site is at {origins[0]}, so visitors elsewhere can make no choice."
        yield Warning(message, hint="Remove CONSENTKIT['origins'].", id="consentkit.W016")


def _check_cookies(policy: Policy) -> Iterator[CheckMessage]:
    gate = CookieGate(policy, own_names=frozenset())
    cookies = {
        settings.SESSION_COOKIE_NAME: _SESSION in settings.MIDDLEWARE,
        settings.CSRF_COOKIE_NAME: _CSRF in settings.MIDDLEWARE and not settings.CSRF_USE_SESSIONS,
    }
    for name, is_set in cookies.items():
        if is_set and gate.classify(name) is None:
            message = f"Django sets the cookie {name!r}, but the policy does not declare it."
            hint = f'Declare it: [[trackers]] with name = "{name}", kind = "cookie" and a required category.'
            yield Warning(message, hint=hint, id="consentkit.W020")


def _check_requirements(policy: Policy) -> Iterator[CheckMessage]:
    if getattr(settings, "ROOT_URLCONF", None):
        # Views are known once the URLs are.
        _ = get_resolver().url_patterns
    vendors = {vendor.id: vendor.category for vendor in policy.vendors}
    for view, category, vendor in dict.fromkeys(requirements):
        try:
            policy.category(category)
            if vendor is not None:
                policy.vendor(vendor)
        except UnknownIdError as error:
            yield Error(f"{view} needs consent: {error}", hint="Correct the id.", id="consentkit.E021")
            continue
        if vendor is not None and vendors[vendor] != category:
            message = f"{view} needs consent: vendor {vendor!r} belongs to category {vendors[vendor]!r}, not {category!r}."
            yield Error(message, hint="Correct the category.", id="consentkit.E021")
