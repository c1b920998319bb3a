"""The place of a visitor from a database file: whose address counts, and what the file says of it."""

import builtins
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet
from starlette.testclient import TestClient

from consentkit.errors import ConfigurationError
from consentkit.geo import GeoDatabase, geo_database
from tests.support.regimes import policy_with_regimes
from tests.support.sites import managing, site

PROXY, VISITOR, OTHER = "10.0.0.1", "198.51.100.7", "203.0.113.9"
ROWS: dict[str, Any] = {
    "198.51.100.0/24": {
        "country": {"iso_code": "US"},
        "subdivisions": [{"iso_code": "CA"}, {"iso_code": "x"}],
    },
    "203.0.113.0/24": {"country": {"iso_code": "NL"}, "subdivisions": []},
    "192.0.2.0/28": {
        "country": {"iso_code": "GB"},
        "subdivisions": [{"iso_code": "ENG"}],
        "traits": {"is_anycast": True},
    },
    "192.0.2.16/28": {"country": {"iso_code": "US"}, "traits": {"is_anonymous_vpn": True}},
    "192.0.2.32/28": {"country": {"iso_code": "US"}, "traits": {"is_satellite_provider": True}},
    "192.0.2.48/28": {"registered_country": {"iso_code": "US"}},
    "192.0.2.64/28": {"country": {"iso_code": "XX"}},
    "192.0.2.80/28": {"country": "US", "subdivisions": "CA", "traits": 3},
    "192.0.2.96/28": {"country": {"iso_code": "CA"}, "subdivisions": [{"iso_code": ""}]},
    "192.0.2.112/28": {"country": {"iso_code": "CA"}, "subdivisions": [{"iso_code": "QC"}]},
    "2001:db8::/32": {"country": {"iso_code": "FR"}, "subdivisions": [{"iso_code": "IDF"}]},
}


class Request(NamedTuple):
    peer: str
    headers: list[tuple[bytes, bytes]] = []  # noqa: RUF012 - never changed


def forwarded(*values: str, peer: str = PROXY) -> Request:
    return Request(peer, [(b"x-forwarded-for", value.encode()) for value in values])


def written(path: Path, rows: dict[str, Any], *, version: int = 6) -> Path:
    """Write a database file."""
    writer = MMDBWriter(version, database_type="Test-City", ipv4_compatible=version == 6)
    for network, row in rows.items():
        writer.insert_network(IPSet([network]), row)
    writer.to_db_file(str(path))
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("geo") / "City.mmdb", ROWS)


@pytest.fixture(scope="module")
def direct(file: Path) -> GeoDatabase:
    return geo_database(file)


@pytest.fixture(scope="module")
def proxied(file: Path) -> GeoDatabase:
    return geo_database(file, proxies=["10.0.0.0/8", "2001:db8:f::/48", "unix"])


def code(location: GeoDatabase, request: Request) -> str | None:
    place = location(request)
    return place.code if place else None


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (VISITOR, "US-CA"),
        (OTHER, "NL"),
        ("192.0.2.1", "GB-ENG"),
        ("::ffff:192.0.2.1", "GB-ENG"),
        ("2001:db8::1", "FR-IDF"),
        ("192.0.2.97", "CA"),
        ("192.0.2.113", "CA-QC"),
        # Anonymous networks, and addresses of which the file does not say where they are.
        ("192.0.2.17", None),
        ("192.0.2.33", None),
        ("192.0.2.49", None),
        ("192.0.2.65", None),
        ("192.0.2.81", None),
        ("192.0.2.129", None),
        ("127.0.0.1", None),
        ("", None),
        ("testclient", None),
    ],
)
def test_a_place_is_what_the_file_says_of_the_address(
    direct: GeoDatabase, address: str, expected: str | None
) -> None:
    assert code(direct, Request(address)) == expected


def test_without_proxies_nobody_can_claim_an_address(direct: GeoDatabase) -> None:
    assert code(direct, forwarded(VISITOR, peer=OTHER)) == "NL" and direct.vary == ()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([VISITOR], "US-CA"),
        ([f"{OTHER}, {VISITOR}"], "US-CA"),
        ([f"{VISITOR},10.3.3.3 , 10.4.4.4"], "US-CA"),
        ([OTHER, VISITOR], "US-CA"),
        ([VISITOR, "10.3.3.3"], "US-CA"),
        ([f"{VISITOR}:51234"], "US-CA"),
        (["[2001:db8::1]:443"], "FR-IDF"),
        (["2001:db8::1, 2001:db8:f::9"], "FR-IDF"),
        ([f"::ffff:{VISITOR}"], "US-CA"),
        # The visitor can write what is on the left; what cannot be read hides what is left of it.
        ([f"{VISITOR}, unknown"], None),
        ([f"{VISITOR}, "], None),
        (["10.3.3.3"], None),
        ([""], None),
        ([], None),
        ([", ".join([VISITOR] + ["10.3.3.3"] * 40)], None),
    ],
)
def test_the_nearest_address_that_is_no_proxy_is_the_visitors(
    proxied: GeoDatabase, values: list[str], expected: str | None
) -> None:
    assert code(proxied, forwarded(*values)) == expected
    assert code(proxied, forwarded(*values, peer="")) == expected
    # Past the proxies, the header says nothing.
    assert code(proxied, forwarded(*values, peer=OTHER)) == "NL"
    assert proxied.vary == ("X-Forwarded-For",)


def test_a_proxy_that_forwards_no_address_leaves_the_place_unknown(file: Path) -> None:
    location = geo_database(file, proxies=PROXY, forwarded_for=False)
    assert code(location, forwarded(VISITOR)) is None and code(location, Request(OTHER)) == "NL"
    assert location.vary == ()


def test_a_file_without_ipv6_knows_nothing_of_its_addresses(tmp_path: Path) -> None:
    rows = {network: row for network, row in ROWS.items() if ip_network(network).version == 4}
    location = geo_database(written(tmp_path / "v4.mmdb", rows, version=4))
    assert code(location, Request("2001:db8::1")) is None and code(location, Request(VISITOR)) == "US-CA"


def test_a_row_that_is_no_table_is_no_place(tmp_path: Path) -> None:
    location = geo_database(written(tmp_path / "asn.mmdb", {"198.51.100.0/24": "US"}))
    assert code(location, Request(VISITOR)) is None


def test_the_file_is_read_at_the_start_alone(tmp_path: Path) -> None:
    path = written(tmp_path / "City.mmdb", ROWS)
    location = geo_database(str(path))
    path.unlink()
    assert code(location, Request(VISITOR)) == "US-CA"


@pytest.mark.parametrize("content", [None, b"", b"no database"])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "City.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(
        ConfigurationError, match=r"City\.mmdb cannot be read .*give the path of a \.mmdb file"
    ):
        geo_database(path)


def test_a_proxy_that_is_no_network_is_refused(file: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"proxies: 'proxy\.example' is no address or network"):
        geo_database(file, proxies=["proxy.example"])


def test_without_the_extra_the_error_says_what_to_install(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "maxminddb":
            raise ImportError(name)
        return imported(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigurationError, match=r"pip install 'consentkit\[geo\]'"):
        geo_database(file)


def test_visitors_get_the_rules_of_the_place_of_their_address(proxied: GeoDatabase) -> None:
    policy = policy_with_regimes(gb=True, us=True)
    with managing(policy, ledger="sqlite://", location=proxied) as manager:
        client = TestClient(site(manager), base_url="https://stride.example", client=(PROXY, 1))
        for address, is_on in ((VISITOR, True), (OTHER, False), ("192.0.2.129", False)):
            response = client.get("/consent/decision", headers={"x-forwarded-for": address})
            assert response.json()["categories"]["analytical"] is is_on
        assert "X-Forwarded-For" in client.get("/").headers["vary"]
