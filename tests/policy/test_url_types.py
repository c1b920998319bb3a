import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from consentkit.policy.field_types import Texts
from consentkit.policy.url_types import (
    Domain,
    Email,
    Essence,
    LocalizedUrl,
    Reference,
    SiteOrigin,
    Url,
    VendorConnection,
    VendorOrigin,
    host_of,
    is_local,
)


def accepts(kind: Any, value: str) -> bool:
    try:
        return bool(TypeAdapter(kind).validate_python(value, strict=True) == value)
    except ValidationError as error:
        assert error.errors()[0]["ctx"]["remedy"]
        return False


@pytest.mark.parametrize(
    "value",
    [
        "https://vendor.example",
        "https://vendor.example/privacy?lang=en#cookies",
        "HTTPS://vendor.example/@handle",
        "https://münchen.example/",
        "https://vendor.example:8443/",
        "https://[::1]/",
    ],
)
def test_a_complete_https_url_is_accepted(value: str) -> None:
    assert accepts(Url, value)


@pytest.mark.parametrize(
    "value",
    [
        # HT-05
        "",
        "vendor.example",
        "//vendor.example",
        "/privacy",
        "http://vendor.example",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "java\nscript:alert(1)",
        " https://vendor.example",
        "data:text/html,x",
        "https://",
        "https:///privacy",
        "https:vendor.example",
        "https://me@vendor.example",
        "https://me:secret@vendor.example",
        "https://vendor.example/a b",
        'https://vendor.example/"><script>',
        "https://vendor.example/'x'\\",
        "https://vendor.example:0/",
        "https://vendor.example:99999/",
        "https://vendor.example:x/",
        "https://[::1",
        "https://vendor.example/\u202e",
        "https://vendor.example/" + "x" * 500,
    ],
)
def test_any_other_url_is_refused(value: str) -> None:
    assert not accepts(Url, value)


@given(st.text(max_size=60) | st.text(max_size=40).map(lambda tail: f"https://{tail}"))
def test_any_text_is_accepted_or_refused_with_a_remedy(value: str) -> None:
    for kind in (Url, Reference, SiteOrigin, VendorOrigin, Email, Domain):
        if accepts(kind, value) and kind is Url:
            assert value.lower().startswith("https://")


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        ("https://vendor.example/scc", True),
        ("legal@vendor.example", True),
        ("Vendor Ltd, 1 Street, Singapore", True),
        ("By post: Vendor Ltd,\n1 Street", True),
        ("javascript:alert(1)", False),
        (" javascript:alert(1)", False),
        ("http://vendor.example/scc", False),
        ("see ftp://vendor.example", False),
        ("", False),
    ],
)
def test_a_reference_is_an_https_url_or_an_address(value: str, accepted: bool) -> None:
    # TR-05
    assert accepts(Reference, value) is accepted


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        ("https://stride.example", True),
        ("https://stride.example:8443", True),
        ("https://xn--mnchen-3ya.example", True),
        ("http://localhost:8000", True),
        ("http://stride.localhost", True),
        ("https://localhost", True),
        ("https://192.0.2.1", True),
        ("http://stride.example", False),
        ("http://localhost.example", False),
        ("http://notlocalhost", False),
        ("https://stride.example/", False),
        ("https://stride.example?x", False),
        ("https://stride.example#x", False),
        ("https://stride.example:443", False),
        ("http://localhost:80", False),
        ("https://stride.example:0", False),
        ("https://stride.example:65536", False),
        ("https://stride.example:", False),
        ("https://Stride.example", False),
        ("HTTPS://stride.example", False),
        ("https://münchen.example", False),
        ("https://*.stride.example", False),
        ("https://me@stride.example", False),
        ("https://stride..example", False),
        ("https://-stride.example", False),
        ("https://" + "a" * 64 + ".example", False),
        ("https://" + "a." * 127 + "example", False),
        ("wss://stride.example", False),
        ("null", False),
        ("", False),
    ],
)
def test_a_site_has_an_origin_as_browsers_send_it(value: str, accepted: bool) -> None:
    assert accepts(SiteOrigin, value) is accepted


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        ("https://cdn.vendor.example", True),
        ("https://*.vendor.example", True),
        ("https://*.vendor.example:8443", True),
        ("https://cdn.vendor.example/js/", True),
        ("https://cdn.vendor.example:8443/js/tag.js", True),
        ("https://cdn.vendor.example/a%20b/~x", True),
        ("wss://cdn.vendor.example", False),
        ("ws://cdn.vendor.example", False),
        ("https://cdn.vendor.example/", False),
        ("https://cdn.vendor.example:443", False),
        ("https://cdn.vendor.example:65536", False),
        ("https://cdn.vendor.example/js?x=1", False),
        ("https://cdn.vendor.example/js#x", False),
        ("https://cdn.vendor.example/js;", False),
        ("https://cdn.vendor.example/js,x", False),
        ("https://cdn.vendor.example/j s", False),
        ("https://*", False),
        ("https://*.com", False),
        ("https://cdn.*.example", False),
        ("https://*cdn.vendor.example", False),
        ("http://cdn.vendor.example", False),
        ("http://localhost", False),
        ("https:", False),
        ("*", False),
        ("'unsafe-inline'", False),
        ("https://cdn.vendor.example;", False),
        ("https://cdn.vendor.example https://x.example", False),
        ("https://cdn.vendor.example,", False),
        ("data:", False),
    ],
)
def test_an_origin_of_a_vendor_opens_no_other_host(value: str, accepted: bool) -> None:
    assert accepts(VendorOrigin, value) is accepted


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        ("privacy@media.example", True),
        ("Privacy+1@Media.example", True),
        ("zoë@media.example", True),
        ("privacy@media", False),
        ("privacy at media.example", False),
        ("Privacy <privacy@media.example>", False),
        ("a@b.example,c@d.example", False),
        ("a@b@c.example", False),
        ("privacy@media.example\nBcc: x@y.example", False),
        ("a@" + "b." * 130 + "example", False),
        ("", False),
    ],
)
def test_an_e_mail_address_is_a_single_plain_address(value: str, accepted: bool) -> None:
    assert accepts(Email, value) is accepted


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        (".stride.example", True),
        ("stride.example", True),
        ("Stride.example", False),
        ("..x", False),
        (".", False),
        ("a;b", False),
    ],
)
def test_a_domain_is_lowercase_with_at_most_a_leading_dot(value: str, accepted: bool) -> None:
    assert accepts(Domain, value) is accepted


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        ("wss://ws.vendor.example", True),
        ("wss://*.vendor.example:8443/live/", True),
        ("https://in.vendor.example/api/", True),
        ("ws://ws.vendor.example", False),
        ("http://in.vendor.example", False),
        ("wss://*", False),
        ("wss://ws.vendor.example:443", False),
    ],
)
def test_a_vendor_may_connect_over_an_encrypted_web_socket(value: str, accepted: bool) -> None:
    assert accepts(VendorConnection, value) is accepted


def test_a_web_socket_outside_connect_is_explained() -> None:
    with pytest.raises(ValidationError, match="Only `connect` has WebSockets"):
        TypeAdapter(VendorOrigin).validate_python("wss://ws.vendor.example")


def test_the_host_of_an_origin_has_no_port_and_no_path() -> None:
    assert (
        host_of("wss://ws.vendor.example/live/")
        == host_of("https://ws.vendor.example/x")
        == "ws.vendor.example"
    )
    assert host_of("https://stride.example:8443") == "stride.example"
    assert is_local("localhost") and is_local("a.localhost") and not is_local("localhost.example")


LOCALIZED, ESSENCE = TypeAdapter(LocalizedUrl), TypeAdapter(Essence)


@pytest.mark.parametrize("adapter", [LOCALIZED, ESSENCE])
def test_an_address_may_differ_by_language(adapter: TypeAdapter[Any]) -> None:
    assert adapter.validate_python("https://media.example/p") == "https://media.example/p"
    table = {"en": "https://media.example/en", "nl": "https://media.example/nl"}
    assert adapter.validate_python(table) == table
    again = adapter.validate_python(adapter.validate_python(table))
    assert isinstance(again, Texts)
    assert json.loads(adapter.dump_json(again)) == table
    assert json.loads(adapter.dump_json("https://media.example/p")) == "https://media.example/p"


@pytest.mark.parametrize(
    ("adapter", "value", "message"),
    [
        (LOCALIZED, "http://media.example", "not https"),
        (LOCALIZED, {"en": "http://media.example"}, "not https"),
        (LOCALIZED, {"en": "Ask us."}, "not allowed in URLs"),
        (LOCALIZED, {"english-language": "https://media.example"}, "language tag"),
        (LOCALIZED, {}, "has no language"),
        (LOCALIZED, {"en": 1}, "Expected a URL."),
        (LOCALIZED, 1, "Expected a URL."),
        (LOCALIZED, "media.example", "Expected a URL."),
        (ESSENCE, "Ask us.", "Expected a URL or a text by language."),
        (ESSENCE, {"en": " "}, "empty"),
        (ESSENCE, ["Ask us."], "Expected a URL or a text by language."),
    ],
)
def test_what_is_no_address_by_language_is_refused(
    adapter: TypeAdapter[Any], value: object, message: str
) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        adapter.validate_python(value)
    assert caught.value.errors()[0]["ctx"]["remedy"]


def test_the_essence_of_an_arrangement_is_a_text_in_each_language() -> None:
    essence = ESSENCE.validate_python({"en": "We show the ads. Criteo chooses them."})
    assert essence == {"en": "We show the ads. Criteo chooses them."}
