"""The example policy, decisions made under it, and the pages that show it to a visitor."""

import tomllib
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from html5lib import parse

from consentkit.consent.evaluation import Evaluator
from consentkit.consent.model import Consent, Decision
from consentkit.notices.notice import Notice
from consentkit.policy.policy import Policy
from consentkit.ui.pages import Pages, View

EXAMPLE: dict[str, Any] = tomllib.loads(
    (Path(__file__).parents[1] / "consent.example.toml").read_text("utf-8")
)
DECIDED = 1_795_341_600  # 22 November 2026, UTC
OPTIONAL = frozenset({"analytical", "tracking", "social"})


def policy_of(**changes: Any) -> Policy:
    """Return the example policy with other values of top-level keys. Only the models' own checks run."""
    return Policy.model_validate(EXAMPLE | changes)


def rows(key: str, **changes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a copy of a table of the example, with rows changed by id (trackers: by name); write dashes as underscores."""
    copied = deepcopy(EXAMPLE[key])
    for row in copied:
        row.update(changes.get(row.get("id", row.get("name")).replace("-", "_"), {}))
    return list(copied)


def decision(
    policy: Policy, granted: frozenset[str] = OPTIONAL, vendors: Mapping[str, bool] | None = None, **more: Any
) -> Decision:
    """Return a decision of 22 November 2026 under a policy."""
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
    """Return what a decision allows some days after it was made."""
    evaluator = Evaluator(policy, policy.sites[0].id, [Notice.of(old) for old in earlier])
    return evaluator.evaluate(made, DECIDED + days * 86_400, gpc=gpc)


def pages(policy: Policy, **options: Any) -> Pages:
    """Return the pages of a policy's first site."""
    return Pages(policy, Notice.of(policy), site=policy.sites[0].id, **options)


def view(consent: Consent, language: str = "en", **more: Any) -> View:
    """Return a visitor's view of a page, opened from an article."""
    return View(language=language, consent=consent, **({"next": "/articles/stretching?page=2"} | more))


def tree(html: str) -> Any:
    """Parse HTML as a browser does. Elements have no namespace."""
    return parse(html, namespaceHTMLElements=False)


def words(html: str) -> str:
    """Return the text of a page with white space collapsed."""
    return " ".join("".join(tree(html).find("body").itertext()).split())
