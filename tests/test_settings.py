import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from consentkit import ConfigurationError, ConsentManager, Ledger, Policy, PolicyError
from consentkit.consent import Choice
from consentkit.errors import SecretKeyError
from consentkit.manager import ChoiceContext, Webhook
from consentkit.settings import SETTINGS, derived_keys, manager_from_settings
from tests.conftest import HERE, Clock
from tests.support.receiver import SECRET

FRAMEWORK_KEY = "a key of a framework, which signs its sessions"
Make = Callable[..., ConsentManager]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of an application, with a policy."""
    shutil.copy(HERE / "consent.example.toml", tmp_path / "consent.toml")
    return tmp_path


@pytest.fixture
def make(root: Path) -> Iterator[Make]:
    """`make(recheck=…)` builds a manager as a framework does, and closes it in the end."""
    with ExitStack() as made:

        def build(settings: Mapping[str, Any] | None = None, **options: Any) -> ConsentManager:
            given = {"policy": "consent.toml", "ledger": "sqlite://", "site": "stride"} | options
            manager = manager_from_settings(
                given if settings is None else settings,
                root=root,
                framework_keys=[FRAMEWORK_KEY],
                spelled=lambda name: f"CONSENTKIT_{name.upper()}",
            )
            made.callback(manager.close)
            return manager

        yield build


def decide(manager: ConsentManager) -> str:
    """Return the consent cookie of a visitor who accepts the social category."""
    outcome = manager.decide(
        manager.evaluator.undecided(), Choice(categories={"social": True}, vendors={}), ChoiceContext()
    )
    return outcome.cookies[0].partition(";")[0]


def test_paths_start_from_the_folder_of_the_application(
    make: Make, root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "pages").mkdir()
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    manager = make(ledger="sqlite:///consent.db", templates="pages", observed=Path("seen.txt"))
    decide(manager)
    assert (root / "consent.db").exists()
    assert (manager.templates, manager.observed) == (root / "pages", root / "seen.txt")


@pytest.mark.parametrize("ledger", ["sqlite://", "sqlite:///:memory:"])
def test_a_ledger_in_memory_has_no_path(make: Make, root: Path, ledger: str) -> None:
    decide(make(ledger=ledger))
    assert [path.name for path in root.iterdir()] == ["consent.toml"]


def test_values_may_be_text_as_environment_variables_have_them(make: Make, clock: Clock) -> None:
    manager = make(banner="false", strict="1", origins={"stride": "http://localhost:5000"}, clock=clock)
    assert (manager.show_banner, manager.strict) == (False, True)
    assert manager.origins["stride"][0] == "http://localhost:5000"
    assert manager.clock is clock


def test_objects_go_to_the_manager_as_they_are(make: Make, policy: Policy, ledger: Ledger) -> None:
    manager = make(policy=policy, ledger=ledger)
    assert manager.policy is policy
    assert manager.ledger is ledger


def test_every_argument_of_the_manager_is_a_setting() -> None:
    assert {"policy", "secret_key", "ledger", "site", "origins", "prefix", "csp", "spool"} < set(SETTINGS)
    assert "self" not in SETTINGS


def test_all_processes_derive_the_same_key_and_an_old_one_is_read(make: Make, root: Path) -> None:
    first = make()
    cookie = decide(first).encode()
    assert make().cookie.read([(b"cookie", cookie)]).allows("social")
    options = {"root": root, "framework_keys": ["a newer key of the same framework, longer", FRAMEWORK_KEY]}
    settings = {"policy": "consent.toml", "ledger": "sqlite://", "site": "stride"}
    newer = manager_from_settings(settings, **options)
    assert newer.cookie.read([(b"cookie", cookie)]).allows("social")
    newer.close()
    own = make(secret_key=["a key of its own, for the consent cookie alone"])
    assert not own.cookie.read([(b"cookie", cookie)]).allows("social")


def test_a_derived_key_is_not_the_frameworks_own() -> None:
    text, raw = derived_keys([FRAMEWORK_KEY]), derived_keys([FRAMEWORK_KEY.encode()])
    assert text == raw
    assert FRAMEWORK_KEY not in text[0]
    assert len(text[0]) == 64


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([], r"There is no secret key: set SECRET_KEY, or CONSENTKIT\['secret_key'\]\."),
        (["dev"], r"SECRET_KEY, from which CONSENTKIT\['secret_key'\] is derived, has 3 characters"),
        (["a" * 40], "is derived, has only 1 different characters"),
    ],
)
def test_a_key_of_the_framework_that_protects_nothing_is_refused(keys: list[str], message: str) -> None:
    with pytest.raises(SecretKeyError, match=message):
        derived_keys(keys, "CONSENTKIT['secret_key']")


def test_a_key_that_looks_like_a_placeholder_is_logged_by_its_name(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        derived_keys(["abcadbdecbadeacabdebcabdeabcaebcdacb"])
    assert caplog.messages[0].startswith("SECRET_KEY, from which secret_key is derived, has only 5 different")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"polcy": "x"}, "There is no setting CONSENTKIT_POLCY: did you mean CONSENTKIT_POLICY?"),
        ({"ORIGIN": {}}, "There is no setting CONSENTKIT_ORIGIN: did you mean CONSENTKIT_ORIGINS?"),
        ({"xyzzy": 1}, "There is no setting CONSENTKIT_XYZZY: use one of CONSENTKIT_POLICY, CONSENTKIT_SECRET_KEY, "),
        ({"banner": "maybe"}, "CONSENTKIT_BANNER is 'maybe', which cannot be used. Input should be a valid boolean"),
        ({"policy": 7}, "CONSENTKIT_POLICY is of type int: give the path of a policy file, or a policy."),
        ({"ledger": {}}, "CONSENTKIT_LEDGER is of type dict: give a database URL, a SQLAlchemy engine, a Ledger or None."),
        ({"ledger": "consent.db"}, "CONSENTKIT_LEDGER is not the URL of a database: write it like 'sqlite:///consent.db'."),
        ({"private_key": 5}, "CONSENTKIT_PRIVATE_KEY is of type int, which cannot be used."),
        ({"stylesheets": "/a.css"}, "CONSENTKIT_STYLESHEETS is '/a.css', which cannot be used."),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_be_used_is_an_error_with_its_name(
    make: Make, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        make(**changes)
    assert str(raised.value).startswith(message)


def test_all_unknown_and_all_missing_settings_are_reported_at_once(make: Make) -> None:
    with pytest.raises(ConfigurationError) as unknown:
        make({"polcy": "x", "ledgr": "y"})
    assert {"CONSENTKIT_POLICY?", "CONSENTKIT_LEDGER?"} < set(str(unknown.value).split())
    with pytest.raises(ConfigurationError, match="missing: CONSENTKIT_POLICY, CONSENTKIT_LEDGER"):
        make({"site": "stride"})


def test_a_policy_that_is_not_there_is_reported_with_its_path(make: Make, root: Path) -> None:
    with pytest.raises(PolicyError, match=str(root / "policy.toml")):
        make(policy="policy.toml")


def test_webhooks_are_given_as_objects_or_as_rows_and_their_secrets_are_not_shown(make: Make) -> None:
    row = {"url": "https://crm.example.org/hooks", "secret": SECRET, "vendors": ["youtube"]}
    for webhooks in ([row], [Webhook(**row)]):
        sender = make(webhooks=webhooks)._parts.webhooks.sender
        assert sender is not None and list(sender._webhooks.values()) == [Webhook(**row)]
    with pytest.raises(ConfigurationError, match="CONSENTKIT_WEBHOOKS is of type list") as caught:
        make(webhooks=[row | {"vendors": 5}])
    assert SECRET not in str(caught.value)


def test_the_location_may_be_a_table(make: Make, root: Path) -> None:
    policy = root / "consent.toml"
    policy.write_text(
        policy.read_text("utf-8").replace("[controller]", "[regimes]\ngb = true\n\n[controller]", 1), "utf-8"
    )
    table = {"country": "CF-IPCountry", "peers": ["10.0.0.0/8"]}
    places = make(location=table).places
    assert places is not None and places.vary == ("CF-IPCountry",)
    with pytest.raises(ConfigurationError, match="CONSENTKIT_LOCATION is a table with 'header'"):
        make(location={"header": "CF-IPCountry"})
    with pytest.raises(ConfigurationError, match="peers is empty"):
        make(location=table | {"peers": []})
