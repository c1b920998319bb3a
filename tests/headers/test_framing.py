import pytest

from consentkit.headers import framed_by_own_site_alone

Headers = list[tuple[bytes, bytes]]
CSP = b"content-security-policy"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"content-type", b"text/html")],
        [(CSP, b"default-src 'self'; report-uri /frame-ancestors")],
        [(CSP, b"default-src frame-ancestors"), (CSP, b";,")],
        [(b"content-security-policy-report-only", b"frame-ancestors 'none'")],
    ],
)
def test_response_that_does_not_say_who_may_frame_it_is_framed_by_its_own_site_alone(
    headers: Headers,
) -> None:
    assert framed_by_own_site_alone(headers) == [*headers, (b"x-frame-options", b"SAMEORIGIN")]


@pytest.mark.parametrize(
    "header",
    [
        (b"X-Frame-Options", b"DENY"),
        (b"x-frame-options", b""),
        (CSP, b"frame-ancestors https://partner.example"),
        (b"Content-Security-Policy", b"default-src 'self';\tFRAME-ANCESTORS *"),
        (CSP, b"default-src 'self', frame-ancestors"),
    ],
)
def test_response_that_says_who_may_frame_it_is_unchanged(header: tuple[bytes, bytes]) -> None:
    headers = [(b"content-type", b"text/html"), header]
    assert framed_by_own_site_alone(headers) is headers
