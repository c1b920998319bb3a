"""System checks, by their ids."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.http import HttpResponse
from django.urls import path
from django.views import View

from consentkit.config import load_policy, write_lock
from consentkit.django import ConsentMiddleware, ConsentRequiredMixin, requires_consent
from consentkit.django.views import requirements
from consentkit.notices import add_notices_to_lock
from tests.support.django_site import CONSENT, EVERY_MIDDLEWARE, DjangoSite
from tests.support.policies import TEXT

SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
COMMON = "django.middleware.common.CommonMiddleware"
CACHE = "django.middleware.cache.UpdateCacheMiddleware"
GZIP = "django.middleware.gzip.GZipMiddleware"
CSP = "csp.middleware.CSPMiddleware"


class OwnMiddleware(ConsentMiddleware):
    pass


@pytest.fixture(autouse=True)
def no_views() -> Iterator[None]:
    """What the views of other tests need is no concern of these."""
    of_others = requirements.copy()
    requirements.clear()
    yield
    requirements[:] = of_others


def messages() -> list[Any]:
    return list(run_checks(tags=["consentkit"]))


def ids() -> list[str]:
    return [message.id.removeprefix("consentkit.") for message in messages()]


def test_site_that_is_right_has_no_message(site: DjangoSite) -> None:
    assert messages() == []


@pytest.mark.parametrize(
    ("middleware", "expected"),
    [
        ([], ["E010"]),
        ([SESSIONS], ["E010", "W020"]),
        ([SESSIONS, CONSENT], ["E011", "W020"]),
        ([GZIP, CONSENT], []),
        ([CONSENT, GZIP], ["W013"]),
        ([CSP, CONSENT], ["W012"]),
        ([CONSENT, CSP], []),
        ([COMMON, CONSENT], ["W014"]),
        ([CACHE, CONSENT], []),
        ([CONSENT, CACHE], ["E017"]),
        ([f"{__name__}.OwnMiddleware", GZIP], ["W013"]),
        (EVERY_MIDDLEWARE, ["W020", "W020"]),
    ],
    ids=lambda value: " ".join(name.rpartition(".")[2] for name in value),
)
def test_order_of_middleware_is_checked(site: DjangoSite, middleware: list[str], expected: list[str]) -> None:
    site.changes.MIDDLEWARE = middleware
    assert ids() == expected


def test_cookies_of_django_have_to_be_declared(site: DjangoSite) -> None:
    site.changes.MIDDLEWARE = EVERY_MIDDLEWARE
    assert [message.msg.split("'")[1] for message in messages()] == ["sessionid", "csrftoken"]
    site.changes.SESSION_COOKIE_NAME = "session"
    site.changes.CSRF_USE_SESSIONS = True
    assert messages() == []


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (None, ["E001"]),
        ({"policy": 7, "ledger": None}, ["E001"]),
        ({"policy": "missing.toml", "ledger": None}, ["E002"]),
        ({"policy": "consent.toml", "ledger": "sqlite://"}, ["W003"]),
        ({"policy": "consent.toml", "ledger": "sqlite://", "site": "other"}, ["W003", "E006"]),
        ({"policy": "consent.toml", "ledger": "sqlite://", "csp": "script-src self"}, ["W003", "E006"]),
        ({"policy": "consent.toml", "ledger": "sqlite://", "secret_key": "short"}, ["W003", "E005"]),
    ],
)
def test_setting_and_policy_are_checked(
    site: DjangoSite, tmp_path: Path, setting: Any, expected: list[str]
) -> None:
    (tmp_path / "consent.toml").write_text(TEXT)
    site.changes.BASE_DIR = tmp_path
    site.changes.CONSENTKIT = setting
    assert ids() == expected


def test_problem_of_the_policy_has_its_place_and_remedy(site: DjangoSite, tmp_path: Path) -> None:
    (tmp_path / "consent.toml").write_text(TEXT.replace('country = "NL"', 'country = "XX"', 1))
    site.changes.BASE_DIR = tmp_path
    site.changes.CONSENTKIT = {"ledger": None}
    [message] = messages()
    assert message.msg.startswith("controller.country: ")
    assert message.hint
    assert message.obj.startswith(str(tmp_path / "consent.toml:"))


def test_policy_that_changed_since_it_was_locked_is_a_warning(site: DjangoSite, tmp_path: Path) -> None:
    policy_file = tmp_path / "consent.toml"
    policy_file.write_text(TEXT)
    policy = load_policy(policy_file)
    write_lock(tmp_path / "consent.lock", add_notices_to_lock(policy, policy.lock, date(2026, 8, 31))[0])
    site.changes.BASE_DIR = tmp_path
    site.changes.CONSENTKIT = {"ledger": "sqlite://"}
    assert ids() == []
    policy_file.write_text(TEXT.replace("To count visits.", "To count visits and clicks."))
    assert ids() == ["W004"]


def test_site_without_a_ledger_proves_nothing(site: DjangoSite) -> None:
    site.configure(ledger=None)
    with pytest.warns(UserWarning, match="has no ledger"):
        assert ids() == ["W007"]


def test_origin_fits_the_machine(site: DjangoSite) -> None:
    site.changes.DEBUG = True
    assert ids() == ["W015"]
    site.configure(origins={"stride": "http://localhost:8000"})
    assert ids() == []
    site.changes.DEBUG = False
    assert ids() == ["W016"]


def test_ids_that_views_need_are_in_the_policy(site: DjangoSite) -> None:
    def view(request: Any) -> HttpResponse:
        return HttpResponse()

    class Known(ConsentRequiredMixin, View):
        consent_category, consent_vendor = "social", "youtube"

    requires_consent("social")(view)
    assert ids() == []
    requires_consent("socail")(view)
    requires_consent("social", vendor="yotube")(view)
    requires_consent("social", vendor="adhub")(view)
    site.client(path("known", Known.as_view()))
    found = messages()
    assert [message.id for message in found] == ["consentkit.E021"] * 3
    assert "The policy has no category 'socail'" in found[0].msg
    assert "The policy has no vendor 'yotube'" in found[1].msg
    assert "vendor 'adhub' belongs to category 'tracking', not 'social'" in found[2].msg
    site.changes.ROOT_URLCONF = None
    assert len(messages()) == 3
