from pathlib import Path

import pytest
from jinja2 import TemplateNotFound, UndefinedError

from consentkit import Policy
from consentkit.notices.notice import Notice
from consentkit.ui.disclosure import Disclosure
from consentkit.ui.i18n import Translator
from consentkit.ui.place_rules import PlaceRules
from consentkit.ui.rendering import Rendering

OURS = Path(__file__).parents[2] / "consentkit" / "ui" / "templates"


def rendering(policy: Policy, language: str, *folders: Path) -> Rendering:
    translator = Translator(language)
    disclosure = Disclosure(policy, Notice.of(policy), language, translator)
    return Rendering(language, translator, disclosure, PlaceRules.of(policy, translator), (*folders, OURS))


# IN-07
def test_owner_texts_are_escaped(policy: Policy) -> None:
    assert rendering(policy, "nl").owner_text("Lopen <b> & rennen") == "Lopen &lt;b&gt; &amp; rennen"


def test_a_template_of_the_site_replaces_only_the_shipped_one_of_its_name(
    policy: Policy, tmp_path: Path
) -> None:
    (tmp_path / "banner.html").write_text("{{ greeting }} in {{ lang }}, {{ dir }}")
    own = rendering(policy, "nl", tmp_path)
    assert own.render("banner.html", greeting="Hoi <b>") == "Hoi &lt;b&gt; in nl, ltr"
    assert own.source("banner.html").startswith("{{ greeting }}")
    assert own.source("policy.html") == (OURS / "policy.html").read_text()
    assert set(own.template_names()) == {path.name for path in OURS.glob("*.html")}


def test_an_undefined_variable_or_unknown_template_raises(policy: Policy, tmp_path: Path) -> None:
    (tmp_path / "banner.html").write_text("{{ nobody }}")
    with pytest.raises(UndefinedError):
        rendering(policy, "en", tmp_path).render("banner.html")
    with pytest.raises(TemplateNotFound):
        rendering(policy, "en").render("../pages.py")


@pytest.mark.parametrize(
    ("text", "is_address"),
    [
        ("privacy@stride.example", True),
        ("a+b@c.d", True),
        ("https://a.b", False),
        ("a b@c.d", False),
        ("a@b@c", False),
    ],
)
def test_the_mail_filter_recognizes_email_addresses(
    policy: Policy, tmp_path: Path, text: str, is_address: bool
) -> None:
    (tmp_path / "error.html").write_text("{{ text|mail }}")
    assert rendering(policy, "en", tmp_path).render("error.html", text=text) == str(is_address)
