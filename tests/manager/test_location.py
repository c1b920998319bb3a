"""Where a visitor is, from headers of trusted proxies: what counts, and what counts for nothing."""

import logging
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit import Place, trusted_header
from consentkit.errors import ConfigurationError

PROXY = "10.1.2.3"
COUNTRY, REGION = b"cf-ipcountry", b"cf-region-code"
Fields = list[tuple[bytes, bytes]]


class Request(NamedTuple):
    headers: Fields
    peer: str = PROXY


BY_COUNTRY = trusted_header(country="CF-IPCountry", peers=["10.0.0.0/8", "2001:db8::/32", "unix"])
BY_REGION = trusted_header(country="CF-IPCountry", region="CF-Region-Code", peers="10.0.0.0/8")


def country(*values: bytes) -> Fields:
    return [(b"host", b"stride.example"), *((COUNTRY, value) for value in values)]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"NL", "NL"),
        (b" nl ", "NL"),
        (b"UK", "GB"),
        (b"EL", "GR"),
        # What proxies send for an unknown country, the Tor network, and other things that are no place.
        (b"XX", None),
        (b"T1", None),
        (b"", None),
        (b"-", None),
        (b"N", None),
        (b"NLD", None),
        (b"NL,US", None),
        (b"NL, NL", None),
        (b"NL\x00", None),
        (b"N\xc4", None),
        (b"EU", None),
        (b"A1", None),
    ],
)
def test_a_country_counts_if_it_is_a_code(value: bytes, code: str | None) -> None:
    place = BY_COUNTRY(Request(country(value)))
    assert (place.code if place else None) == code


def test_a_missing_or_repeated_header_is_no_place() -> None:
    assert BY_COUNTRY(Request(country())) is None
    assert BY_COUNTRY(Request(country(b"NL", b"US"))) is None
    assert BY_COUNTRY(Request(country(b"NL", b"NL"))) is None


@pytest.mark.parametrize(
    ("peer", "is_trusted"),
    [
        ("10.0.0.1", True),
        ("10.255.255.255", True),
        ("::ffff:10.0.0.1", True),
        ("2001:db8::7", True),
        # A Unix socket has no address.
        ("", True),
        ("11.0.0.1", False),
        ("::ffff:11.0.0.1", False),
        ("2001:db9::7", False),
        ("::1", False),
        ("testclient", False),
        ("10.0.0.1:443", False),
    ],
)
def test_only_the_sites_own_proxies_are_believed(peer: str, is_trusted: bool) -> None:
    assert (BY_COUNTRY(Request(country(b"NL"), peer)) is not None) is is_trusted


def test_without_a_unix_socket_an_unknown_peer_is_not_believed() -> None:
    assert BY_REGION(Request(country(b"NL"), "")) is None


def test_a_header_that_came_past_the_proxies_is_logged_once_without_an_address(
    caplog: pytest.LogCaptureFixture,
) -> None:
    location = trusted_header(country="CF-IPCountry", peers=["10.0.0.0/8"])
    with caplog.at_level(logging.WARNING):
        location(Request(country(), "203.0.113.7"))
        assert not caplog.records
        for _ in range(3):
            location(Request(country(b"NL"), "203.0.113.7"))
    (record,) = caplog.records
    assert (
        "--no-proxy-headers" in record.getMessage()
        and "203.0.113.7" not in caplog.text
        and "NL" not in caplog.text
    )


@pytest.mark.parametrize(
    ("sent", "regions", "code"),
    [
        (b"US", [b"CA"], "US-CA"),
        (b"US", [b"ca"], "US-CA"),
        (b"US", [b"US-CA"], "US-CA"),
        (b"FR", [b"75"], "FR-75"),
        (b"NL", [], "NL"),
        (b"US", [b""], "US"),
        (b"US", [b"  "], "US"),
        # Values that contradict each other, or are none.
        (b"US", [b"CA", b"TX"], None),
        (b"US", [b"California"], None),
        (b"US", [b"CA,TX"], None),
        (b"US", [b"C\xc4"], None),
        (b"XX", [b"CA"], None),
        (b"", [b"CA"], None),
    ],
)
def test_a_region_is_read_with_or_without_its_country(
    sent: bytes, regions: list[bytes], code: str | None
) -> None:
    place = BY_REGION(Request([*country(sent), *((REGION, value) for value in regions)]))
    assert (place.code if place else None) == code


def test_a_region_without_a_country_is_no_place() -> None:
    assert BY_REGION(Request([(REGION, b"US-CA")])) is None


@pytest.mark.parametrize(("sent", "region"), [(b"NL", b"US-CA"), (b"US", b"GB-ENG")])
def test_a_region_of_another_country_is_no_place(sent: bytes, region: bytes) -> None:
    assert BY_REGION(Request([*country(sent), (REGION, region)])) is None


def test_responses_vary_on_the_headers_that_are_read() -> None:
    assert BY_COUNTRY.vary == ("CF-IPCountry",)
    assert BY_REGION.vary == ("CF-IPCountry", "CF-Region-Code")


@pytest.mark.parametrize(
    ("peers", "message"),
    [
        ([], "peers is empty"),
        ("", "peers: ''"),
        (["10.0.0.1/8"], "host bits"),
        (["proxy.example"], "no address or network"),
    ],
)
def test_peers_that_are_no_networks_are_refused(peers: list[str] | str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        trusted_header(country="CF-IPCountry", peers=peers)


@given(
    st.lists(st.tuples(st.sampled_from([COUNTRY, REGION, b"x"]), st.binary(max_size=12))),
    st.text(max_size=20),
)
def test_whatever_is_sent_is_a_place_or_none(headers: Fields, peer: str) -> None:
    for location in (BY_COUNTRY, BY_REGION):
        place = location(Request(headers, peer))
        assert place is None or Place.parse(place.code) == place
        assert location(Request(headers)) is None or COUNTRY in dict(headers)


@pytest.mark.parametrize("name", ["", "X Country", "X-Country, Cookie", "X-Länd"])
def test_a_name_that_no_header_can_have_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="is no name of a header"):
        trusted_header(country=name, peers=["10.0.0.1"])
    with pytest.raises(ConfigurationError, match="is no name of a header"):
        trusted_header(country="X-Country", region=name, peers=["10.0.0.1"])
