import json
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit import Policy
from consentkit.enforcement.csp import ContentSecurityPolicy, OwnSources, nonce_of
from consentkit.errors import ConfigurationError
from consentkit.policy.models import Origins
from tests.support.calls import calls_during
from tests.support.npm import node_modules

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

STRICT = "default-src 'self'; script-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'"
ALL = frozenset({"google-analytics", "youtube", "adhub"})
NONE: frozenset[str] = frozenset()
SITE = "https://stride.example"
OWN = OwnSources(
    script=(f"{SITE}/consent/assets/consent.0.js",),
    style=(f"{SITE}/consent/assets/consent.0.css",),
    requests=(f"{SITE}/consent", f"{SITE}/consent/"),
    forms=(f"{SITE}/consent/",),
    embeds=(f"{SITE}/consent/embed/",),
)
SOURCES_OF_DIRECTIVES = {
    "script-src": OWN.script,
    "script-src-elem": OWN.script,
    "style-src": OWN.style,
    "style-src-elem": OWN.style,
    "connect-src": OWN.requests,
    "form-action": OWN.forms,
    "frame-src": OWN.embeds,
}


def directives(policy: str) -> dict[str, list[str]]:
    """Read one policy as browsers do."""
    found: dict[str, list[str]] = {}
    for part in policy.split(";"):
        words = part.split()
        if words:
            found.setdefault(words[0].lower(), words[1:])
    return found


def with_origins(policy: Policy, vendor_id: str, **origins: tuple[str, ...]) -> Policy:
    vendors = tuple(
        vendor.model_copy(update={"origins": Origins(**origins)}) if vendor.id == vendor_id else vendor
        for vendor in policy.vendors
    )
    return policy.model_copy(update={"vendors": vendors})


@pytest.mark.parametrize("nothing", [NONE, frozenset({"unknown"})])
def test_without_consent_the_owners_policy_is_unchanged(policy: Policy, nothing: frozenset[str]) -> None:
    assert ContentSecurityPolicy(STRICT, policy).header(nothing, OWN) == STRICT


def test_each_directive_gains_the_origins_of_granted_vendors(policy: Policy) -> None:
    csp = ContentSecurityPolicy(STRICT, policy)
    assert (
        csp.header(frozenset({"youtube"}), OWN)
        == f"{STRICT}; frame-src 'self' https://www.youtube-nocookie.com"
    )
    assert directives(csp.header(frozenset({"google-analytics"}), OWN)) == directives(STRICT) | {
        "script-src": ["'self'", "https://www.googletagmanager.com"],
        "connect-src": ["'self'", "https://*.google-analytics.com"],
        "img-src": ["'self'", "https://*.google-analytics.com"],
    }
    assert directives(csp.header(ALL, OWN))["frame-src"] == [
        "'self'",
        "https://www.youtube-nocookie.com",
        "https://frames.adhub.example",
    ]


def test_web_sockets_and_paths_of_a_vendor_are_opened(policy: Policy) -> None:
    origins = {
        "script": ("https://static.hotjar.example/c/hotjar-1.js",),
        "connect": ("https://in.hotjar.example/api/", "wss://ws.hotjar.example"),
    }
    data = policy.model_dump(mode="json", by_alias=True, exclude_none=True)
    data["vendors"][0]["origins"] = {kind: list(listed) for kind, listed in origins.items()}
    changed = Policy.from_data(data)
    opened = ContentSecurityPolicy("default-src 'self'", changed)
    header = opened.header(frozenset({changed.vendors[0].id}), OWN)
    for directive, kind in (("script-src", "script"), ("connect-src", "connect")):
        (sources,) = (part.split() for part in header.split("; ") if part.startswith(f"{directive} "))
        assert set(origins[kind]) <= set(sources)


def test_the_cache_of_headers_is_bounded(policy: Policy) -> None:
    csp = ContentSecurityPolicy(STRICT, policy)
    assert csp.header(ALL, OWN) is csp.header(frozenset(sorted(ALL)), OWN)
    for number in range(1000):
        csp.header(frozenset({f"vendor{number}"}), OWN)
    assert len(csp._headers) <= 256
    assert csp.header(ALL, OWN) == ContentSecurityPolicy(STRICT, policy).header(ALL, OWN)


@pytest.mark.parametrize(
    ("owner", "opened"),
    [
        # Where one is absent, what stands in for it is written out; where nothing does, nothing is restricted.
        ("default-src 'none'; form-action 'self'", "img-src https://i.example"),
        (
            "default-src https://cdn.example; img-src https://pics.example",
            "img-src https://pics.example https://i.example",
        ),
        ("default-src https://cdn.example", "img-src https://cdn.example https://i.example"),
        ("script-src 'self'", ""),
        ("upgrade-insecure-requests", ""),
        # What allows the origin anyway stays as it is.
        ("img-src *", "img-src *"),
        ("img-src data: https:", "img-src data: https:"),
        ("img-src https://I.example", "img-src https://I.example"),
        ("default-src *", ""),
        # What is none of ours stays.
        ("img-src 'none'", "img-src https://i.example"),
        ("img-src", "img-src https://i.example"),
        ("IMG-SRC  'self'\tdata: blob:", "img-src 'self' data: blob: https://i.example"),
    ],
)
def test_a_directive_allows_only_the_owners_and_the_vendors_sources(
    policy: Policy, owner: str, opened: str
) -> None:
    vendors = with_origins(policy, "adhub", img=("https://i.example",))
    found = directives(ContentSecurityPolicy(owner, vendors).header(frozenset({"adhub"}), OWN))
    expected = opened.split()
    assert found.get("img-src") == (expected[1:] if expected else None)
    ours = {"script-src", "style-src", "connect-src", "frame-src"}
    for name, sources in directives(owner).items():
        if name not in ("img-src", *ours):
            assert found[name] == sources
    assert set(found) - set(directives(owner)) <= {"img-src", *ours}


@pytest.mark.parametrize(
    ("kind", "owner", "expected"),
    [
        ("script", "script-src 'self'", {"script-src": 2}),
        ("script", "script-src 'self'; script-src-elem 'self'", {"script-src": 2, "script-src-elem": 2}),
        ("script", "script-src 'self'; script-src-attr 'none'", {"script-src": 2, "script-src-attr": 1}),
        ("style", "style-src 'self'; style-src-elem 'self'", {"style-src": 2, "style-src-elem": 2}),
        ("style", "default-src 'self'", {"default-src": 1, "style-src": 2}),
        ("connect", "default-src 'self'", {"default-src": 1, "connect-src": 2}),
        ("frame", "child-src 'self'; default-src 'none'", {"child-src": 1, "frame-src": 2}),
        ("frame", "default-src 'self'", {"default-src": 1, "frame-src": 2}),
        ("font", "default-src 'self'", {"default-src": 1, "font-src": 2}),
        ("media", "default-src 'self'", {"default-src": 1, "media-src": 2}),
        ("form", "form-action 'self'", {"form-action": 2}),
        ("form", "default-src 'self'", {"default-src": 1}),
    ],
)
def test_every_kind_of_origin_is_added_to_its_directives(
    policy: Policy, kind: str, owner: str, expected: dict[str, int]
) -> None:
    vendors = with_origins(policy, "adhub", **{kind: ("https://x.example",)})
    found = directives(ContentSecurityPolicy(owner, vendors).header(frozenset({"adhub"}), OWN))
    assert {name: len(sources) for name, sources in found.items() if name in expected} == expected
    opened = {name for name, sources in found.items() if "https://x.example" in sources}
    assert opened == {name for name, count in expected.items() if count == 2}


def test_nonces_hashes_strict_dynamic_and_reporting_are_unchanged(policy: Policy) -> None:
    kept = (
        "script-src 'nonce-abc' 'sha256-AAAA=' 'strict-dynamic' 'unsafe-inline' https:; "
        "report-uri /csp; report-to csp; sandbox allow-scripts allow-forms; upgrade-insecure-requests; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'"
    )
    assert ContentSecurityPolicy(kept, policy).header(ALL, OWN) == kept
    narrow = kept.replace(" https:", "")
    assert ContentSecurityPolicy(narrow, policy).header(ALL, OWN) == narrow.replace(
        "'unsafe-inline';",
        f"'unsafe-inline' {OWN.script[0]};",
    )


@pytest.mark.parametrize(
    ("owner", "needed"),
    [
        ("default-src 'none'", {"script-src", "style-src", "connect-src", "frame-src"}),
        ("default-src 'self'", set()),
        ("default-src *", set()),
        ("script-src 'sha256-AAAA='", {"script-src"}),
        (
            "script-src 'self'; script-src-elem 'none'; style-src 'self'; style-src-elem 'none'",
            {"script-src-elem", "style-src-elem"},
        ),
        ("script-src https://cdn.example 'sha256-AAAA='", {"script-src"}),
        ("script-src 'none'; style-src 'SELF'", {"script-src"}),
        (f"script-src {SITE}; style-src {SITE.upper()}; connect-src {SITE}", set()),
        ("form-action 'none'", {"form-action"}),
        ("connect-src 'none'; child-src 'none'", {"connect-src", "frame-src"}),
        ("img-src 'none'; font-src 'none'; media-src 'none'; object-src 'none'", set()),
    ],
)
def test_the_addresses_of_our_parts_are_added_where_the_owner_would_block_them(
    policy: Policy, owner: str, needed: set[str]
) -> None:
    before, after = directives(owner), directives(ContentSecurityPolicy(owner, policy).header(NONE, OWN))
    assert {name for name in after if after[name] != before.get(name)} == needed
    for name in needed:
        allowed = [source for source in before.get(name, []) if source != "'none'"]
        assert after[name] == [*allowed, *SOURCES_OF_DIRECTIVES[name]]


@pytest.mark.parametrize(
    ("policy_of_page", "needed"),
    [
        ("script-src 'nonce-abc'; style-src 'none'", {"style-src"}),
        ("script-src 'NONCE-abc' 'strict-dynamic'; style-src 'nonce-abc'", set()),
        ("script-src 'nonce-abc'; style-src 'nonce-other'", {"style-src"}),
        ("script-src 'nonce-ABC'; style-src 'none-abc'", {"script-src", "style-src"}),
        ("connect-src 'nonce-abc'", {"connect-src"}),
    ],
)
def test_nothing_is_added_next_to_the_nonce_of_our_tags(
    policy: Policy, policy_of_page: str, needed: set[str]
) -> None:
    csp = ContentSecurityPolicy(STRICT, policy)
    before = directives(policy_of_page)
    after = directives(csp.merge_into(policy_of_page.encode(), NONE, OWN, "abc").decode())
    assert {name for name in after if after[name] != before[name]} == needed
    without = directives(csp.merge_into(policy_of_page.encode(), NONE, OWN).decode())
    assert {name for name in without if without[name] != before[name]} == set(before)


def test_frames_stay_blocked_if_no_vendor_has_one(policy: Policy) -> None:
    bare = policy.model_copy(update={"vendors": ()})
    assert "frame-src" not in directives(ContentSecurityPolicy("default-src 'none'", bare).header(NONE, OWN))


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        ("trusted-types app", ["app", "consentkit"]),
        ("trusted-types 'none'", ["consentkit"]),
        ("trusted-types consentkit", ["consentkit"]),
        ("trusted-types 'self'", ["'self'", "consentkit"]),
        ("trusted-types *", ["*"]),
        ("default-src 'self'", None),
    ],
)
def test_the_scripts_trusted_types_policy_is_added_to_a_list_of_them(
    policy: Policy, owner: str, expected: list[str] | None
) -> None:
    assert directives(ContentSecurityPolicy(owner, policy).header(NONE, OWN)).get("trusted-types") == expected


def test_a_nonce_replaces_the_placeholder_or_the_placeholder_goes(policy: Policy) -> None:
    csp = ContentSecurityPolicy(
        "script-src 'nonce-{nonce}' 'strict-dynamic'; style-src 'nonce-{nonce}'", policy
    )
    assert (
        csp.header(NONE, OWN, "a+b/c==")
        == "script-src 'nonce-a+b/c==' 'strict-dynamic'; style-src 'nonce-a+b/c=='"
    )
    assert directives(csp.header(NONE, OWN)) == {
        "script-src": ["'strict-dynamic'", *OWN.script],
        "style-src": [*OWN.style],
    }
    assert ContentSecurityPolicy(STRICT, policy).header(NONE, OWN, "x") == STRICT


# Browsers ignore hosts there, and judges of policies report them.
@pytest.mark.parametrize("directive", ["script-src", "script-src-elem", "default-src"])
def test_next_to_strict_dynamic_vendors_get_no_hosts_for_scripts(policy: Policy, directive: str) -> None:
    owner = f"{directive} 'nonce-{{nonce}}' 'Strict-Dynamic'; img-src 'self'; connect-src 'self'; frame-src 'self'"
    csp = ContentSecurityPolicy(owner, policy)
    opened = directives(csp.header(ALL, OWN, "x"))
    assert opened[directive] == ["'nonce-x'", "'Strict-Dynamic'"]
    assert "https://*.google-analytics.com" in opened["connect-src"]
    assert "https://www.youtube-nocookie.com" in opened["frame-src"]
    scripts = with_origins(policy, "adhub", script=("https://a.example",))
    assert "adhub" not in ContentSecurityPolicy(owner, scripts).blocked_vendors(csp.header(NONE, OWN, "x"))


@pytest.mark.parametrize(
    ("owner", "opened"),
    [
        ("'self'", "'self' wss://ws.vendor.example https://api.vendor.example/collect/"),
        ("'self' wss:", "'self' wss: https://api.vendor.example/collect/"),
        ("'self' https:", "'self' https: wss://ws.vendor.example"),
        ("https://api.vendor.example", "https://api.vendor.example wss://ws.vendor.example"),
    ],
)
def test_sockets_and_paths_of_vendors_are_sources(policy: Policy, owner: str, opened: str) -> None:
    origins = Origins.model_construct(
        **dict.fromkeys(Origins.model_fields, ())
        | {"connect": ("wss://ws.vendor.example", "https://api.vendor.example/collect/")}
    )
    vendors = tuple(vendor.model_copy(update={"origins": origins}) for vendor in policy.vendors[:1])
    csp = ContentSecurityPolicy(f"connect-src {owner}", policy.model_copy(update={"vendors": vendors}))
    sources = csp.header(frozenset({vendors[0].id}), OWN).removeprefix("connect-src ")
    assert [source for source in sources.split() if source not in OWN.requests] == opened.split()
    assert csp.blocked_vendors(f"connect-src {owner}") == {vendors[0].id}
    assert not csp.blocked_vendors(f"connect-src {sources}")


EVALUATE = """
const [{ CspEvaluator }, { CspParser }] = ["evaluator", "parser"].map(name => require(`${process.argv[1]}/dist/${name}.js`));
const findings = new CspEvaluator(new CspParser(process.argv[2]).csp).evaluate();
console.log(JSON.stringify(findings.filter(one => one.severity <= 10).map(one => one.description)));
"""


def test_a_judge_of_policies_finds_nothing_grave_with_or_without_consent(policy: Policy) -> None:
    owner = (
        "default-src 'self'; script-src 'nonce-{nonce}' 'strict-dynamic'; object-src 'none'; base-uri 'none'"
    )
    csp = ContentSecurityPolicy(owner, policy)
    for granted in (NONE, ALL):
        header = csp.header(granted, OWN, "cmFuZG9tIG5vbmNl")
        command = ["node", "-e", EVALUATE, node_modules() / "csp_evaluator", header]
        found = subprocess.run(command, capture_output=True, text=True, check=True)
        assert json.loads(found.stdout) == []


HASH = "'sha256-AAAA='"


@pytest.mark.parametrize(
    ("owner", "opened"),
    [
        ("style-src 'self'", f"style-src 'self' {HASH}"),
        ("default-src 'self'", f"style-src 'self' {HASH}"),
        ("style-src 'none'", f"style-src {OWN.style[0]} {HASH}"),
        ("style-src 'nonce-x'", "style-src 'nonce-x'"),
        ("style-src 'self' 'nonce-y'", f"style-src 'self' 'nonce-y' {HASH}"),
        # Next to a hash browsers ignore 'unsafe-inline', which the site's own rules may need.
        ("style-src 'self' 'unsafe-inline'", "style-src 'self' 'unsafe-inline'"),
        (
            "style-src 'unsafe-inline' 'sha256-B='",
            f"style-src 'unsafe-inline' 'sha256-B=' {OWN.style[0]} {HASH}",
        ),
        ("style-src 'unsafe-inline'", f"style-src 'unsafe-inline' {OWN.style[0]}"),
        ("style-src-elem 'self'", f"style-src-elem 'self' {HASH}"),
    ],
)
def test_inline_rules_are_allowed_by_the_nonce_or_by_their_hash(
    policy: Policy, owner: str, opened: str
) -> None:
    own = OWN._replace(style=(*OWN.style, HASH))
    header = ContentSecurityPolicy("img-src *", policy).merge_into(owner.encode(), NONE, own, "x").decode()
    assert opened in header.split("; ")


@pytest.mark.parametrize("nonce", ["", "a b", "a'; script-src *", "a\r\nx: y", "é", "a===", "="])
def test_a_nonce_that_is_not_base64_raises(policy: Policy, nonce: str) -> None:
    with pytest.raises(ValueError, match="nonce"):
        ContentSecurityPolicy("script-src 'nonce-{nonce}'", policy).header(NONE, OWN, nonce)


@pytest.mark.parametrize(
    ("owner", "remedy"),
    [
        ("   ", "Write one such as"),
        ("default-src 'self',", "Write one such as"),
        ("script_src 'self'", "Write script-src"),
        ("img 'self'", "Write img-src"),
        ("default-src: 'self'", "Write default-src"),
        ("default-src self", "Write 'self' in single quotes"),
        ("script-src 'self' nonce-abc", "Write 'nonce-abc' in single quotes"),
        ("script-src sha256-AAAA=", "Write 'sha256-AAAA=' in single quotes"),
        ("script-src STRICT-DYNAMIC", "Write 'STRICT-DYNAMIC' in single quotes"),
        ("script-src 'Nonce-{nonce}'", "Write 'nonce-{nonce}'"),
        ("script-src nonce-{nonce}", "Write 'nonce-{nonce}'"),
        ("default-src 'none' https:", "Keep one or the other"),
        ("img-src 'self'; IMG-SRC *", "Join them"),
        ("default-src 'self'\x00", "printable ASCII"),
        ("default-src \u2018self\u2019", "printable ASCII"),
    ],
)
def test_a_mistake_that_browsers_ignore_raises_with_the_remedy(
    policy: Policy, owner: str, remedy: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        ContentSecurityPolicy(owner, policy)
    assert remedy in str(raised.value)
    assert repr(" ".join(owner.split())) in str(raised.value)


def test_an_unknown_directive_that_resembles_none_is_logged(
    policy: Policy, caplog: pytest.LogCaptureFixture
) -> None:
    owner = "default-src 'self'; xyzzy-frobnicate 'self'"
    assert ContentSecurityPolicy(owner, policy).header(NONE, OWN) == owner
    assert "xyzzy-frobnicate" in caplog.text


def test_a_policy_may_be_written_on_several_lines(policy: Policy) -> None:
    owner = """
        default-src 'self';
        script-src  'self' https://a.example;\r\n\timg-src 'self'
    """
    assert (
        ContentSecurityPolicy(owner, policy).header(NONE, OWN)
        == "default-src 'self'; script-src 'self' https://a.example; img-src 'self'"
    )


@pytest.mark.parametrize(
    "origin", ["https://a.example; script-src *", "https://a.example, x", "a b", "x\r\ny", "é", ""]
)
def test_an_origin_that_would_add_more_than_a_source_raises(policy: Policy, origin: str) -> None:
    vendors = tuple(
        vendor.model_copy(update={"origins": Origins.model_construct(img=(origin,))})
        for vendor in policy.vendors
    )
    with pytest.raises(ConfigurationError, match="not a source"):
        ContentSecurityPolicy(STRICT, policy.model_copy(update={"vendors": vendors}))


def test_each_policy_of_a_response_is_opened(policy: Policy) -> None:
    csp = ContentSecurityPolicy(STRICT, policy)
    values = [b"frame-src 'none', default-src 'self';", b"upgrade-insecure-requests", b"img-src *", b""]
    merged = [csp.merge_into(value, ["youtube"], OWN) for value in values]
    assert merged == [
        b"frame-src https://stride.example/consent/embed/ https://www.youtube-nocookie.com, "
        b"default-src 'self'; frame-src 'self' https://www.youtube-nocookie.com",
        *values[1:],
    ]
    assert all(after is before for after, before in zip(merged[1:], values[1:], strict=True))


def test_a_policy_with_odd_bytes_keeps_them(policy: Policy) -> None:
    value = b"script-src 'self' \xff\xa0x; \xe9-src y; report-uri /\x85"
    assert ContentSecurityPolicy(STRICT, policy).merge_into(value, NONE, OWN) is value
    opened = ContentSecurityPolicy(STRICT, policy).merge_into(value, ALL, OWN)
    assert opened == value.replace(b"x;", b"x https://www.googletagmanager.com https://cdn.adhub.example;")


# Browsers split at ASCII whitespace, and Python also at what Unicode calls space
@pytest.mark.parametrize("last", [b"\xa0", b" \x85 ", b"\x1c"])
def test_a_last_directive_of_odd_bytes_is_kept_when_another_is_added(policy: Policy, last: bytes) -> None:
    opened = ContentSecurityPolicy(STRICT, policy).merge_into(b"default-src 'self';" + last, ["youtube"], OWN)
    assert opened == b"default-src 'self';" + last + b"; frame-src 'self' https://www.youtube-nocookie.com"


@pytest.mark.parametrize(
    "unit", [b",", b"script-src 'none',", b"x;", b"default-src 'none';", b" a", b",script-src 'nonce-a'"]
)
def test_opening_a_policy_is_linear_in_its_length(policy: Policy, unit: bytes) -> None:
    csp = ContentSecurityPolicy(STRICT, policy)

    def opens(times: int) -> int:
        value = b"default-src 'none'" + unit * times
        return calls_during(lambda: csp.merge_into(value, ALL, OWN, nonce_of([value])))

    opens(1)
    assert opens(400) < 2.1 * opens(200)


@pytest.mark.parametrize(
    ("values", "nonce"),
    [
        ([], None),
        ([b""], None),
        ([b"default-src 'self'"], None),
        ([b"script-src 'nonce-Abc+/_-=='"], "Abc+/_-=="),
        ([b"default-src 'self', script-src 'self' 'NONCE-x' 'nonce-y'"], "x"),
        ([b"default-src 'nonce-d'"], "d"),
        ([b"default-src 'nonce-d'; script-src 'self'"], None),
        ([b"script-src 'nonce-s'; script-src-elem 'nonce-e'"], "e"),
        ([b"script-src 'self'; script-src 'nonce-ignored'"], None),
        ([b"style-src 'nonce-s'"], None),
        ([b"script-src 'nonce-'", b"script-src 'nonce-{nonce}'", b"script-src 'nonce-ok'"], "ok"),
        ([b"script-src 'nonce-a\"onload=x'"], None),
    ],
)
def test_nonce_of_returns_the_first_nonce_for_scripts(values: list[bytes], nonce: str | None) -> None:
    assert nonce_of(values) == nonce


sources = st.lists(
    st.sampled_from(
        [
            "'self'",
            "'none'",
            "*",
            "https:",
            "data:",
            "https://a.example",
            "'nonce-abc'",
            "'sha256-AA=='",
            "'strict-dynamic'",
            "''",
        ]
    ),
    max_size=3,
).map(" ".join)
names = st.sampled_from(
    [
        "default-src",
        "script-src",
        "Script-Src-Elem",
        "style-src",
        "connect-src",
        "img-src",
        "frame-src",
        "child-src",
        "form-action",
        "report-uri",
        "sandbox",
        "x-unknown",
        "worker-src",
    ]
)
policies = st.lists(st.tuples(names, sources).map(" ".join) | st.just(""), max_size=6).map(";".join)


@given(st.lists(policies, min_size=1, max_size=3), st.sets(st.sampled_from(sorted(ALL))))
def test_any_policy_keeps_its_sources_and_gains_only_granted_origins(
    policy: Policy, texts: list[str], granted: set[str]
) -> None:
    csp = ContentSecurityPolicy(STRICT, policy)
    value = csp.merge_into(",".join(texts).encode(), granted, OWN)
    opened = value.decode().split(",")
    assert len(opened) == len(texts)
    allowed = {source for sources in OWN for source in sources}
    for vendor_id in granted:
        origins = policy.vendor(vendor_id).origins
        allowed |= {*origins.script, *origins.connect, *origins.img, *origins.frame}
    for text, after in zip(map(directives, texts), map(directives, opened), strict=True):
        assert set(text) <= set(after)
        for name, found in after.items():
            fallback = ["child-src", "default-src"] if name == "frame-src" else ["default-src"]
            before = next((text[one] for one in (name, *fallback) if one in text), [])
            assert {*found} - {*before} <= allowed
            assert {*before} - {*found} <= {"'none'"}
            assert name in text or any(one in text for one in fallback)
    assert csp.merge_into(value, granted, OWN) is value


@given(st.binary(max_size=100))
def test_any_bytes_are_opened_without_a_new_line_or_policy(policy: Policy, value: bytes) -> None:
    merged = ContentSecurityPolicy(STRICT, policy).merge_into(value, ALL, OWN)
    assert merged.count(b"\n") <= value.count(b"\n")
    assert merged.count(b",") == value.count(b",")
    nonce_of([value])


@pytest.mark.parametrize("granted", [False, True])
def test_chromium_loads_a_vendors_script_only_when_granted(
    policy: Policy, new_page: Callable[..., "Page"], granted: bool
) -> None:
    vendor = "google-analytics"
    header = ContentSecurityPolicy("default-src 'none'", policy).header(
        frozenset({vendor} if granted else ()), OWN
    )
    page = new_page()
    asked: list[str] = []

    def answer(route: "Route") -> None:
        asked.append(route.request.url)
        if route.request.url == "https://stride.example/":
            body = "<!doctype html><script src=https://www.googletagmanager.com/gtag.js></script><img src=https://px.adhub.example/>"
            route.fulfill(body=body, headers={"Content-Type": "text/html", "Content-Security-Policy": header})
        else:
            route.fulfill(body="")

    page.route("**/*", answer)
    page.goto("https://stride.example/")
    scripts = [url for url in asked if url != "https://stride.example/"]
    assert scripts == (["https://www.googletagmanager.com/gtag.js"] if granted else [])
