from datetime import date
from typing import Any

import pytest

from consentkit.policy import Policy, checks
from consentkit.policy.findings import Finding, KeyPath
from tests.support.policies import Change, add, data, drop, put
from tests.support.regimes import LIST, OPT_OUT, policy_with_regimes, regime, regime_data

TODAY = date(2026, 11, 30)
EVIDENCE = {"file": "audience.pdf", "date": date(2026, 10, 1)}
EXEMPT = put("categories", 1, exempt=True, retention="P24M")
PROCESSOR = put("vendors", 0, role="processor", retention="P24M")
PROFILER = put("vendors", 0, profiling=True)


def found_in(
    declared: Policy, today: date = TODAY, placeholders: frozenset[KeyPath] = frozenset()
) -> list[str]:
    return [
        f"{'warning' if finding.warning else 'problem'}: {'.'.join(map(str, finding.path))}: {finding.message}"
        for finding in checks.run_checks(declared, today=today, placeholder_paths=placeholders)
    ]


def findings(*changes: Change, **regimes: Any) -> list[Finding]:
    return checks.run_checks(policy_with_regimes(*changes, **regimes), today=TODAY)


def category(**keys: Any) -> Change:
    return put("categories", 1, **keys)


@pytest.mark.parametrize(
    ("changes", "regimes"),
    [
        ([], {}),
        ([], {"eea": True, "gb": True, "us": "opt_out"}),
        ([], {"us": "opt_in"}),
        # LB-05: at home
        ([EXEMPT, PROCESSOR], {}),
        ([EXEMPT, PROCESSOR], {"gb": True}),
        ([EXEMPT, PROCESSOR, category(exemption_evidence=EVIDENCE)], {"eea": True}),
        ([EXEMPT, PROCESSOR, category(exemption_evidence=EVIDENCE), put(jurisdiction="FR")], {}),
        # JU-02
        ([category(statistics=True), PROCESSOR], {"gb": True}),
        ([category(appearance=True)], {"gb": True}),
        ([EXEMPT, PROCESSOR, category(statistics=True)], {"gb": True}),
        ([category(statistics=False, appearance=False)], {}),
        ([category(sale_or_share=True), PROFILER], {"us": True}),
        ([category(sale_or_share=False), PROFILER, PROCESSOR], {"us": True}),
        ([put(jurisdiction="FR", validity="P180D")], {}),
    ],
)
def test_a_lawful_policy_has_no_findings(changes: list[Change], regimes: dict[str, Any]) -> None:
    assert found_in(policy_with_regimes(*changes, **regimes)) == []


@pytest.mark.parametrize(
    ("changes", "regimes", "path", "message", "remedy"),
    [
        # LB-05: no place of the policy exempts analytics, or not the place whose rules are the policy's own.
        (
            [EXEMPT, PROCESSOR, put(jurisdiction="DE")],
            {},
            "categories.1.exempt",
            "known for DE.",
            "visitors are asked",
        ),
        (
            [EXEMPT, PROCESSOR, put(jurisdiction="IE")],
            {"us": True},
            "categories.1.exempt",
            "for IE.",
            "Remove",
        ),
        (
            [EXEMPT, PROCESSOR, category(exemption_evidence=EVIDENCE), put(jurisdiction="DE")],
            {"eea": True},
            "categories.1.exempt",
            "It holds in fr, nl, but visitors under your own rules",
            "Remove",
        ),
        (
            [EXEMPT, PROCESSOR, put(jurisdiction="DE")],
            {"gb": True},
            "categories.1.exempt",
            "It holds in gb",
            "statistics = true",
        ),
        # The shortest retention of all places that exempt.
        (
            [EXEMPT, PROCESSOR, category(retention="P25M", exemption_evidence=EVIDENCE)],
            {"eea": True},
            "categories.1.retention",
            "at most 24 months.",
            '"P2Y"',
        ),
        (
            [EXEMPT, PROCESSOR, put("vendors", 0, retention="P25M"), category(exemption_evidence=EVIDENCE)],
            {"eea": True},
            "vendors.0.retention",
            "at most 24 months",
            '"P2Y"',
        ),
        (
            [EXEMPT, PROCESSOR, category(retention="P26M")],
            {},
            "categories.1.retention",
            "at most 25 months",
            "P25M",
        ),
        (
            [EXEMPT, PROCESSOR, put("trackers", 1, lifetime="P14M")],
            {},
            "trackers.1.lifetime",
            "13 months",
            "P13M",
        ),
        (
            [EXEMPT, PROCESSOR, category(sale_or_share=True)],
            {},
            "categories.1.sale_or_share",
            "nothing of them is sold",
            "`exempt`",
        ),
        # The assessment that France asks for.
        (
            [EXEMPT, PROCESSOR, put(jurisdiction="FR")],
            {},
            "categories.1.exemption_evidence",
            "in fr (France)",
            "exemption_evidence = {",
        ),
        ([EXEMPT, PROCESSOR], {"eea": True}, "categories.1.exemption_evidence", "in fr (France)", "Add"),
        (
            [EXEMPT, PROCESSOR, category(exemption_evidence={"date": date(2026, 10, 1)})],
            {},
            "categories.1.exemption_evidence",
            "no `url` and no `file`",
            "one of the two",
        ),
        # JU-02
        (
            [category(statistics=True)],
            {"gb": True},
            "vendors.0.role",
            "serve only the publisher",
            "processor",
        ),
        (
            [category(statistics=True), PROCESSOR, PROFILER],
            {"gb": True},
            "vendors.0.profiling",
            "no profiles",
            "asks for consent",
        ),
        (
            [category(appearance=True), PROFILER],
            {"gb": True},
            "vendors.0.profiling",
            "no profiles",
            "asks for consent",
        ),
        (
            [category(statistics=True, combines_across_sites=True), PROCESSOR],
            {"gb": True},
            "categories.1.combines_across_sites",
            "about one site",
            "`statistics`",
        ),
        (
            [category(statistics=True, sale_or_share=True), PROCESSOR],
            {"gb": True},
            "categories.1.sale_or_share",
            "for its publisher alone",
            "`statistics`",
        ),
        # One ground for each category.
        (
            [put("categories", 0, statistics=True)],
            {"gb": True},
            "categories.0.statistics",
            "can object",
            "`required`",
        ),
        (
            [put("categories", 0, appearance=True)],
            {"gb": True},
            "categories.0.appearance",
            "can object",
            "`required`",
        ),
        (
            [EXEMPT, PROCESSOR, category(appearance=True)],
            {"gb": True},
            "categories.1.appearance",
            "as `exempt` too",
            "each of the two",
        ),
        (
            [category(statistics=True, appearance=True), PROCESSOR],
            {"gb": True},
            "categories.1.appearance",
            "as `statistics` too",
            "each of the two",
        ),
        (
            [put("categories", 0, sale_or_share=True)],
            {"us": True},
            "categories.0.sale_or_share",
            "always on",
            "Remove the key",
        ),
        # JU-01: the modes that a law allows.
        (
            [],
            {"eea": "opt_out"},
            "regimes.eea",
            "in fr: France.",
            'Write true for the mode of the place, or "opt_in".',
        ),
        ([], {"us": "notice"}, "regimes.us", "in us-ca: California.", 'or "opt_out" or "opt_in".'),
        # VA-06
        ([put(validity="P14M")], {}, "validity", "at most 13 months", '"P13M"'),
        ([put(validity="P14M", jurisdiction="FR")], {}, "validity", "at most 13 months", '"P13M"'),
    ],
)
def test_what_the_rules_of_a_place_forbid_is_refused(
    changes: list[Change], regimes: dict[str, Any], path: str, message: str, remedy: str
) -> None:
    problems = [row for row in findings(*changes, **regimes) if not row.warning]
    assert [".".join(map(str, row.path)) for row in problems] == [path]
    assert message in problems[0].message and remedy in problems[0].remedy


@pytest.mark.parametrize(
    ("changes", "regimes", "path", "message"),
    [
        (
            [category(sale_or_share=False), PROFILER],
            {"us": True},
            "categories.1.sale_or_share",
            "Counter (counter) builds",
        ),
        ([category(statistics=True), PROCESSOR], {"us": True}, "categories.1.statistics", "no effect"),
        ([category(appearance=True)], {}, "categories.1.appearance", "no effect"),
        (
            [category(exemption_evidence=EVIDENCE)],
            {},
            "categories.1.exemption_evidence",
            "not exempt",
        ),
        (
            [EXEMPT, PROCESSOR, category(exemption_evidence={**EVIDENCE, "date": date(2026, 12, 1)})],
            {},
            "categories.1.exemption_evidence.date",
            "2026-12-01, which lies in the future",
        ),
        ([], {"ca": True}, "regimes.ca", "no rules for these places"),
        ([], {"br": True}, "regimes", "br (BR) were to be reviewed by 2026-11-15"),
        ([put(jurisdiction="GB")], {"us": True}, "jurisdiction", "not applied"),
    ],
)
def test_what_is_lawful_but_unwise_is_a_warning(
    changes: list[Change], regimes: dict[str, Any], path: str, message: str
) -> None:
    (found,) = found_in(policy_with_regimes(*changes, **regimes))
    assert found.startswith(f"warning: {path}: ") and message in found


def test_the_jurisdiction_may_be_a_place_whose_rules_are_applied() -> None:
    assert found_in(policy_with_regimes(put(jurisdiction="GB"), gb=True)) == []


@pytest.mark.parametrize(
    ("today", "messages"),
    [
        (date(2026, 10, 31), ["dated 2026-11-01, which lies in the future"]),
        (date(2026, 11, 1), []),
        (date(2027, 6, 30), []),
        (date(2027, 7, 1), ["The rules of nl (NL) were to be reviewed by 2027-06-30"]),
    ],
)
def test_old_rules_of_places_are_a_warning(today: date, messages: list[str]) -> None:
    found = [text for text in found_in(policy_with_regimes(), today) if "adequacy" not in text]
    assert len(found) == len(messages)
    assert all(
        text.startswith("warning: regimes: ") and part in text
        for text, part in zip(found, messages, strict=True)
    )


def test_findings_about_a_list_of_the_owner_name_its_key() -> None:
    (found,) = found_in(policy_with_regimes(put(regimes_file="own.toml"), br=True))
    assert found.startswith("warning: regimes_file: The rules of br")


def test_placeholders_cause_no_findings_about_regimes() -> None:
    declared = policy_with_regimes(
        EXEMPT,
        put(jurisdiction="DE"),
        category(statistics=True, appearance=True, sale_or_share=True),
        eea="opt_out",
        br=True,
    )
    invalid: frozenset[KeyPath] = frozenset(
        {("jurisdiction",), ("regimes",), ("regimes_file",), ("categories", 1), ("validity",)}
    )
    assert [
        text
        for text in found_in(declared, placeholders=invalid)
        if "vendors" not in text and "trackers" not in text
    ] == []
    # A single value that is not valid hides only what depends on it.
    without_data = frozenset[KeyPath]({("regimes_file",)})
    keys = {row.path for row in checks.run_checks(declared, today=TODAY, placeholder_paths=without_data)}
    assert ("regimes", "eea") not in keys and ("categories", 1, "appearance") in keys


def test_the_longest_retention_is_the_shortest_of_all_places_that_exempt() -> None:
    rules = OPT_OUT + 'exempts = ["audience"]\nretention_at_most = "P6M3D"\n'
    text = LIST + regime("ca-qc", "ca", rules, ("CA-QC", "2023-09-22", "V"))
    declared = policy_with_regimes(
        EXEMPT, PROCESSOR, category(exemption_evidence=EVIDENCE), text=text, eea=True, ca=True
    )
    assert {text for text in found_in(declared) if "retention" in text} == {
        "problem: categories.1.retention: Exempt analytics are kept for at most P6M3D.",
        "problem: vendors.0.retention: A vendor of exempt analytics must state how long it keeps data, at most P6M3D.",
    }


def test_other_vendors_have_nothing_to_do_with_an_exemption() -> None:
    declared = policy_with_regimes(
        category(appearance=True, sale_or_share=False),
        drop("vendors"),
        drop("trackers", 1, "vendor"),
        add("categories", id="ads"),
        add("vendors", id="ad", name="Ads", category="ads", profiling=True),
        add("trackers", name="ad", category="ads", vendor="ad"),
        gb=True,
    )
    assert found_in(declared) == []


def test_the_shipped_list_applies_to_a_policy_without_one_of_its_own() -> None:
    declared = Policy.from_data(data(EXEMPT, PROCESSOR, put(jurisdiction="DE")))
    assert any("No exemption of analytics" in text for text in found_in(declared, declared.regime_data.as_of))
    assert regime_data() != declared.regime_data
