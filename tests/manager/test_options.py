import pytest

from consentkit import Policy
from consentkit.errors import ConfigurationError, UnknownSiteError
from consentkit.manager.options import (
    chosen_site,
    site_origins,
    validated_domain,
    validated_prefix,
    validated_seconds,
)


@pytest.mark.parametrize("prefix", ["/consent", "/privacy/consent", "/c.o-n_s~1"])
def test_a_path_of_plain_segments_is_a_prefix(prefix: str) -> None:
    assert validated_prefix(prefix) == prefix


@pytest.mark.parametrize(
    "prefix", ["", "/", "consent", "/consent/", "//consent", "/co nsent", "/a/../b", "/ü", "/a?b"]
)
def test_anything_else_is_refused_with_the_remedy(prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="like '/consent'"):
        validated_prefix(prefix)


def test_the_only_site_needs_no_name_and_one_of_several_does(policy: Policy) -> None:
    one = policy.model_copy(update={"sites": policy.sites[:1]})
    assert chosen_site(one, None) == "stride"
    assert chosen_site(policy, "trailhead") == "trailhead"
    with pytest.raises(ConfigurationError, match="'stride', 'trailhead'"):
        chosen_site(policy, None)
    with pytest.raises(UnknownSiteError):
        chosen_site(policy, "elsewhere")


def test_development_origins_stand_in_for_the_policys(policy: Policy) -> None:
    origins = site_origins(policy, {"stride": ["http://stride.localhost:8000", "http://localhost:8000"]})
    assert origins == {
        "stride": ("http://stride.localhost:8000", "http://localhost:8000"),
        "trailhead": ("https://trailhead.example",),
    }
    assert site_origins(policy, {"stride": "https://test.stride.example"})["stride"] == (
        "https://test.stride.example",
    )


# http only for localhost and *.localhost
@pytest.mark.parametrize(
    "origin", ["http://stride.example", "stride.example", "https://stride.example/", "ftp://a.b", ""]
)
def test_what_is_no_origin_to_serve_from_is_refused(policy: Policy, origin: str) -> None:
    with pytest.raises(ConfigurationError, match="origins\\['stride'\\]"):
        site_origins(policy, {"stride": origin})


def test_a_site_without_any_origin_and_an_unknown_site_are_refused(policy: Policy) -> None:
    with pytest.raises(ConfigurationError, match="is empty"):
        site_origins(policy, {"stride": []})
    with pytest.raises(UnknownSiteError):
        site_origins(policy, {"elsewhere": "https://elsewhere.example"})


# CK-05
@pytest.mark.parametrize(
    "domain", ["example", ".stride.example", "other.example", "ride.example", "www.stride.example"]
)
def test_a_cookie_domain_that_does_not_hold_the_site_is_refused(domain: str) -> None:
    with pytest.raises(ConfigurationError, match="cookie_domain"):
        validated_domain(domain, "https://stride.example")


def test_a_cookie_domain_may_be_the_host_or_above_it() -> None:
    assert validated_domain(None, "https://www.stride.example") is None
    assert validated_domain("stride.example", "https://stride.example") == "stride.example"
    assert validated_domain("stride.example", "https://www.stride.example:8443") == "stride.example"


def test_a_negative_length_of_time_is_refused() -> None:
    assert validated_seconds("recheck", 0) == 0
    with pytest.raises(ConfigurationError, match="recheck = -1 is negative"):
        validated_seconds("recheck", -1)
