import logging
from pathlib import Path
from typing import Any

import pytest

from consentkit import ConsentManager, Policy
from consentkit.errors import ConfigurationError, UnknownSiteError
from consentkit.manager.options import (
    chosen_site,
    existing_folder,
    notices_of,
    site_origins,
    validated_domain,
    validated_frontends,
    validated_paths,
    validated_periods,
    validated_prefix,
)
from consentkit.notices.notice import Notice
from tests.support.front import KEY
from tests.support.policies import policy as unlocked_policy


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"policy": "consent.toml"}, "pass what load_policy returns"),
        ({"policy": Path("consent.toml")}, "pass what load_policy returns"),
        ({"templates": "nowhere"}, "there is no such folder"),
        ({"locales": "nowhere"}, "there is no such folder"),
        ({"secret_key": None}, "secret_key"),
        ({"banner": "no"}, "True or False"),
        ({"csp": ["default-src 'self'"]}, "as one string"),
        ({"stylesheets": "/site.css"}, "a list of addresses"),
        ({"clock": 5}, "seconds since the epoch"),
        ({"recheck": "60"}, "give seconds"),
        ({"max_stale": True}, "give seconds"),
        ({"prefix": None}, "like '/consent'"),
    ],
)
def test_an_option_of_another_kind_raises_one_clear_error_at_the_start(
    policy: Policy, options: dict[str, Any], remedy: str
) -> None:
    given: dict[str, Any] = {"policy": policy, "secret_key": KEY, "ledger": "sqlite://", "site": "stride"}
    with pytest.raises(ConfigurationError, match=remedy):
        ConsentManager(**(given | options))


def test_a_folder_may_be_left_out(tmp_path: Path) -> None:
    assert existing_folder("templates", None) is None
    assert existing_folder("templates", str(tmp_path)) == tmp_path


@pytest.mark.parametrize("prefix", ["/consent", "/privacy/consent", "/c.o-n_s~1"])
def test_prefix_is_a_path_of_plain_segments(prefix: str) -> None:
    assert validated_prefix(prefix) == prefix


@pytest.mark.parametrize(
    "prefix", ["", "/", "consent", "/consent/", "//consent", "/co nsent", "/a/../b", "/ü", "/a?b"]
)
def test_other_prefix_raises_with_the_remedy(prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="like '/consent'"):
        validated_prefix(prefix)


def test_site_may_be_left_out_only_if_the_policy_has_one(policy: Policy) -> None:
    one = policy.model_copy(update={"sites": policy.sites[:1]})
    assert chosen_site(one, None) == "stride"
    assert chosen_site(policy, "trailhead") == "trailhead"
    with pytest.raises(ConfigurationError, match="'stride', 'trailhead'"):
        chosen_site(policy, None)
    with pytest.raises(UnknownSiteError):
        chosen_site(policy, "elsewhere")


def test_given_origins_replace_those_of_the_policy(policy: Policy) -> None:
    origins = site_origins(policy, {"stride": ["http://stride.localhost:8000", "http://localhost:8000"]})
    assert origins == {
        "stride": (
            "http://stride.localhost:8000",
            "http://localhost:8000",
            "http://127.0.0.1:8000",
            "http://[::1]:8000",
        ),
        "trailhead": ("https://trailhead.example",),
    }
    assert site_origins(policy, {"stride": "https://test.stride.example"})["stride"] == (
        "https://test.stride.example",
    )


# http only for localhost and *.localhost
@pytest.mark.parametrize(
    "origin", ["http://stride.example", "stride.example", "https://stride.example/", "ftp://a.b", ""]
)
def test_invalid_origin_raises(policy: Policy, origin: str) -> None:
    with pytest.raises(ConfigurationError, match="origins\\['stride'\\]"):
        site_origins(policy, {"stride": origin})


def test_excluded_paths_are_absolute_paths() -> None:
    assert validated_paths([]) == ()
    assert validated_paths(["/", "/docs", "/admin/*", "/*/edit"]) == ("/", "/docs", "/admin/*", "/*/edit")


@pytest.mark.parametrize(
    ("exclude", "remedy"),
    [
        ("/docs", r"is a text: give a list of paths, like \['/docs'\]"),
        (["docs"], "write it like '/docs'"),
        ([""], "write it like '/docs'"),
        (["https://stride.example/docs"], "without host and query"),
        (["/docs?x"], "without host and query"),
        (["/docs#x"], "without host and query"),
        (["/*"], "every page alone"),
        (["/docs", "/**/"], "every page alone"),
    ],
)
def test_other_excluded_paths_raise_with_the_remedy(exclude: Any, remedy: str) -> None:
    with pytest.raises(ConfigurationError, match=remedy):
        validated_paths(exclude)


def test_empty_origins_and_unknown_sites_raise(policy: Policy) -> None:
    with pytest.raises(ConfigurationError, match="is empty"):
        site_origins(policy, {"stride": []})
    with pytest.raises(UnknownSiteError):
        site_origins(policy, {"elsewhere": "https://elsewhere.example"})


# CK-05
@pytest.mark.parametrize(
    "domain", ["example", ".stride.example", "other.example", "ride.example", "www.stride.example"]
)
def test_cookie_domain_that_does_not_contain_the_site_raises(domain: str) -> None:
    with pytest.raises(ConfigurationError, match="cookie_domain"):
        validated_domain(domain, "https://stride.example")


def test_cookie_domain_may_be_the_host_or_a_parent() -> None:
    assert validated_domain(None, "https://www.stride.example") is None
    assert validated_domain("stride.example", "https://stride.example") == "stride.example"
    assert validated_domain("stride.example", "https://www.stride.example:8443") == "stride.example"


def test_cookie_domain_logs_what_its_sub_domains_can_do(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "consentkit.cookie"):
        validated_domain(None, "https://stride.example")
        assert not caplog.records
        validated_domain("stride.example", "https://stride.example")
    (record,) = caplog.records
    assert (record.levelname, "every host below it can replace" in record.getMessage()) == ("INFO", True)


def test_negative_period_raises() -> None:
    assert validated_periods(recheck=0, max_stale=60) == {"recheck": 0, "max_stale": 60}
    with pytest.raises(ConfigurationError, match="recheck = -1 is negative"):
        validated_periods(max_stale=60, recheck=-1)


def test_notices_come_with_a_policy_that_was_loaded_from_a_file(policy: Policy) -> None:
    assert [notice.digest for notice in notices_of(policy)] == [Notice.of(policy).digest]
    assert notices_of(unlocked_policy()) == ()


OWN = ("https://www.stride.example", "http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000")


@pytest.mark.parametrize(
    "origin",
    [
        "https://www.stride.example:8443",
        "https://stride.example",
        "https://app.stride.example",
        "https://a.b.stride.example",
        "http://localhost:5173",
        "http://127.0.0.1:5173",
        "http://[::1]:5173",
    ],
)
def test_front_end_on_the_same_site_is_accepted(origin: str) -> None:
    assert validated_frontends(origin, OWN) == (origin,)
    assert validated_frontends([origin, origin], OWN) == (origin,)


def test_front_ends_of_subdomains_of_localhost_share_the_domain_above() -> None:
    own = ("http://api.stride.localhost:8000",)
    assert validated_frontends("http://www.stride.localhost:5173", own)
    for other in ("http://localhost:5173", "http://api.localhost:5173", "http://stride.test:5173"):
        with pytest.raises(ConfigurationError, match="frontends"):
            validated_frontends(other, own)


# Browsers would keep the cookie back, or the value can never be a page's origin.
@pytest.mark.parametrize(
    "origin",
    [
        *("https://shop.example", "https://stride.example.evil.example", "https://evilstride.example"),
        *(
            "http://www.stride.example",
            "https://localhost:5173",
            "http://app.localhost:5173",
            "https://127.0.0.1",
        ),
        *(
            "*",
            "null",
            "",
            "https://*.stride.example",
            "https://app.stride.example/",
            "https://app.stride.example:443",
        ),
        *(
            "https://APP.stride.example",
            "https://user@app.stride.example",
            "https://app.stride.example?",
            "app.stride.example",
        ),
        *(
            "http://127.0.0.1:80",
            "http://127.0.0.2:5173",
            "http://127.0.0.1.evil.example",
            "http://[::1]:5173/",
        ),
    ],
)
def test_front_end_that_could_not_work_raises_with_the_remedy(origin: str) -> None:
    with pytest.raises(ConfigurationError, match=r"frontends = .*(Write scheme|Serve both)"):
        validated_frontends([origin], OWN)


def test_addresses_are_the_same_site_only_if_they_are_equal() -> None:
    assert validated_frontends("https://10.0.0.1:5173", ["https://10.0.0.1"])
    with pytest.raises(ConfigurationError, match="another site than https://10"):
        validated_frontends("https://192.168.0.1", ["https://10.0.0.1"])


@pytest.mark.parametrize("value", [None, 5173, [5173], [b"http://localhost:5173"]])
def test_front_ends_of_another_type_raise_with_the_remedy(value: Any) -> None:
    with pytest.raises(
        ConfigurationError, match=r"frontends = .* of the wrong type: pass one origin or a list"
    ):
        validated_frontends(value, OWN)
