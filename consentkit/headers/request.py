"""Reading of request headers: cookies, Global Privacy Control, same-origin proof, language, return path.

Pure functions on the list of headers that ASGI defines (names in lower case, values as bytes). None of them raises,
whatever a browser or an attacker sends, and none trusts Host or forwarded headers.
"""

import posixpath
import re
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from urllib.parse import unquote

__all__ = [
    "COOKIE_BYTES_READ",
    "RawHeaders",
    "closest_language",
    "cookie_values",
    "first_cookies",
    "header_values",
    "is_framed",
    "is_in_advance",
    "is_navigation",
    "is_visit",
    "local_path",
    "may_be_page",
    "own_path",
    "preferred_language",
    "proves_same_origin",
    "sends_gpc",
    "sent_cookie_names",
]

RawHeaders = Sequence[tuple[bytes, bytes]]

COOKIE_BYTES_READ = 16 * 1024
"""The cookies of a request are read up to this many bytes of all its Cookie fields together."""
CANDIDATES = 8
RETURN_PATH_LENGTH = 1024
LANGUAGE_BYTES_READ = 1024

_FRAMES = frozenset((b"iframe", b"embed", b"object", b"fencedframe"))
_WINDOWS = frozenset((b"document", b"frame"))
_PURPOSES = frozenset((b"sec-purpose", b"purpose", b"x-moz"))
_LANGUAGE_RANGE = re.compile(
    r"([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*|\*)(?:[ \t]*;[ \t]*q[ \t]*=[ \t]*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?",
    re.IGNORECASE,
)
_TRADITIONAL, _SIMPLIFIED = ("zh-hant", "zh-tw", "zh-hk", "zh-mo"), ("zh-hans", "zh-cn", "zh-sg")
_ALSO_CALLED = {
    **dict.fromkeys(_TRADITIONAL, _TRADITIONAL),
    **dict.fromkeys(_SIMPLIFIED, _SIMPLIFIED),
    **dict.fromkeys(("no", "nb", "nn"), ("nb", "no", "nn")),
    **dict.fromkeys(("he", "iw"), ("he", "iw")),
    **dict.fromkeys(("id", "in"), ("id", "in")),
}
"""Tags that stand for the same language, the form of a language that its readers read too, and the script of a country."""
_LOCAL_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")


def header_values(headers: RawHeaders, name: bytes) -> list[bytes]:
    """Return the values of all fields with a name, in order; `name` in lower case, as servers pass names (ASGI)."""
    return [value for field_name, value in headers if field_name == name]


def _cookie_pairs(headers: RawHeaders) -> Iterable[tuple[bytes, bytes]]:
    """Yield names and values of all cookies, as browsers write them (RFC 6265bis, section 5.7.3).

    Only `;` separates, only space and tab are trimmed, and nothing is unquoted. With a more lenient parser a cookie that
    another origin can set could pass for one with a `__Host-` prefix.
    """
    bytes_left = COOKIE_BYTES_READ
    for field in header_values(headers, b"cookie"):
        for pair in field[:bytes_left].split(b";"):
            name, equals, value = pair.partition(b"=")
            if equals:
                yield name.strip(b" \t"), value.strip(b" \t")
        bytes_left -= len(field)
        if bytes_left <= 0:
            return


def first_cookies(field: bytes, bytes_left: int) -> bytes:
    """Return the whole cookies in the first bytes of a Cookie field; the same object if that is all of it."""
    if len(field) <= bytes_left:
        return field
    return field[: bytes_left + 1].rpartition(b";")[0] if bytes_left > 0 else b""


def cookie_values(headers: RawHeaders, name: bytes) -> list[bytes]:
    """Return the values of cookies with exactly this name: at most 8, from the first 16 KiB of Cookie fields."""
    values = []
    for cookie_name, value in _cookie_pairs(headers):
        if cookie_name == name:
            values.append(value)
            if len(values) == CANDIDATES:
                break
    return values


def sent_cookie_names(headers: RawHeaders) -> list[str]:
    """Return the distinct names of cookies in the first 16 KiB of Cookie fields, decoded as Latin-1."""
    return list(dict.fromkeys(name.decode("latin-1") for name, _ in _cookie_pairs(headers)))


def sends_gpc(headers: RawHeaders) -> bool:
    """Return whether a Sec-GPC field is `1`, or a list with a `1` in it, as a proxy joins repeated fields.

    Source: Global Privacy Control, section "The Sec-GPC Header Field for HTTP Requests".
    """
    for name, value in headers:
        if name == b"sec-gpc":
            for part in value.split(b","):
                if part.strip(b" \t") == b"1":
                    return True
    return False


def is_visit(headers: RawHeaders) -> bool:
    """Return whether a visitor reads the response in a window, as far as the browser says so (Fetch Metadata).

    Frames, fetched parts, and pages that are loaded in advance are no visits.
    """
    return header_values(headers, b"sec-fetch-dest") in ([], [b"document"]) and not is_in_advance(headers)


def is_in_advance(headers: RawHeaders) -> bool:
    """Return whether a browser loads the response in advance, and may never show it (Fetch, `Sec-Purpose`)."""
    return any(name in _PURPOSES for name, _ in headers)


def is_framed(headers: RawHeaders) -> bool:
    """Return whether the response is shown in a frame within a page (Fetch Metadata). A frame of a frameset is no such frame."""
    return any(value in _FRAMES for value in header_values(headers, b"sec-fetch-dest"))


def is_navigation(headers: RawHeaders) -> bool:
    """Return whether a browser will show the response in a window, as it says itself (Fetch Metadata)."""
    return header_values(headers, b"sec-fetch-dest") == [b"document"]


def may_be_page(headers: RawHeaders) -> bool:
    """Return whether the response may be shown as a page: in a window, in a frame, or by a script that asks for HTML."""
    return any(
        (name == b"sec-fetch-dest" and (value in _FRAMES or value in _WINDOWS))
        or (name == b"accept" and b"text/html" in value)
        or name == b"hx-boosted"
        for name, value in headers
    )


def proves_same_origin(headers: RawHeaders, origins: Collection[bytes]) -> bool:
    """Return whether a request came from a page of one of these origins, or from something that is no browser.

    `Sec-Fetch-Site` decides if it is present (Fetch Metadata). An `Origin` next to it must be one of these or `null`,
    which pages under `Referrer-Policy: no-referrer` send. Without Sec-Fetch-Site, `Origin` must be one of these (RFC
    6454); without both, so must the origin of `Referer`, if that is present. Repeated fields and lists prove nothing.
    """
    fetch_sites = header_values(headers, b"sec-fetch-site")
    request_origins = header_values(headers, b"origin")
    if len(fetch_sites) > 1 or len(request_origins) > 1:
        return False
    if fetch_sites:
        return fetch_sites[0] in (b"same-origin", b"none") and (
            not request_origins or request_origins[0] in origins or request_origins[0] == b"null"
        )
    if request_origins:
        return request_origins[0] in origins
    referers = header_values(headers, b"referer")
    return not referers or (len(referers) == 1 and _origin_of(referers[0]) in origins)


def _origin_of(address: bytes) -> bytes:
    scheme, _, rest = address.partition(b"://")
    host = re.split(rb"[/?#]", rest, maxsplit=1)[0]
    return scheme + b"://" + host


def own_path(root_path: str, prefix: str) -> str:
    """Return the path of the library's pages as browsers see it: where the application is mounted, then the prefix."""
    return root_path.rstrip("/") + prefix


def local_path(value: str | None, prefix: str) -> str:
    """Return a value if it is a path of this site to redirect to, and `/` otherwise.

    Such a path is printable ASCII without backslash, has at most 1 KiB and starts with exactly one slash. It is not below
    `prefix`, which includes the root path. So no redirect leaves the site or loops (OWASP, unvalidated redirects).
    Percent-encoding and dot segments do not hide the prefix, because servers decode the one and browsers resolve the
    other.
    """
    if not value or len(value) > RETURN_PATH_LENGTH or not _LOCAL_PATH.fullmatch(value):
        return "/"
    path = posixpath.normpath(unquote(re.split(r"[?#]", value, maxsplit=1)[0]))
    if path == prefix or path.startswith(prefix + "/"):
        return "/"
    return value


def preferred_language(headers: RawHeaders, languages: Sequence[str]) -> str:
    """Return the language that Accept-Language prefers among `languages` (RFC 4647, lookup), or the first of them.

    A language range matches an equal tag, or a tag of which it is a prefix up to a hyphen, or the other way round: `nl-BE`
    matches `nl`, `pt` matches `pt-BR`, and tags of the same meaning match each other, such as `no` and `nb`, or `zh-TW` and
    `zh-Hant`. `*` counts after all other ranges, and matches what none of them matches. The first 1 KiB is read.
    """
    field = b",".join(header_values(headers, b"accept-language"))
    return _negotiate(field[:LANGUAGE_BYTES_READ], tuple(languages)) if field else languages[0]


def closest_language(wanted: str, languages: Sequence[str]) -> str:
    """Return the language that is closest to a BCP 47 tag among `languages`, or the first of them."""
    return next(iter(_matching_tags(wanted.lower(), languages)), languages[0])


@lru_cache(maxsize=256)
def _negotiate(field: bytes, languages: tuple[str, ...]) -> str:
    ranges: list[tuple[float, int, str]] = []
    for position, part in enumerate(field.decode("latin-1").split(",")):
        match = _LANGUAGE_RANGE.fullmatch(part.strip(" \t"))
        if match:
            # Negative, so that sorting puts the highest quality first, and equal ones in the order of the field.
            ranges.append((-float(match[2] or 1), position, match[1].lower()))
    all_ranges = [language_range for _, _, language_range in ranges]
    # `*` is skipped where other ranges follow it, because it does not say which language is wanted (RFC 4647, 3.4).
    for quality, _, language_range in sorted(ranges, key=lambda row: (row[2] == "*", row)):
        if language_range == "*":
            matching = [tag for tag in languages if not any(_matches(other, tag) for other in all_ranges)]
        else:
            matching = _matching_tags(language_range, languages)
        if quality and matching:
            return matching[0]
    return languages[0]


def _matches(language_range: str, tag: str) -> bool:
    """Return whether a range in lower case equals a tag or is a prefix of it up to a hyphen."""
    return f"{tag.lower()}-".startswith(f"{language_range}-")


def _matching_tags(language_range: str, languages: Sequence[str]) -> list[str]:
    """Return the tags that a range matches, an equal one first, or those of its longest prefix that matches any.

    What else a range or prefix is called is tried after it, and before the next shorter prefix.
    """
    while language_range:
        for candidate in (language_range, *_ALSO_CALLED.get(language_range, ())):
            matching = [tag for tag in languages if _matches(candidate, tag)]
            if matching:
                return sorted(matching, key=lambda tag: tag.lower() != candidate)
        language_range = language_range.rpartition("-")[0]
    return []
