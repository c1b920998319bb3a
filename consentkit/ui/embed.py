"""The figure that embeds a vendor's content, with a frame that loads from this site until the vendor is granted."""

from hashlib import blake2s
from urllib.parse import urlencode

from markupsafe import Markup

__all__ = ["figure"]

_FIGURE = Markup(
    '<figure class="cookie-consent-embed" id="{id}">'
    '<iframe src="{base}/embed/{vendor}?{query}" title="{title}" loading="lazy" '
    'allow="fullscreen; autoplay; encrypted-media; picture-in-picture"></iframe>'
    '<figcaption><a href="{link}" rel="noopener noreferrer">{title}</a></figcaption></figure>'
)


def figure(
    vendor: str,
    url: str,
    title: str,
    *,
    signature: str,
    base: str,
    page: str | None,
    link: str | None = None,
    kind: str = "content",
    poster: str = "",
) -> Markup:
    """Return the figure that embeds a vendor's content.

    Args:
        vendor: id of the vendor.
        url: address of the content.
        title: name of the frame, and text of the link below it.
        signature: of vendor, address, title and poster, without which the frame does not load.
        base: path of the library's pages.
        page: path of the page with the figure, to return to after a decision; None if there is none to return to.
        link: address of the link; None for that of the content.
        kind: what is embedded, one of `EMBED_KINDS`.
        poster: path of the picture that the placeholder shows; empty for none.
    """
    figure_id = f"consent-embed-{blake2s(f'{vendor} {url}'.encode(), digest_size=4).hexdigest()}"
    query = {"u": url, "s": signature} | ({"next": f"{page}#{figure_id}"} if page else {})
    if kind != "content":
        query["kind"] = kind
    query |= {name: text for name, text in (("title", title), ("poster", poster)) if text}
    return _FIGURE.format(
        id=figure_id, base=base, vendor=vendor, query=urlencode(query), title=title, link=link or url
    )
