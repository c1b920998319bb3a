"""Requirements that concern several modules, each checked from outside."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import html5lib
import pytest

from consentkit import ConsentManager, Policy, Record
from consentkit.config.policy_file import check_file
from consentkit.testing import grant
from consentkit.ui.pages import Pages, View
from tests.conftest import Clock
from tests.support.servers import free_port, serving
from tests.support.sites import managing, site
from tests.support.told import EXAMPLE, policy_of, rows

if TYPE_CHECKING:
    from playwright.sync_api import Page

MODULES = (Path(__file__).parents[2] / "consentkit/ui/script").glob("*.js")
SCRIPT = "".join(path.read_text("utf-8") for path in MODULES)
XHTML = "{http://www.w3.org/1999/xhtml}"


def client_of(manager: ConsentManager) -> Any:
    from starlette.testclient import TestClient

    return TestClient(site(manager), base_url="https://stride.example", follow_redirects=False)


@pytest.mark.parametrize(
    ("name", "key", "because"),
    [
        ("exempt_and_profiling", "vendors[0].profiling", "build no profiles"),  # LB-05
        ("exempt_on_other_sites", "trackers[1].third_party", "own domain"),  # LB-05
        ("exempt_for_too_long", "categories[1].retention", "25 months"),  # LB-05
        ("exempt_under_another_law", "categories[1].exempt", "is known for DE"),  # LB-05
        ("tracker_without_necessity", "trackers[0].necessity", "strictly necessary"),  # LB-06
        ("tracker_legitimate_interest", "trackers[1].legal_basis", "is not a legal basis"),  # LB-07
        (
            "category_combines_without_consent",
            "categories[0].combines_across_sites",
            "only with consent",
        ),  # LB-08
        ("exempt_and_combined", "categories[1].combines_across_sites", "only with consent"),  # LB-08
        ("controller_name_empty", "controller.name", "empty"),  # UI-05
        ("tracker_lifetime_missing", "trackers[1].lifetime", "Missing key"),  # IN-01
        ("tracker_of_an_unnamed_third_party", "trackers[1].third_party", "has no vendor"),  # IN-02
        ("vendor_policy_missing", "vendors[0].policy_url", "Missing key"),  # IN-03
        ("vendor_profiling_missing", "vendors[0].profiling", ""),  # IN-04
        ("authority_missing", "controller.authority", "Missing key"),  # IN-05
        ("transfer_without_a_safeguard", "vendors[0].safeguard", "needs a safeguard"),  # TR-02
        ("transfer_safeguard_unknown", "vendors[0].safeguard", "Unknown value"),  # TR-02
        ("adequacy_of_no_country", "vendors[0].safeguard", "no adequacy decision for IN"),  # TR-03
        ("adequacy_without_certification", "vendors[0].dpf_certified", "Data Privacy Framework"),  # TR-04
        ("adequacy_without_commerce", "vendors[0].commercial_org", "PIPEDA"),  # TR-04
        ("transfer_clauses_without_a_copy", "vendors[0].safeguard_copy", "a copy"),  # TR-05
        ("transfer_on_explicit_consent", "vendors[0].safeguard", "49(1)(a)"),  # TR-06
        ("validity_by_answer", "validity_refused", "as long as a grant"),  # VA-03
        ("validity_too_long", "validity", "13 months"),  # VA-06
        ("controllers_differ", "sites[1].controller", "cannot cover"),  # XS-04
        ("jurisdiction_missing", "jurisdiction", "Missing key"),  # JU-01
    ],
)
def test_policy_that_breaks_the_law_is_refused(name: str, key: str, because: str) -> None:
    path = Path(__file__).parents[1] / "faulty_policies" / f"{name}.toml"
    problems = check_file(path, today=date(2026, 11, 22)).problems
    assert any(one.key == key and because in one.message for one in problems)


# JU-01, LB-03
@pytest.mark.parametrize("jurisdiction", ["NL", "GB", "US", "JP"])
def test_nothing_is_on_before_the_answer_in_any_jurisdiction(jurisdiction: str, clock: Clock) -> None:
    there = Policy.model_validate(EXAMPLE | {"jurisdiction": jurisdiction})
    with managing(there, ledger="sqlite://", clock=clock) as manager:
        client = client_of(manager)
        for headers in ({}, {"Accept-Language": "en-US"}, {"X-Country": "US", "CF-IPCountry": "US"}):
            told = client.get("/consent/decision", headers=headers).json()
            assert {category for category, on in told["categories"].items() if on} == {"functional"}
            assert not any(told["vendors"].values())
            assert told["needs_asking"]


# AX-09
def test_no_page_counts_down(policy: Policy, clock: Clock) -> None:
    with managing(policy, ledger="sqlite://", clock=clock) as manager:
        pages = Pages(policy, manager.notice, site="stride")
        view = View(language="en", consent=manager.evaluator.undecided())
        html = "".join(getattr(pages, page)(view) for page in ("banner", "settings", "preferences", "policy"))
    assert not re.search(r"http-equiv|autofocus|\son\w+=", html)
    assert "setInterval" not in SCRIPT
    # Timeouts only yield to the browser, or reload a page that was loaded before a decision.
    assert all("loadAgain" in one or "resolve" in one for one in re.findall(r"setTimeout\(.*", SCRIPT))


# WD-04
def test_listener_is_called_once_after_the_withdrawal_is_recorded(
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


# IN-07
@pytest.mark.parametrize(
    ("asked", "language"), [("nl, en;q=0.5", "nl"), ("en-GB, nl;q=0.5", "en"), ("fr", "en")]
)
def test_banner_page_and_record_agree_on_the_language(
    asked: str, language: str, policy: Policy, ledger_url: str, clock: Clock
) -> None:
    with managing(policy, ledger=ledger_url, clock=clock) as manager:
        client = client_of(manager)
        headers = {"Accept-Language": asked}
        for path, where in (("/", "section[@id='cookie-consent']"), ("/consent", "body")):
            root = html5lib.parse(client.get(path, headers=headers).text, namespaceHTMLElements=False)
            part = root.find(f".//{where}")
            assert part.get("lang", root.get("lang")) == language
            fields = {
                one.get("name"): one.get("value") for one in part.iterfind(".//form//input[@type='hidden']")
            }
            answer = client.post("/consent/decision", data=fields | {"choice": "reject_all"}, headers=headers)
            assert answer.status_code == 303
            clock.advance(days=1)
        assert manager.ledger is not None
        assert [one.language for one in manager.ledger.records()] == [language] * 2


# CK-03
def test_server_sets_the_cookie_and_no_script_sets_one(policy: Policy, ledger_url: str, clock: Clock) -> None:
    with managing(policy, ledger=ledger_url, clock=clock) as manager:
        answer = client_of(manager).post("/consent/decision", json={"choice": "accept_all"})
        assert answer.headers.get_list("set-cookie")[0].startswith("__Host-consent=")
    written = re.findall(r"document\.cookie\s*=(?!=)\s*([^;]*;[^;]*)", SCRIPT)
    # The other one tells the next page what to confirm.
    allowed = r"`\$\{(?:name\}=; Max-Age=0|COOKIE\}=\$\{outcome\}; Path=/)"
    assert written and all(re.match(allowed, one) for one in written)


# AX-07
@pytest.mark.parametrize("language", ["en", "nl"])
@pytest.mark.parametrize("page", ["banner", "settings", "preferences", "policy", "sites"])
def test_accessible_name_contains_the_visible_label(
    page: str, language: str, policy: Policy, clock: Clock
) -> None:
    with managing(policy, ledger="sqlite://", clock=clock) as manager:
        pages = Pages(policy, manager.notice, site="stride")
        html = getattr(pages, page)(View(language=language, consent=manager.evaluator.undecided()))
    tree = html5lib.parse(html)
    seen = 0
    for element in tree.iter():
        if element.tag in {f"{XHTML}{tag}" for tag in ("a", "button", "summary", "label")}:
            seen += 1
            written = " ".join("".join(element.itertext()).split())
            assert written
            assert written in element.get("aria-label", written)
    assert seen


ALWAYS = {"functionality_storage", "security_storage"}
SIGNALS = {
    "analytical": {"analytics_storage"},
    "tracking": {"ad_storage", "ad_user_data", "ad_personalization", "personalization_storage"},
    "social": set[str](),
}
LAST_UPDATE = "[...dataLayer].findLast(entry => entry[0] == 'consent' && entry[1] == 'update')[2]"


@contextmanager
def shown_in(page: "Page", policy: Policy) -> Iterator[None]:
    port = free_port()
    origin = f"http://localhost:{port}"
    with (
        managing(policy, ledger="sqlite://", origins={"stride": origin}) as manager,
        serving(site(manager), port=port),
    ):
        page.goto(origin)
        yield


# GC-03, GC-04
def test_each_signal_follows_its_category_and_social_grants_none(policy: Policy, page: "Page") -> None:
    with shown_in(page, policy):
        for answers in product([True, False], repeat=3):
            categories = dict(zip(SIGNALS, answers, strict=True))
            page.evaluate("categories => consentkit.decide({ categories })", categories)
            told = page.evaluate(LAST_UPDATE)
            granted = ALWAYS.union(*(SIGNALS[category] for category, on in categories.items() if on))
            assert set(told) == ALWAYS.union(*SIGNALS.values())
            assert {signal for signal, value in told.items() if value == "granted"} == granted


# GC-04
def test_advertising_is_granted_only_with_every_vendor_that_uses_the_signals(page: "Page") -> None:
    adhub = rows("vendors", adhub={"signal": "google-consent-mode"})[-1]
    policy = policy_of(vendors=[*EXAMPLE["vendors"][:-1], adhub, adhub | {"id": "other"}])
    with shown_in(page, policy):
        for other in (True, False):
            answers = {"categories": {"tracking": True}, "vendors": {"other": other}}
            page.evaluate("answers => consentkit.decide(answers)", answers)
            assert page.evaluate(LAST_UPDATE)["ad_storage"] == ("granted" if other else "denied")
