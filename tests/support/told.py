"""Policies, visitors and pages for the tests of what visitors are told."""

import tomllib
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from html5lib import parse

from consentkit.consent.evaluation import Evaluator
from consentkit.consent.model import Consent, ConsentStatus, Decision
from consentkit.notices.notice import Notice
from consentkit.policy.policy import Policy
from consentkit.ui.pages import Pages, View

EXAMPLE: dict[str, Any] = tomllib.loads(
    (Path(__file__).parents[1] / "consent.example.toml").read_text("utf-8")
)
DECIDED = 1_795_341_600  # 22 November 2026, UTC
OPTIONAL = frozenset({"analytical", "tracking", "social"})


def policy_of(**changes: Any) -> Policy:
    """Make the example's policy with other values of top-level keys; no check but the models' own runs."""
    return Policy.model_validate(EXAMPLE | changes)


def rows(key: str, **changes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Copy a table of the example, and change rows by id (trackers: by name), dashes written as underscores."""
    copied = deepcopy(EXAMPLE[key])
    for row in copied:
        row.update(changes.get(row.get("id", row.get("name")).replace("-", "_"), {}))
    return list(copied)


def decision(
    policy: Policy, granted: frozenset[str] = OPTIONAL, vendors: Mapping[str, bool] | None = None, **more: Any
) -> Decision:
    """Make a decision of 22 November 2026 under a policy."""
    digest = Notice.of(policy).digest
    return Decision(
        granted=granted, vendors=vendors or {}, decided_at=DECIDED, changed_at=DECIDED, notice=digest, **more
    )


def consent(
    policy: Policy,
    made: Decision | None = None,
    *,
    earlier: tuple[Policy, ...] = (),
    days: int = 1,
    gpc: bool = False,
) -> Consent:
    """Judge a decision some days after it was made."""
    evaluator = Evaluator(policy, policy.sites[0].id, [Notice.of(old) for old in earlier])
    return evaluator.evaluate(made, DECIDED + days * 86_400, gpc=gpc)


def pages(policy: Policy, **options: Any) -> Pages:
    """Make the pages of a policy's first site."""
    return Pages(policy, Notice.of(policy), site=policy.sites[0].id, **options)


def view(consent: Consent, language: str = "en", **more: Any) -> View:
    """Look at a page, from an article."""
    return View(language=language, consent=consent, **({"next": "/articles/stretching?page=2"} | more))


def tree(html: str) -> Any:
    """Parse as a browser does; elements have no namespace."""
    return parse(html, namespaceHTMLElements=False)


def words(html: str) -> str:
    """Return the text of a page, white space collapsed."""
    return " ".join("".join(tree(html).find("body").itertext()).split())


__all__ = [
    "DECIDED",
    "EXAMPLE",
    "OPTIONAL",
    "ConsentStatus",
    "consent",
    "decision",
    "pages",
    "policy_of",
    "rows",
    "tree",
    "view",
    "words",
]
