"""The requests that are recorded at the library's own addresses, as tables: name, then what differs from a plain GET."""

from typing import Any

from tests.contract.worlds import KEY
from tests.support.embeds import embed_path

Case = dict[str, Any]

ORIGIN = "https://stride.example"
VIDEO = "https://www.youtube-nocookie.com/embed/abc?rel=0"
EMBED = embed_path("youtube", VIDEO, key=KEY)
JSON_TYPE = ("content-type", "application/json")
FORM_TYPE = ("content-type", "application/x-www-form-urlencoded")


def json(body: str, method: str = "POST", path: str = "/decision", *headers: tuple[str, str]) -> Case:
    return {"path": path, "method": method, "body": body.encode(), "headers": [JSON_TYPE, *headers]}


def form(body: str, path: str = "/decision", *headers: tuple[str, str]) -> Case:
    return {"path": path, "method": "POST", "body": body.encode(), "headers": [FORM_TYPE, *headers]}


def get(path: str, *headers: tuple[str, str]) -> Case:
    return {"path": path, "headers": list(headers)}


# Of every visitor
READING: dict[str, Case] = {
    "preferences": get(""),
    "preferences with next": get("?next=/shoes%3Fa%3Db", ("accept-language", "nl")),
    "policy": get("/policy"),
    "sites": get("/sites"),
    "banner": get("/banner?next=/a"),
    "settings": get("/settings"),
    "decision": get("/decision"),
    "decision with GPC": get("/decision", ("sec-gpc", "1")),
    "embed": get(f"{EMBED}&next=/videos%23v"),
    "HEAD of preferences": {"path": "", "method": "HEAD"},
    "HEAD of decision": {"path": "/decision", "method": "HEAD"},
}

# Of no visitor in particular
COMMON: dict[str, Case] = {
    "policy.json": get("/policy.json"),
    "policy.json in Dutch": get("/policy.json", ("accept-language", "nl-BE, en;q=0.5")),
    "sites.json": get("/sites.json"),
    "HEAD of sites.json": {"path": "/sites.json", "method": "HEAD"},
    "policy in Dutch": get("/policy", ("accept-language", "nl")),
    "banner in Dutch": get("/banner", ("accept-language", "nl")),
    "notice that is unknown": get("/notices/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    "notice of no digest": get("/notices/a/b"),
    "no such address": get("/nothing"),
    "no such address, for a browser": get("/nothing", ("accept", "text/html")),
    "slash at the end": get("/"),
    "asset of another hash": get("/assets/consent.000000000000.js"),
    "POST to the policy": {"path": "/policy", "method": "POST"},
    "PUT to the decision": {"path": "/decision", "method": "PUT"},
    "OPTIONS of the decision": {"path": "/decision", "method": "OPTIONS"},
    "GET of withdraw": get("/withdraw"),
    "TRACE of withdraw, for a browser": {
        "path": "/withdraw",
        "method": "TRACE",
        "headers": [("accept", "text/html")],
    },
    "embed without an address": get("/embed/youtube"),
    "embed of another origin": get("/embed/youtube?u=https://evil.example/"),
    "embed of http": get("/embed/youtube?u=http://www.youtube-nocookie.com/"),
    "embed of an unknown vendor": get("/embed/nobody?u=https://www.youtube-nocookie.com/"),
    "embed of a vendor without frames": get("/embed/google-analytics?u=https://www.youtube-nocookie.com/"),
    "embed without a signature": get(EMBED.partition("&s=")[0]),
    "embed with two addresses": get(f"{EMBED}&u=x"),
    "embed with a forged token": get(f"{EMBED}&t=1788177660.AAAA"),
    "embed with odd fields": get(f"{EMBED}&z=1&next=//evil.example"),
    "embed in no UTF-8": get("/embed/youtube?u=%ff"),
    "preferences with a next of another site": get("?next=https://evil.example/"),
    "preferences under the prefix": get("?next=/consent/policy"),
}

# Each of a visitor of its own, followed by what the decision is then
CHANGING: dict[str, Case] = {
    "accept all": json('{"choice":"accept_all"}'),
    "reject all": json('{"choice":"reject_all"}'),
    "replace": json('{"categories":{"analytical":true},"vendors":{"youtube":true}}'),
    "replace with a vendor refused": json(
        '{"categories":{"social":true,"functional":true},"vendors":{"youtube":false}}'
    ),
    "replace with nothing": json('{"categories":{}}'),
    "merge a category": json('{"categories":{"tracking":true}}', "PATCH"),
    "merge a refusal": json('{"categories":{"analytical":false}}', "PATCH"),
    "merge a vendor": json('{"vendors":{"adhub":true}}', "PATCH"),
    "merge nothing": json('{"categories":{}}', "PATCH"),
    "take everything back": {"path": "/decision", "method": "DELETE"},
    "take one category back": {"path": "/decision?category=analytical&surface=policy", "method": "DELETE"},
    "form: accept all": form("choice=accept_all&next=/a%3Fb&surface=banner&language=nl"),
    "form: reject all": form("choice=reject_all&surface=banner"),
    "form: save": form("choice=save&category.analytical=on&category.social=off&vendor.adhub=on&next=/b"),
    "form: change": form("choice=change&vendor.youtube=on&surface=embed&next=/videos%23v"),
    "form: withdraw": form("next=/c", "/withdraw"),
    "form: withdraw one": form("category=social&next=/c&surface=preferences", "/withdraw"),
    "load once": {
        "path": f"{EMBED}&next=/v",
        "method": "POST",
        "headers": [("sec-fetch-site", "same-origin")],
    },
    "with GPC": json(
        '{"choice":"accept_all","surface":"preferences","language":"nl"}',
        "POST",
        "/decision",
        ("sec-gpc", "1"),
    ),
}
CHANGERS = ("never answered", "accepted", "refused", "partial", "withdrawn", "expired", "narrowed elsewhere")

_DEEP = '{"categories":' * 12 + "{}" + "}" * 12
FAULTY: dict[str, Case] = {
    "empty JSON": json(""),
    "empty object": json("{}"),
    "list": json("[]"),
    "no JSON": json("{"),
    "not UTF-8": {
        "path": "/decision",
        "method": "POST",
        "body": b'{"choice":"\xff"}',
        "headers": [JSON_TYPE],
    },
    "key twice": json('{"categories":{},"categories":{"social":true}}'),
    "NaN": json('{"categories":{"social":NaN}}'),
    "text for a boolean": json('{"categories":{"social":"true"}}'),
    "number for a boolean": json('{"categories":{"social":1}}'),
    "unknown key": json('{"categories":{},"other":1}'),
    "unknown category": json('{"categories":{"nothing":true}}'),
    "unknown vendor": json('{"vendors":{"nobody":true}}'),
    "required category refused": json('{"categories":{"functional":false}}'),
    "deep": json(_DEEP),
    "choice and categories": json('{"choice":"accept_all","categories":{}}'),
    "choice save in JSON": json('{"choice":"save"}'),
    "choice in PATCH": json('{"choice":"accept_all"}', "PATCH"),
    "next in JSON": json('{"choice":"accept_all","next":"/"}'),
    "unknown surface": json('{"choice":"accept_all","surface":"other"}'),
    "unknown notice": json('{"choice":"accept_all","notice":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}'),
    "unknown notice in PATCH": json('{"categories":{},"notice":"AAA"}', "PATCH"),
    "unknown notice in a form": form("choice=accept_all&notice=AAA"),
    "form without a choice": form("category.social=on"),
    "form with an odd value": form("choice=save&category.social=yes"),
    "form with an unknown field": form("choice=save&other=1"),
    "form with a field twice": form("choice=save&choice=accept_all"),
    "form with an unknown category": form("choice=save&category.nothing=on"),
    "form not encoded": form("choice=save&next=%ff"),
    "form with raw bytes": form("choice=save&next=ü"),
    "form of too many fields": form("choice=save&" + "&".join(f"vendor.v{n}=on" for n in range(1300))),
    "empty form": form(""),
    "text": {
        "path": "/decision",
        "method": "POST",
        "body": b"x",
        "headers": [("content-type", "text/plain")],
    },
    "no type": {"path": "/decision", "method": "POST", "body": b"{}"},
    "JSON in Latin-1": json('{"choice":"accept_all"}', "POST", "/decision")
    | {"headers": [("content-type", "application/json; charset=latin-1")]},
    "JSON with charset": json('{"choice":"accept_all"}')
    | {"headers": [("content-type", 'Application/JSON; charset="UTF-8"')]},
    "encoded body": json('{"choice":"accept_all"}', "POST", "/decision", ("content-encoding", "gzip")),
    "two types": json('{"choice":"accept_all"}', "POST", "/decision", JSON_TYPE),
    "form to PATCH": form("choice=save") | {"method": "PATCH"},
    "JSON to withdraw": json("{}", "POST", "/withdraw"),
    "withdraw with a choice": form("choice=accept_all", "/withdraw"),
    "declared too large": json("{}", "POST", "/decision", ("content-length", "16385")),
    "too large": json('{"categories":{}' + " " * 16384 + "}"),
    "too large in pieces": {
        "path": "/decision",
        "method": "POST",
        "body": [b" " * 9000, b" " * 9000],
        "headers": [JSON_TYPE],
    },
    "as large as may be": json('{"choice":"reject_all"}'.ljust(16384)),
    "too large a form": form("choice=save&next=/" + "a" * 16384),
    "unknown category taken back": {"path": "/decision?category=nothing", "method": "DELETE"},
    "required category taken back": {"path": "/decision?category=functional", "method": "DELETE"},
    "misspelt query": {"path": "/decision?kategory=social", "method": "DELETE"},
    "load once with JSON": {
        "path": EMBED,
        "method": "POST",
        "body": b"{}",
        "headers": [JSON_TYPE, ("sec-fetch-site", "same-origin")],
    },
    "load once outside a browser": {"path": EMBED, "method": "POST"},
    "load once of another origin": {"path": "/embed/youtube?u=https://evil.example/", "method": "POST"},
    "DELETE of embed": {"path": EMBED, "method": "DELETE"},
}

NULL, CROSS = ("origin", "null"), ("sec-fetch-site", "cross-site")
OWN, SAME = ("origin", ORIGIN), ("sec-fetch-site", "same-origin")
ORIGINS: dict[str, list[tuple[str, str]]] = {
    "none": [],
    "own origin": [OWN],
    "null": [NULL],
    "other origin": [("origin", "https://evil.example")],
    "sister site": [("origin", "https://trailhead.example")],
    "http": [("origin", "http://stride.example")],
    "another port": [("origin", f"{ORIGIN}:8443")],
    "usual port": [("origin", f"{ORIGIN}:443")],
    "capitals": [("origin", "https://STRIDE.example")],
    "look-alike": [("origin", f"{ORIGIN}.evil.example")],
    "list": [("origin", f"{ORIGIN} https://evil.example")],
    "two origins": [OWN, OWN],
    "empty origin": [("origin", "")],
    "same-origin": [SAME],
    "same-origin and own": [SAME, OWN],
    "same-origin and null": [SAME, NULL],
    "same-origin and other": [SAME, ("origin", "https://evil.example")],
    "typed in": [("sec-fetch-site", "none")],
    "cross-site": [CROSS],
    "cross-site and own": [CROSS, OWN],
    "same-site": [("sec-fetch-site", "same-site"), OWN],
    "two sites": [SAME, SAME],
    "odd site": [("sec-fetch-site", "Same-Origin")],
    "own referer": [("referer", f"{ORIGIN}/a?b")],
    "other referer": [("referer", "https://evil.example/https://stride.example/")],
    "two referers": [("referer", f"{ORIGIN}/"), ("referer", f"{ORIGIN}/")],
    "referer with a user": [("referer", f"{ORIGIN}@evil.example/")],
    "own origin, other referer": [OWN, ("referer", "https://evil.example/")],
}

NEXT = {
    "path": "/a/b",
    "query": "/a%3Fb%3Dc%26d",
    "fragment": "/a%23b",
    "none": "",
    "relative": "a",
    "two slashes": "//evil.example",
    "backslash": "/%5Cevil.example",
    "backslash inside": "/a%5Cb",
    "address": "https://evil.example/",
    "script": "javascript:alert(1)",
    "tab": "/%09/evil.example",
    "line end": "/a%0d%0aset-cookie:x",
    "non-ASCII": "/%C3%BC",
    "space": "/a%20b",
    "prefix": "/consent",
    "under the prefix": "/consent/policy",
    "prefix escaped": "/%2563onsent/policy",
    "prefix through dots": "/a/../consent/policy",
    "like the prefix": "/consenting",
    "1024 characters": "/" + "a" * 1023,
    "1025 characters": "/" + "a" * 1024,
}

_APP: Case = {"root_path": "/app"}
ROOTED: dict[str, Case] = {
    "preferences": get("") | _APP,
    "settings": get("/settings?next=/app/a") | _APP,
    "banner": get("/banner?next=/app/consent/policy") | _APP,
    "decision": get("/decision") | _APP,
    "embed": get(f"{EMBED}&next=/app/v") | _APP,
    "load once": {
        "path": f"{EMBED}&next=/app/v",
        "method": "POST",
        "headers": [("sec-fetch-site", "same-origin")],
    }
    | _APP,
    "form": form("choice=accept_all&next=/app/a") | _APP,
    "form under the prefix": form("choice=accept_all&next=/app/consent/policy") | _APP,
    "form under the bare prefix": form("choice=accept_all&next=/consent/policy") | _APP,
    "withdraw": form("next=/app/a", "/withdraw") | _APP,
}
