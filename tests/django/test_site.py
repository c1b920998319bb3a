import logging
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks

from consentkit.consent import Choice
from consentkit.django import consent_changed, get_manager
from consentkit.django.site import policy_path
from consentkit.errors import ConfigurationError, PolicyError
from consentkit.ledger import Record
from consentkit.manager import ChoiceContext, ConsentManager
from tests.support.django_site import DjangoSite
from tests.support.front import KEY, a_policy

HERE = Path(__file__).parents[1]


def decide() -> str:
    """Return the consent cookie of a visitor who accepts the social category."""
    manager = get_manager()
    choice = Choice(categories={"social": True}, vendors={})
    return manager.decide(manager.evaluator.undecided(), choice, ChoiceContext()).cookies[0]


def test_manager_is_made_once_and_again_for_other_settings(site: DjangoSite) -> None:
    first = get_manager()
    assert get_manager() is first
    site.configure(prefix="/cookies")
    assert get_manager() is not first
    assert get_manager().prefix == "/cookies"


def test_manager_that_the_site_has_built_is_used_and_stays_open(site: DjangoSite) -> None:
    built = ConsentManager(a_policy(), secret_key=KEY, ledger="sqlite://", site="stride")
    site.changes.CONSENTKIT = built
    assert get_manager() is built
    assert [message.id for message in run_checks(tags=["consentkit"])] == []
    site.configure()
    assert get_manager() is not built
    assert built.ledger is not None and built.ledger.is_writable()
    built.close()


def test_paths_start_from_the_base_directory(site: DjangoSite, tmp_path: Path) -> None:
    (tmp_path / "consent.toml").write_bytes((HERE / "consent.example.toml").read_bytes())
    site.changes.BASE_DIR = tmp_path
    site.changes.CONSENTKIT = {"ledger": "sqlite:///consent.db", "site": "stride"}
    decide()
    assert (tmp_path / "consent.db").exists()
    assert policy_path() == tmp_path / "consent.toml"


def test_key_is_derived_from_the_secret_key_and_its_fallbacks(site: DjangoSite, tmp_path: Path) -> None:
    site.changes.CONSENTKIT = {"policy": a_policy(), "ledger": "sqlite://", "site": "stride"}
    cookie = decide().partition(";")[0].encode()
    before = site.changes.SECRET_KEY
    site.changes.SECRET_KEY = "another key of a Django site, newer than the first"
    assert not get_manager().cookie.read([(b"cookie", cookie)]).allows("social")
    site.changes.SECRET_KEY_FALLBACKS = [before]
    assert get_manager().cookie.read([(b"cookie", cookie)]).allows("social")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (None, "The setting CONSENTKIT is missing: write CONSENTKIT = {"),
        ({"ledgr": None}, r"There is no setting CONSENTKIT\['ledgr'\]: did you mean CONSENTKIT\['ledger'\]\?"),
        ({"ledger": {"db": "x"}}, r"CONSENTKIT\['ledger'\] has the keys 'db': write {'database': 'default'}, or a URL"),
        ({"ledger": {"database": "proof"}}, "the database 'proof', but DATABASES has 'default': use one of them"),
        ({"policy": "missing.toml", "ledger": None}, "missing.toml"),
    ],
)  # fmt: skip
def test_setting_that_cannot_be_used_is_an_error_at_the_start(
    site: DjangoSite, setting: Any, message: str
) -> None:
    site.changes.CONSENTKIT = setting
    with pytest.raises(ConfigurationError, match=message):
        site.client().get("/")


def test_policy_that_is_no_file_has_no_path(site: DjangoSite) -> None:
    with pytest.raises(ConfigurationError, match=r"CONSENTKIT\['policy'\] is not a path"):
        policy_path()
    site.configure(policy="missing.toml")
    with pytest.raises(PolicyError):
        get_manager()


def test_ledger_may_be_one_of_the_databases(site: DjangoSite) -> None:
    site.configure(ledger={"database": "default"})
    decide()
    assert [record.event for record in site.records()] == ["given"]


def test_signal_is_sent_with_the_record_of_every_change(
    site: DjangoSite, caplog: pytest.LogCaptureFixture
) -> None:
    received: list[tuple[type, Record]] = []

    def receive(sender: type, record: Record, **_: Any) -> None:
        received.append((sender, record))
        raise ValueError("a mistake of the receiver")

    consent_changed.connect(receive)
    try:
        with caplog.at_level(logging.ERROR):
            client = site.client()
            client.post("/consent/decision", {"categories": {"social": True}}, "application/json")
    finally:
        consent_changed.disconnect(receive)
    assert [(sender, record.event) for sender, record in received] == [(ConsentManager, "given")]
    assert "a mistake of the receiver" in caplog.text
