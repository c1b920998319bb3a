import inspect
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from consentkit.policy import checks
from consentkit.policy.findings import Finding
from consentkit.policy.policy import Policy
from consentkit.policy.transfers import TransferData
from tests.support.policies import GROUP, SECOND_SITE, Change, add, data, drop, policy, put

TODAY = date(2026, 11, 30)
KEY, OTHER_KEY = "A" * 43, "E" * 43
NO_OFFICER = drop("controller", "dpo")
EXEMPT = put("categories", 1, exempt=True, retention="P25M")
PROCESSOR = put("vendors", 0, role="processor", retention="P25M")
PHONE_BOOK = {"country": "US", "safeguard": "adequacy", "dpf_certified": True}


def findings(*changes: Change, today: date = TODAY) -> list[Finding]:
    return checks.run_checks(policy(*changes), today=today)


def messages(*changes: Change, today: date = TODAY) -> list[str]:
    """Return the findings about a policy as `warning: path: message`."""
    return [
        f"{'warning' if finding.warning else 'problem'}: {'.'.join(map(str, finding.path))}: {finding.message}"
        for finding in findings(*changes, today=today)
    ]


def test_a_lawful_policy_has_no_findings() -> None:
    assert messages() == []
    assert messages(GROUP, SECOND_SITE) == []


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        # VA-06, VA-03
        ([put(validity="P7M")], "validity", "six months"),
        ([put(validity="P13M")], "validity", "six months"),
        ([put(validity="P3M")], "validity", "less than six months"),
        # RC-09
        ([put(records_kept="P10Y")], "records_kept", "five years"),
        # JU-01
        ([put(jurisdiction="US")], "jurisdiction", "rules of the EEA"),
        ([put(jurisdiction="GB")], "jurisdiction", "rules of the EEA"),
        # XS-01, XS-04, LB-08
        ([GROUP], "group", "one site"),
        (
            [GROUP, SECOND_SITE, put("group", joint_controllers=True)],
            "group.joint_controllers",
            "same controller",
        ),
        ([GROUP, SECOND_SITE, put("sites", 1, name="STRIDE")], "sites.1.name", "Stride (stride)"),
        ([GROUP, SECOND_SITE, put("sites", 1, public_key=KEY)], "sites.0.public_key", "no key"),
        ([put("sites", 0, origin="http://stride.localhost:8000")], "sites.0.origin", "development"),
        (
            [put("categories", 1, combines_across_sites=True)],
            "categories.1.combines_across_sites",
            "one site",
        ),
        # LB-05
        ([EXEMPT, PROCESSOR, drop("categories", 1, "retention")], "categories.1.retention", "25 months"),
        # LB-06
        ([add("vendors", id="bank", category="functional")], "vendors.1.category", "always on"),
        (
            [
                add("vendors", id="bank", category="functional"),
                add("trackers", name="pay", category="functional", vendor="bank", necessity="security"),
            ],
            "trackers.2.vendor",
            "always on",
        ),
        # SG-02
        (
            [put("vendors", 0, profiling=True), put("categories", 1, honours_gpc=False)],
            "categories.1.honours_gpc",
            "Sec-GPC signal is ignored",
        ),
        # IN-01
        ([add("vendors", id="other")], "vendors.1", "no tracker"),
        ([add("categories", id="empty")], "categories.2", "nothing to agree to"),
        # VA-07, RFC 6265bis
        ([put("trackers", 1, lifetime="P7M")], "trackers.1.lifetime", "outlives the consent"),
        ([put("trackers", 0, lifetime="P2Y")], "trackers.0.lifetime", "400 days"),
        (
            [put("trackers", 1, kind="indexed_db", lifetime="session")],
            "trackers.1.lifetime",
            "outlive the session",
        ),
        ([put("trackers", 1, kind="session_storage")], "trackers.1.lifetime", "end with the tab"),
        # IN-05
        ([drop("controller", "dpo")], "controller.dpo", "13(1)(b)"),
        ([drop("controller", "privacy_policy")], "controller.privacy_policy", "GDPR 13"),
        ([drop("controller", "rights_url")], "controller.rights_url", "13(2)(b)"),
        (
            [GROUP, SECOND_SITE, NO_OFFICER, put("sites", 1, controller=data(NO_OFFICER)["controller"])],
            "sites.1.controller.dpo",
            "13(1)(b)",
        ),
        ([put(rights=["access"])], "rights", "right of objection (GDPR 13(2)(b))"),
        ([put("vendors", 0, role="joint_controller")], "vendors.0.joint_control", "26(2)"),
        (
            [put("vendors", 0, joint_control="https://media.example/joint")],
            "vendors.0.joint_control",
            "no joint controllers",
        ),
        (
            [
                GROUP,
                SECOND_SITE,
                put("group", joint_controllers=True),
                put("sites", 1, controller={**data()["controller"], "name": "Other BV"}),
            ],
            "group.joint_control",
            "26(2)",
        ),
        ([put("vendors", 0, role="processor")], "vendors.0.retention", "13(2)(a)"),
        (
            [drop("categories", 1, "retention"), add("trackers", name="seen")],
            "categories.1.retention",
            "13(2)(a)",
        ),
        (
            [put("categories", 1, description={"en": "Count visits.", "nl": "Om te tellen."})],
            "categories.1.description.en",
            'does not begin with "To "',
        ),
        (
            [put("categories", 0, description={"en": "To work.", "nl": "Laten de site werken."})],
            "categories.0.description.nl",
            'does not begin with "Om "',
        ),
        # TR-01 to TR-04
        ([put("vendors", 0, safeguard="adequacy")], "vendors.0.safeguard", "in the EEA"),
        ([put("vendors", 0, **PHONE_BOOK)], "vendors.0.safeguard", "may be struck down"),
        ([put("vendors", 0, dpf_certified=True)], "vendors.0.dpf_certified", "no effect"),
        (
            [put("vendors", 0, country="CH", safeguard="adequacy", commercial_org=True)],
            "vendors.0.commercial_org",
            "no effect",
        ),
        # HT-05
        (
            [put("vendors", 0, origins={"script": ["https://stride.example"]})],
            "vendors.0.origins.script.0",
            "covers a site",
        ),
        (
            [
                put("vendors", 0, origins={"img": ["https://*.media.example"]}),
                put("sites", 0, origin="https://stride.media.example"),
            ],
            "vendors.0.origins.img.0",
            "covers a site",
        ),
    ],
)
def test_what_is_lawful_but_unwise_is_a_warning(changes: list[Change], path: str, message: str) -> None:
    found = messages(*changes)
    assert any(text.startswith(f"warning: {path}: ") and message in text for text in found), found
    assert not [text for text in found if text.startswith("problem")]


def test_a_policy_that_asks_nothing_is_a_warning() -> None:
    found = messages(drop("categories", 1), drop("vendors"), drop("trackers", 1))
    assert found == ["warning: categories: Every category is required: visitors are asked nothing."]


@pytest.mark.parametrize(
    "changes",
    [
        [put(validity="P180D")],
        [put(validity="P184D")],
        [put("trackers", 1, lifetime="P6M")],
        [put("trackers", 0, lifetime="P13M")],
        [put("trackers", 1, kind="local_storage")],
        [put("trackers", 1, kind="session_storage", lifetime="session")],
        [EXEMPT, PROCESSOR, put("trackers", 1, lifetime="P13M")],
        [EXEMPT, drop("vendors"), drop("trackers", 1, "vendor")],
        [put("vendors", 0, country="IE", safeguard="scc")],
        [put("vendors", 0, country="CH", safeguard="adequacy")],
        [put("vendors", 0, country="CA", safeguard="adequacy", commercial_org=True)],
        [put("vendors", 0, country="SG", safeguard="bcr", safeguard_copy="legal@counter.example")],
        [put("trackers", 1, domain=".stride.example"), put("sites", 0, origin="https://www.stride.example")],
        [put("trackers", 1, third_party=True, domain=".counter.example")],
        [put("trackers", 1, third_party=True, name="consent")],
        [put("trackers", 1, kind="local_storage", name="consent")],
        [add("trackers", name="visits", kind="local_storage")],
        [add("trackers", name="visits", vendor="counter", domain=".stride.example")],
        [add("trackers", name="visits*", vendor="counter")],
        [put("trackers", 1, third_party=True), add("trackers", name="visits")],
        [GROUP, SECOND_SITE, put("categories", 1, combines_across_sites=True)],
        [GROUP, SECOND_SITE, put("sites", 0, public_key=KEY), put("sites", 1, public_key=OTHER_KEY)],
        [GROUP, SECOND_SITE, put("sites", 1, controller=data()["controller"])],
        [put("vendors", 0, origins={"script": ["https://*.counter.example"]})],
    ],
    ids=range(24),
)
def test_a_lawful_variation_has_no_findings(changes: list[Change]) -> None:
    assert messages(*changes) == []


def test_different_controllers_may_have_an_arrangement() -> None:
    # XS-04
    other = data()["controller"] | {"name": "Other BV"}
    group = put("group", joint_controllers=True, joint_control="https://media.example/joint")
    assert messages(GROUP, SECOND_SITE, group, put("sites", 1, controller=other)) == []


def test_different_controllers_without_an_arrangement_are_refused() -> None:
    # XS-04
    other = data()["controller"] | {"name": "Other BV"}
    (found,) = messages(GROUP, SECOND_SITE, put("sites", 1, controller=other))
    assert found.startswith("problem: sites.1.controller: The site has another controller")


@pytest.mark.parametrize(
    ("country", "today", "message"),
    [
        # TR-03
        ("BR", date(2026, 1, 25), "begins on 2026-01-26"),
        ("BR", date(2026, 1, 26), None),
        ("GB", date(2031, 12, 28), "ended on 2031-12-27"),
        ("GB", date(2026, 11, 22), None),
        ("IN", date(2026, 11, 22), "There is no adequacy decision for IN"),
    ],
)
def test_an_adequacy_decision_must_be_in_force_today(country: str, today: date, message: str | None) -> None:
    found = [
        text
        for text in messages(put("vendors", 0, country=country, safeguard="adequacy"), today=today)
        if text.startswith("problem")
    ]
    assert [message in text for text in found] == ([True] if message else [])


def test_an_adequacy_decision_that_ends_before_the_consent_is_a_warning() -> None:
    # TR-03
    found = messages(put("vendors", 0, country="GB", safeguard="adequacy"), today=date(2031, 8, 1))
    assert any("ends on 2031-12-27, before consent given today does" in text for text in found)
    without_warning = messages(put("vendors", 0, country="GB", safeguard="adequacy"), today=date(2031, 6, 27))
    assert not any("before consent" in text for text in without_warning)


@pytest.mark.parametrize(
    ("today", "message"),
    [
        # TR-07
        (date(2026, 11, 21), "in the future"),
        (date(2026, 11, 22), None),
        (date(2027, 11, 22), None),
        (date(2027, 11, 23), "more than 12 months ago"),
    ],
)
def test_an_old_list_of_decisions_is_a_warning(today: date, message: str | None) -> None:
    found = [text for text in messages(today=today) if "list of adequacy" in text]
    assert [message in text for text in found] == ([True] if message else [])
    assert all(text.startswith("warning: adequacy_file: ") for text in found)


def test_another_list_of_decisions_decides() -> None:
    transfer_data = TransferData.model_validate({"as_of": TODAY, "eea": ["NL"], "decisions": []})
    declared = Policy.from_data(data(put("vendors", 0, country="DE")), transfer_data=transfer_data)
    (finding,) = checks.run_checks(declared, today=TODAY)
    assert "DE is outside the EEA" in finding.message


@pytest.mark.parametrize("suffix", ["", "-state", "-tx", "-from"])
@pytest.mark.parametrize("prefix", ["__Host-", "__Secure-", ""])
def test_a_cookie_of_this_library_cannot_be_declared(prefix: str, suffix: str) -> None:
    # LB-09
    name = f"{prefix}consent{suffix}"
    (problem,) = [finding for finding in findings(add("trackers", name=name)) if not finding.warning]
    assert problem.path == ("trackers", 2, "name") and name in problem.message


def many_vendors(count: int, letters: int) -> Policy:
    rows = [
        data()["vendors"][0] | {"id": f"v{number:0{letters - 1}}", "name": f"Vendor {number}"}
        for number in range(count)
    ]
    return policy(put(vendors=rows), drop("trackers", 1))


@pytest.mark.parametrize(("letters", "fits"), [(4, True), (10, False)])
def test_a_decision_about_500_vendors_is_accepted_where_it_fits_a_cookie(letters: int, fits: bool) -> None:
    # CK-01
    problems = [
        finding
        for finding in checks.run_checks(many_vendors(500, letters), today=TODAY)
        if not finding.warning
    ]
    assert [finding.path for finding in problems] == ([] if fits else [("vendors",)])


def test_too_many_categories_for_a_cookie_are_refused() -> None:
    # CK-01
    functional, analytical = data()["categories"]
    rows = [functional, *(analytical | {"id": f"category-{number:050}"} for number in range(100))]
    problems = [
        finding
        for finding in findings(put(categories=rows), drop("vendors"), drop("trackers"))
        if not finding.warning
    ]
    assert [finding.path for finding in problems] == [("categories",)]


def test_an_invalid_retention_of_an_exempt_category_has_no_other_finding() -> None:
    invalid = policy(EXEMPT, PROCESSOR, drop("categories", 1, "retention"))
    assert (
        checks.run_checks(invalid, today=TODAY, placeholder_paths=frozenset({("categories", 1, "retention")}))
        == []
    )


def test_placeholders_cause_no_findings() -> None:
    invalid = policy(
        put(validity="P14M", jurisdiction="US", records_kept="P10Y", languages=["fr"]),
        put("vendors", 0, country="US", category="nowhere"),
        put("trackers", 0, category="nowhere", domain=".other.example"),
        GROUP,
    )
    placeholders: frozenset[tuple[Any, ...]] = frozenset(
        {("validity",), ("jurisdiction",), ("records_kept",), ("languages",), ("group",), ("vendors", 0)}
        | {("trackers", 0), ("trackers", 1, "vendor"), ("controller",)}
    )
    assert [finding.path for finding in checks.run_checks(invalid, today=TODAY) if not finding.warning] != []
    assert [
        finding.path
        for finding in checks.run_checks(invalid, today=TODAY, placeholder_paths=placeholders)
        if not finding.warning
    ] == []


@pytest.mark.parametrize("section", ["sites", "categories", "vendors", "trackers"])
def test_a_section_of_placeholders_causes_no_other_problem(section: str) -> None:
    rows = {"sites": data()["sites"], "categories": [data()["categories"][0]]}
    changes = [put(**{section: rows.get(section, [])})]
    if section != "trackers":
        changes.append(put("trackers", 0, domain=".stride.example"))
    found = checks.run_checks(policy(*changes), today=TODAY, placeholder_paths=frozenset({(section,)}))
    assert [finding for finding in found if not finding.warning] == []


@pytest.mark.parametrize(
    "change",
    [
        drop("controller", "name"),
        drop("controller", "address"),
        drop("controller", "email"),
        drop("controller", "dpo"),
        drop("controller", "privacy_policy"),
        drop("controller", "rights_url"),
        drop("controller", "authority"),
        drop("categories", 1, "description"),
        drop("categories", 1, "retention"),
        drop("trackers", 1, "purpose"),
        drop("trackers", 1, "lifetime"),
        drop("trackers", 1, "vendor"),
        drop("vendors", 0, "country"),
        drop("vendors", 0, "safeguard"),
        drop("vendors", 0, "safeguard_copy"),
        drop("vendors", 0, "profiling"),
        drop("vendors", 0, "policy_url"),
        drop("vendors", 0, "joint_control"),
        drop("records_kept"),
        *(drop("rights", number) for number in range(6)),
    ],
    ids=lambda change: "-".join(map(str, inspect.getclosurevars(change).nonlocals["path"])),
)
def test_every_item_of_article_13_is_missed_when_it_is_removed(change: Change) -> None:  # IN-05
    complete = [
        put("vendors", 0, country="SG", safeguard="scc", safeguard_copy="legal@counter.example"),
        put("vendors", 0, role="joint_controller", joint_control="https://media.example/joint"),
        put(rights=["access", "rectification", "erasure", "restriction", "portability", "objection"]),
        add("trackers", name="seen"),
    ]
    assert messages(*complete) == []
    try:
        found: list[object] = list(findings(*complete, change))
    except ValidationError as error:
        found = list(error.errors())
    assert found


def test_a_ground_for_what_visitors_are_asked_about_is_refused() -> None:  # LB-07
    (found,) = messages(put("categories", 1, gdpr_basis="legitimate_interests"))
    assert found.startswith("problem: categories.1.gdpr_basis: ")
    assert messages(put("categories", 0, gdpr_basis="contract")) == []
    assert messages(EXEMPT, PROCESSOR, put("categories", 1, gdpr_basis="contract")) == []


def test_a_long_lived_item_of_a_third_party_is_to_be_explained() -> None:  # VA-07
    for name, vendor, remedy in (
        ("a", {}, "Shorten its lifetime."),
        ("b", {"vendor": "counter"}, "Ask the vendor"),
    ):
        (found,) = findings(add("trackers", name=name, lifetime="P7M", **vendor))
        assert found.warning and found.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("controller.privacy_policy", [put("controller", privacy_policy={"en": "https://media.example/p"})]),
        (
            "vendors.0.joint_control",
            [put("vendors", 0, role="joint_controller", joint_control={"en": "Ask us."})],
        ),
        (
            "sites.1.controller.privacy_policy",
            [
                GROUP,
                SECOND_SITE,
                put("group", joint_controllers=True, joint_control="https://media.example/joint"),
                put(
                    "sites",
                    1,
                    controller=data(
                        put("controller", name="Other BV", privacy_policy={"en": "https://o.example"})
                    )["controller"],
                ),
            ],
        ),
    ],
)
def test_an_address_or_text_by_language_has_every_language(path: str, changes: list[Change]) -> None:
    assert messages(*changes) == [f"problem: {path}: The text is missing in: nl."]
