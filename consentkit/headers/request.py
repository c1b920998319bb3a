"""What a request says, read from its raw headers: cookies, Global Privacy Control, same-origin proof, language, return path.

Pure functions over the header list as ASGI gives it (names in lower case, values as bytes). Nothing here raises,
whatever a browser or an attacker sends, and nothing here believes Host, Referer or forwarded headers.
"""

import posixpath
import re
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from urllib.parse import unquote

__all__ = [
    "RawHeaders",
    "cookie_values",
    "header_values",
    "local_path",
    "own_path",
    "preferred_language",
    "proves_same_origin",
    "sends_gpc",
    "sent_cookie_names",
]

RawHeaders = Sequence[tuple[bytes, bytes]]

COOKIE_BYTES_READ = 16 * 1024
CANDIDATES = 8
RETURN_PATH_LENGTH = 1024
LANGUAGE_BYTES_READ = 1024

_LANGUAGE_RANGE = re.compile(
    r"([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*|\*)(?:[ \t]*;[ \t]*q[ \t]*=[ \t]*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?",
    re.IGNORECASE,
)
_LOCAL_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")


def header_values(headers: RawHeaders, name: bytes) -> list[bytes]:
    """List the values of every field of that name, in order; servers give names in lower case (ASGI, HTTP scope)."""
    return [value for key, value in headers if key == name]


def _cookie_pairs(headers: RawHeaders) -> Iterable[tuple[bytes, bytes]]:
    """Walk name-value pairs of all Cookie fields as browsers write them (RFC 6265bis section 5.7.3).

    Only `;` separates, only space and tab are trimmed and nothing is unquoted: a lenient parser is how a cookie that another
    origin could set gets to pass for one with a `__Host-` prefix.
    """
    left = COOKIE_BYTES_READ
    for field in header_values(headers, b"cookie"):
        for pair in field[:left].split(b";"):
            name, equals, value = pair.partition(b"=")
            if equals:
                yield name.strip(b" \t"), value.strip(b" \t")
        left -= len(field)
        if left <= 0:
            return


def cookie_values(headers: RawHeaders, name: bytes) -> list[bytes]:
    """List at most 8 values that the first 16 KiB of Cookie fields hold under exactly that name."""
    found = []
    for sent, value in _cookie_pairs(headers):
        if sent == name:
            found.append(value)
            if len(found) == CANDIDATES:
                break
    return found


def sent_cookie_names(headers: RawHeaders) -> list[str]:
    """List the names of the cookies in the first 16 KiB of Cookie fields, once each, as Latin-1 text."""
    return list(dict.fromkeys(name.decode("latin-1") for name, _ in _cookie_pairs(headers)))


def sends_gpc(headers: RawHeaders) -> bool:
    """Say whether a Sec-GPC field is exactly `1`, or a list that a proxy joined from fields of which one is.

    Source: Global Privacy Control, section "The Sec-GPC Header Field for HTTP Requests".
    """
    for name, value in headers:
        if name == b"sec-gpc":
            for part in value.split(b","):
                if part.strip(b" \t") == b"1":
                    return True
    return False


def proves_same_origin(headers: RawHeaders, origins: Collection[bytes]) -> bool:
    """Say whether an unsafe request came from a page of one of these origins, or from no browser at all.

    `Sec-Fetch-Site` decides where it is present (Fetch Metadata); beside it, `Origin` has to be ours or `null`, which
    pages under `Referrer-Policy: no-referrer` send. Without it `Origin` has to be ours (RFC 6454), and without both a
    `Referer`, if there is one. Repeated fields and lists never pass.
    """
    sites = header_values(headers, b"sec-fetch-site")
    sent = header_values(headers, b"origin")
    if len(sites) > 1 or len(sent) > 1:
        return False
    if sites:
        return sites[0] in (b"same-origin", b"none") and (
            not sent or sent[0] in origins or sent[0] == b"null"
        )
    if sent:
        return sent[0] in origins
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
    """Return a path of this site that a visitor may be sent back to; `/` for anything else.

    Printable ASCII without backslash, at most 1 KiB, starting with exactly one slash, and not under `prefix` (which
    includes the root path), so that no redirect can leave the site or loop (OWASP, unvalidated redirects). Escapes and
    dots do not hide the prefix: browsers resolve the one, servers the other.
    """
    if not value or len(value) > RETURN_PATH_LENGTH or not _LOCAL_PATH.fullmatch(value):
        return "/"
    path = posixpath.normpath(unquote(re.split(r"[?#]", value, maxsplit=1)[0]))
    if path == prefix or path.startswith(prefix + "/"):
        return "/"
    return value


def preferred_language(headers: RawHeaders, languages: Sequence[str]) -> str:
    """Choose the language that the visitor likes best of these (RFC 4647 look-up), else the first.

    A range matches a tag that it equals, or that is a prefix of either at a hyphen: `nl-BE` finds `nl`, and `pt` finds
    `pt-BR`; `*` stands for those that no other range names. The first 1 KiB is read.
    """
    field = b",".join(header_values(headers, b"accept-language"))
    return _negotiated(field[:LANGUAGE_BYTES_READ], tuple(languages)) if field else languages[0]


@lru_cache(maxsize=256)
def _negotiated(field: bytes, languages: tuple[str, ...]) -> str:
    ranges: list[tuple[float, int, str]] = []
    for place, part in enumerate(field.decode("latin-1").split(",")):
        match = _LANGUAGE_RANGE.fullmatch(part.strip(" \t"))
        if match:
            ranges.append((-float(match[2] or 1), place, match[1].lower()))
    named = [wanted for _, _, wanted in ranges]
    for quality, _, wanted in sorted(ranges):
        if wanted == "*":
            found = [one for one in languages if not any(_finds(other, one) for other in named)]
        else:
            found = _look_up(wanted, languages)
        if quality and found:
            return found[0]
    return languages[0]


def _finds(wanted: str, language: str) -> bool:
    """Say whether a range in lower case equals a tag or is a prefix of it."""
    return f"{language.lower()}-".startswith(f"{wanted}-")


def _look_up(wanted: str, languages: Sequence[str]) -> list[str]:
    """List the tags that a range finds, an equal one first; where there are none, those that its prefixes find."""
    while wanted:
        found = [language for language in languages if _finds(wanted, language)]
        if found:
            return sorted(found, key=lambda language: language.lower() != wanted)
        wanted = wanted.rpartition("-")[0]
    return []
