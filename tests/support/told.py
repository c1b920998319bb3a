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
from consentkit.proof import Grant, grant_of
from consentkit.ui.confirmation import Confirmation
from consentkit.ui.pages import Pages, View
from tests.support.records import a_record

EXAMPLE_FILE = Path(__file__).parents[1] / "consent.example.toml"
EXAMPLE: dict[str, Any] = tomllib.loads(EXAMPLE_FILE.read_text("utf-8"))
DECIDED = 1_795_341_600  # 22 November 2026, UTC
OPTIONAL = frozenset({"analytical", "tracking", "social"})
DOCUMENTS = ("preferences", "policy", "sites")


def policy_of(**changes: Any) -> Policy:
    """Return the example policy with other values of top-level keys. Only the models' own checks run."""
    return Policy.model_validate(EXAMPLE | changes)


POLICY = policy_of()


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


def undecided(policy: Policy | None = None, **more: Any) -> Consent:
    """Return the consent of a visitor who has not answered, by default about the example's policy."""
    return consent(policy or POLICY, **more)


def decided(
    granted: frozenset[str] | set[str] = OPTIONAL, policy: Policy | None = None, **more: Any
) -> Consent:
    """Return the consent of a visitor who granted these categories, by default of the example's policy."""
    policy = policy or POLICY
    return consent(policy, decision(policy, frozenset(granted), **more))


def every_page(made: Pages, seen: View) -> dict[str, str]:
    """Render every fragment and document, by name."""
    return {
        "banner": made.banner(seen),
        "settings": made.settings(seen),
        "confirmation": made.confirmation(seen, Confirmation(event="brought", about="trailhead")),
        "head": made.head(seen, "n0nce"),
        "error": made.error(seen, 409),
        "needs": made.needs_consent(seen, "social", "youtube"),
        "receipt": made.receipt(seen, a_grant(made)),
        **{name: getattr(made, name)(seen) for name in DOCUMENTS},
    }


def a_grant(made: Pages) -> Grant:
    """Make a grant that a record proves, under the notice of the pages: all but one third party."""
    return grant_of(a_record(notice=made.notice.digest), dict(made.notice.content or {}))


def fields(form: Any) -> dict[str, list[str]]:
    """Return the values of a form's inputs and buttons, by name."""
    found: dict[str, list[str]] = {}
    for control in form.iter():
        if control.tag in ("input", "button") and control.get("name"):
            found.setdefault(control.get("name"), []).append(control.get("value"))
    return found


def skeleton(html: str) -> list[tuple[str, tuple[str, ...]]]:
    """List the elements and the names of their attributes, without links, because hostile URLs are not linked."""
    return [
        (str(element.tag), tuple(sorted(element.attrib)))
        for element in tree(html).iter()
        if element.tag != "a"
    ]


def tree(html: str) -> Any:
    """Parse HTML as a browser does. Elements have no namespace."""
    return parse(html, namespaceHTMLElements=False)


def words(html: str) -> str:
    """Return the text of a page with white space collapsed."""
    return " ".join("".join(tree(html).find("body").itertext()).split())
