"""Requirements that cut across modules, each held from outside."""

import re
from pathlib import Path
from typing import Any

import html5lib
import pytest

from consentkit import ConsentManager, Policy, Record
from consentkit.pages import Pages, View
from consentkit.signals import google_signals
from consentkit.testing import grant
from tests.conftest import Clock
from tests.sites import managing, site
from tests.told import EXAMPLE

SCRIPT = (Path(__file__).parent.parent / "consentkit/static/consent.js").read_text("utf-8")
XHTML = "{http://www.w3.org/1999/xhtml}"


def client_of(manager: ConsentManager) -> Any:
    from starlette.testclient import TestClient

    return TestClient(site(manager), base_url="https://stride.example", follow_redirects=False)


# WD-04
def test_who_passes_withdrawals_on_is_told_once_and_after_the_record_is_kept(
    policy: Policy, ledger_url: str, clock: Clock
) -> None:
    told: list[tuple[str, str, list[str]]] = []
    with managing(policy, ledger=ledger_url, clock=clock) as manager:
        client = client_of(manager)
        reference = grant(client, manager, "analytical", "social").record

        @manager.on_change
        def pass_on(record: Record) -> None:
            kept = (
                [one.event for one in manager.ledger.history(record.subject or "")] if manager.ledger else []
            )
            told.append((record.subject or "", record.event, kept))

        assert client.delete("/consent/decision").status_code == 200
        assert reference is not None
        assert told == [(reference.subject, "withdrawn", ["given", "withdrawn"])]


# CK-03
def test_the_server_sets_the_cookie_and_no_script_sets_any(
    policy: Policy, ledger_url: str, clock: Clock
) -> None:
    with managing(policy, ledger=ledger_url, clock=clock) as manager:
        answer = client_of(manager).post("/consent/decision", json={"choice": "accept_all"})
        assert answer.headers.get_list("set-cookie")[0].startswith("__Host-consent=")
    written = re.findall(r"document\.cookie\s*=(?!=)\s*([^;]*;[^;]*)", SCRIPT)
    assert written and all(re.match(r"`\$\{name\}=; Max-Age=0", one) for one in written)


# AX-07
@pytest.mark.parametrize("language", ["en", "nl"])
@pytest.mark.parametrize("page", ["banner", "settings", "preferences", "policy", "sites"])
def test_what_an_element_is_called_holds_what_is_written_on_it(
    page: str, language: str, policy: Policy, clock: Clock
) -> None:
    with managing(policy, ledger="sqlite://", clock=clock) as manager:
        pages = Pages(policy, manager.notice, site="stride")
        html = getattr(pages, page)(View(language=language, consent=manager.terms.undecided()))
    tree = html5lib.parse(html)
    seen = 0
    for element in tree.iter():
        if element.tag in {f"{XHTML}{tag}" for tag in ("a", "button", "summary", "label")}:
            seen += 1
            written = " ".join("".join(element.itertext()).split())
            assert written
            assert written in element.get("aria-label", written)
    assert seen


ANALYTICS = {"analytics_storage"}
ADVERTISING = {"ad_storage", "ad_user_data", "ad_personalization", "personalization_storage"}
ALWAYS = {"functionality_storage", "security_storage"}


# GC-04
@pytest.mark.parametrize("analytical", [False, True])
@pytest.mark.parametrize("tracking", [False, True])
@pytest.mark.parametrize("social", [False, True])
def test_each_signal_follows_its_category_and_social_gives_none(
    analytical: bool, tracking: bool, social: bool
) -> None:
    on = {"functional": True, "analytical": analytical, "tracking": tracking, "social": social}
    policy = Policy.model_validate(EXAMPLE)
    told = google_signals(policy, lambda category, vendor: on[category])
    granted = {signal for signal, word in told.items() if word == "granted"}
    assert set(told) == ANALYTICS | ADVERTISING | ALWAYS
    assert granted == ALWAYS | (ANALYTICS if analytical else set()) | (ADVERTISING if tracking else set())
