from pathlib import Path

import pytest
from jinja2 import TemplateNotFound, UndefinedError

from consentkit import Policy
from consentkit.notices.notice import Notice
from consentkit.ui.disclosure import Disclosure
from consentkit.ui.i18n import Translator
from consentkit.ui.rendering import Rendering

OURS = Path(__file__).parents[2] / "consentkit" / "ui" / "templates"


def edition(policy: Policy, language: str, *folders: Path, words: str | None = None) -> Rendering:
    wording = Translator(words or language)
    return Rendering(
        language, wording, Disclosure(policy, Notice.of(policy), language, wording), (*folders, OURS)
    )


# IN-07, WCAG 3.1.2
def test_a_text_in_the_pages_language_is_not_marked_and_another_one_is(policy: Policy) -> None:
    assert edition(policy, "nl").own("Lopen & rennen") == "Lopen &amp; rennen"
    foreign = edition(policy, "nl", words="en")
    assert foreign.own("Lopen <b>") == '<span lang="nl" dir="ltr">Lopen &lt;b&gt;</span>'
    assert foreign.titles["social"] == '<span lang="nl" dir="ltr">Sociaal</span>'


def test_a_template_of_the_site_stands_before_ours_and_the_others_stay(
    policy: Policy, tmp_path: Path
) -> None:
    (tmp_path / "banner.html").write_text("{{ greeting }} in {{ lang }}, {{ dir }}")
    own = edition(policy, "nl", tmp_path)
    assert own.render("banner.html", greeting="Hoi <b>") == "Hoi &lt;b&gt; in nl, ltr"
    assert own.source("banner.html").startswith("{{ greeting }}")
    assert own.source("policy.html") == (OURS / "policy.html").read_text()
    assert set(own.template_names()) == {path.name for path in OURS.glob("*.html")}


def test_a_template_that_names_what_nobody_gives_raises(policy: Policy, tmp_path: Path) -> None:
    (tmp_path / "banner.html").write_text("{{ nobody }}")
    with pytest.raises(UndefinedError):
        edition(policy, "en", tmp_path).render("banner.html")
    with pytest.raises(TemplateNotFound):
        edition(policy, "en").render("../pages.py")


@pytest.mark.parametrize(
    ("text", "mailbox"),
    [
        ("privacy@stride.example", True),
        ("a+b@c.d", True),
        ("https://a.b", False),
        ("a b@c.d", False),
        ("a@b@c", False),
    ],
)
def test_a_mailbox_is_told_from_other_ways_to_reach_somebody(
    policy: Policy, tmp_path: Path, text: str, mailbox: bool
) -> None:
    (tmp_path / "error.html").write_text("{{ text|mail }}")
    assert edition(policy, "en", tmp_path).render("error.html", text=text) == str(mailbox)
