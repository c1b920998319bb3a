"""The targets: what reads bytes from browsers, other sites and files, and the properties that hold for any bytes."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

SEEDS = Path(__file__).parent / "seeds"


class Target(NamedTuple):
    """One parser or several that read the same bytes.

    Attributes:
        module: the module of this folder whose `check` raises AssertionError if a property does not hold.
        measured: the parts of the library whose branches guide the mutations.
        words: what the mutations are made of, besides bytes of the seeds.
    """

    module: str
    measured: tuple[str, ...]
    words: tuple[str, ...]

    @property
    def check(self) -> Callable[[bytes], None]:
        """Import the module and return its `check`."""
        check: Callable[[bytes], None] = import_module(f"tests.fuzz.{self.module}").check
        return check


TARGETS = {
    "token": Target(
        "consent_tokens",
        ("consentkit.consent",),
        ("1d", "1p", "1w", ".", "$", "~", "1795341600", "7", "5"),
    ),
    "cookies": Target(
        "cookie_fields",
        ("consentkit.headers", "consentkit.enforcement", "consentkit.consent"),
        ("__Host-consent=", "$", "; ", "=", "_ga", "_GA", "_ga_own=", "session=", "\xa0", "\x09", '"'),
    ),
    "set-cookie": Target(
        "set_cookie_fields",
        ("consentkit.headers", "consentkit.enforcement"),
        (
            *("_ga=", "_GA=", "=_ga=", "session=", "Visits=", "; Max-Age=", "; Expires=", "Max-Age=0", "-1"),
            *("Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 01 Jan 2099 00:00:00 GMT", ", ", "\x00", "\x0d\x0a"),
            *("; Path=/", "; Partitioned", "%", "99999999"),
        ),
    ),
    "html": Target(
        "documents",
        ("consentkit.html",),
        (
            *(
                "<!doctype html>",
                "<html>",
                "<head>",
                "</head>",
                "<body>",
                "</body>",
                "</html>",
                "<p ",
                "</p>",
            ),
            *("<!--", "-->", "--!>", "<![CDATA[", "]]>", "<script>", "</script>", "<title>", "</title>"),
            *("<svg>", "</svg>", "<math>", "<mi>", "<desc>", "<foreignObject>", "<template>", "</template>"),
            *(
                "<style>",
                "</style>",
                "<textarea>",
                "<noscript>",
                "<plaintext>",
                "<frameset>",
                "/>",
                "='",
                '="',
            ),
            *(
                " class=own",
                "<annotation-xml encoding=text/html>",
                "<font color=x>",
                "<?",
                "<!",
                "</",
                "\x01",
            ),
        ),
    ),
    "policy": Target(
        "policy_files",
        ("consentkit.config", "consentkit.policy", "consentkit.notices"),
        (
            *("[[", "]]", " = ", "{ ", " }", '"""', "'''", "\\", "\\u0000", "#", "true", "P6M", "P13M"),
            *("1979-05-27T07:32:00Z", "0x1f", "inf", "[vendors]", "[[vendors]]", "[[sites]]", "[[trackers]]"),
            *("required", "exempt", "safeguard", "adequacy_file", "notices", "digest", "facts", "editorial"),
        ),
    ),
    "csp": Target(
        "security_policies",
        ("consentkit.enforcement.csp",),
        (
            *("default-src ", "script-src ", "script-src-elem ", "style-src ", "connect-src ", "frame-src "),
            *("child-src ", "form-action ", "img-src ", "trusted-types ", "'self'", "'none'", "https:", "*"),
            *("'nonce-AAAA'", "'nonce-{nonce}'", "'strict-dynamic'", ";", ",", "'unsafe-inline'", "\x0c"),
        ),
    ),
    "bodies": Target(
        "decision_bodies",
        ("consentkit.web.endpoints", "consentkit.headers"),
        (
            *('{"categories":{', '"vendors":{', '"choice":"accept_all"', '"analytical":true', "}}"),
            *("choice=save", "choice=accept_all", "category.analytical=on", "vendor.youtube=off", "next=%2F"),
            *("&", "=", "%2F%2F", "%5C", "NaN", "\\u0000", '"notice":', '"surface":"banner"', "/consent"),
        ),
    ),
    "handoff": Target(
        "handoff_tokens",
        ("consentkit.handoff",),
        (
            *('{"typ":', '"iss":', '"exp":', '"iat":', '"sub":', '"categories":{', "true"),
            *('"jti":', '"decided_at":', "1795428000", "null", "1e999", "[]", ".", "eyJ"),
        ),
    ),
}
