"""Which addresses may be shown in a frame of a vendor, and the frame that asks for one. Pure."""

import re
from collections.abc import Iterable
from hashlib import blake2s
from urllib.parse import urlencode

from markupsafe import Markup

__all__ = ["figure", "is_within"]

LONGEST_ADDRESS = 2048
# Read by hand: what a browser and a parser could read differently (backslashes, white space, user names, `//`, other
# letter case in the scheme or host) is no address here at all.
_ADDRESS = re.compile(
    r"(https://([a-z0-9](?:[a-z0-9._-]*[a-z0-9])?(?::[1-9][0-9]{0,4})?))(?:[/?#][!#-;=?-\[\]_a-z~]*)?"
)
_FIGURE = Markup(
    '<figure class="cookie-consent-embed" id="{id}">'
    '<iframe src="{base}/embed/{vendor}?{query}" title="{title}" loading="lazy" '
    'allow="fullscreen; autoplay; encrypted-media; picture-in-picture"></iframe>'
    '<figcaption><a href="{link}" rel="noopener noreferrer">{title}</a></figcaption></figure>'
)


def is_within(address: str, origins: Iterable[str]) -> bool:
    """Say whether an https address has one of the origins; `https://*.example.com` stands for its sub-domains."""
    match = _ADDRESS.fullmatch(address) if len(address) <= LONGEST_ADDRESS else None
    if match is None:
        return False
    origin, host = match[1], match[2]
    for one in origins:
        wildcard = one.partition("://*")[2]
        if origin == one or (wildcard and host.endswith(wildcard) and not host.startswith(wildcard)):
            return True
    return False


def figure(
    vendor: str, url: str, title: str, *, base: str, page: str | None, link: str | None = None
) -> Markup:
    """Write the figure that embeds a vendor's content.

    `base` is where the library answers, `page` the path that the figure stands on, `link` the address that people follow instead.
    """
    name = f"consent-embed-{blake2s(f'{vendor} {url}'.encode(), digest_size=4).hexdigest()}"
    query = {"u": url} | ({"next": f"{page}#{name}"} if page else {})
    return _FIGURE.format(
        id=name, base=base, vendor=vendor, query=urlencode(query), title=title, link=link or url
    )
