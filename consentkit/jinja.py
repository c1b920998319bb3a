"""For Jinja2: a template block that needs consent, embedded content, and links to other sites of the group.

    {% consent "social" vendor="youtube" %}…{% else %}…{% endconsent %}
    {{ consent_embed("youtube", url, title="A stretch in two minutes") }}

Add block and function to an environment with

    consentkit.jinja.install(templates.env)

The template's context needs `request`, which Starlette's and FastAPI's Jinja2Templates add, or `consent`, the object that
`get_consent` returns. A page with a block depends on the visitor. A page with embeds is the same for every visitor.
"""

from jinja2 import Environment, nodes, pass_context
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.runtime import Context
from markupsafe import Markup

from consentkit.enforcement import is_within
from consentkit.errors import ConfigurationError, MissingMiddlewareError
from consentkit.handoff import handoff_address
from consentkit.headers import own_path
from consentkit.ui import EMBED_KINDS, figure
from consentkit.web import EmbedSigner, RequestConsent, head_of, manager_of

__all__ = ["ConsentExtension", "embed", "group_link", "install", "link_to_group"]


def install(environment: Environment) -> None:
    """Add the block `consent` and the function `consent_embed` to an environment."""
    environment.add_extension(ConsentExtension)


class ConsentExtension(Extension):
    """Adds the block `consent` and the global function `consent_embed`."""

    tags = {"consent"}  # noqa: RUF012 - Jinja2's own interface

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.globals["consent_embed"] = consent_embed

    def parse(self, parser: Parser) -> nodes.Node:
        """Parse the block, whose `else` is optional as in `{% if %}`."""
        line = next(parser.stream).lineno
        category = parser.parse_expression()
        vendor: nodes.Expr = nodes.Const(None)
        if parser.stream.skip_if("comma"):
            pass
        if parser.stream.current.test("name:vendor"):
            next(parser.stream)
            parser.stream.expect("assign")
            vendor = parser.parse_expression()
        body = parser.parse_statements(("name:else", "name:endconsent"))
        otherwise: list[nodes.Node] = []
        if next(parser.stream).value == "else":
            otherwise = parser.parse_statements(("name:endconsent",), drop_needle=True)
        test = self.call_method("allows", [nodes.ContextReference(), category, vendor])
        return nodes.If(test, body, [], otherwise).set_lineno(line)

    def allows(self, context: Context, category: str, vendor: str | None) -> bool:
        """Return whether the visitor's consent allows a category, or a vendor of it.

        Raises:
            UnknownIdError: the policy has no such category, or no such vendor in it.
            MissingMiddlewareError: the template's context has no consent.
        """
        return _consent_in(context).allows(category, vendor)


@pass_context
def consent_embed(
    context: Context,
    vendor: str,
    url: str,
    *,
    title: str,
    link: str | None = None,
    kind: str = "content",
    poster: str = "",
    absolute: bool = False,
) -> Markup:
    """Return the markup of a frame with a placeholder, which shows the vendor's content once it is allowed.

    Args:
        context: of the template.
        vendor: id of the third party.
        url: address of the content, within the vendor's frame origins.
        title: what the content is. It names the frame, and is the heading of the placeholder and the plain link below.
        link: where the plain link leads; None for `url`.
        kind: what is embedded, for the words of the placeholder: `video`, `audio`, `map`, `post`, `comments` or `content`.
        poster: path of a picture on this site, such as `/static/stretch.jpg`, that the placeholder shows; empty for none.
        absolute: whether the frame's address has this site's origin, for a page of another origin (`frontends`).

    Raises:
        UnknownVendorError: the policy has no such vendor.
        ConfigurationError: the address is not within the vendor's frame origins, there is no such kind, or the poster is not a
            path.
        MissingMiddlewareError: the template's context has no consent.
    """
    consent = _consent_in(context)
    return embed(consent, vendor, url, title=title, link=link, kind=kind, poster=poster, absolute=absolute)


def embed(
    consent: RequestConsent,
    vendor: str,
    url: str,
    *,
    title: str,
    link: str | None = None,
    kind: str = "content",
    poster: str = "",
    absolute: bool = False,
) -> Markup:
    """Return the markup of a frame with a placeholder, for pages that Jinja2 does not render.

    The arguments are those of `consent_embed`, after the consent that `get_consent` returns. The response does not depend on
    the visitor.

    Raises:
        UnknownVendorError: the policy has no such vendor.
        ConfigurationError: the address is not within the vendor's frame origins, there is no such kind, or the poster is not a
            path.
    """
    manager, head = manager_of(consent), head_of(consent)
    declared = manager.policy.vendor(vendor)
    if not is_within(url, declared.origins.frame):
        raise ConfigurationError(
            f"consent_embed: {url!r} is not within the frame origins of vendor {vendor!r}: declare its origin under "
            "`origins.frame` in the policy, or embed another address."
        )
    if kind not in EMBED_KINDS:
        raise ConfigurationError(
            f"consent_embed: there is no kind {kind!r}: use one of {', '.join(EMBED_KINDS)}, or leave it out."
        )
    _check_poster(poster)
    origin = manager.origins[manager.site][0] if absolute else ""
    return figure(
        vendor,
        url,
        title,
        signature=EmbedSigner(manager).sign(vendor, url, title=title, poster=poster),
        base=origin + own_path(head.root_path, manager.prefix),
        page=None if absolute else head.target,
        link=link,
        kind=kind,
        poster=poster,
    )


def _check_poster(poster: str) -> None:
    if poster and (not poster.startswith("/") or poster.startswith("//")):
        raise ConfigurationError(
            f"consent_embed: poster = {poster!r} is not a path on this site: write it like '/static/stretch.jpg'."
        )


def _consent_in(context: Context) -> RequestConsent:
    """Return the visitor's consent from a template's context: `consent`, or the consent of `request`."""
    request = context.get("request")
    state = getattr(request, "scope", {}).get("state", {})
    # Django's requests have it as an attribute.
    for value in (context.get("consent"), state.get("consent"), getattr(request, "consent", None)):
        if isinstance(value, RequestConsent):
            return value
    raise MissingMiddlewareError(
        "The template's context has neither a `request` that passed through ConsentMiddleware nor `consent`: add one of them, "
        "and import macros `with context`."
    )


def link_to_group(consent: RequestConsent, address: str) -> str:
    """Return the address for a link to another site of the group, which takes the visitor's choice along.

    The response depends on the visitor if the address is on another site of the group.
    """
    manager = manager_of(consent)
    if manager.private_key is None:
        return address
    by_handoff = handoff_address(address, site=manager.site, origins=manager.origins, prefix=manager.prefix)
    return by_handoff if by_handoff != address and consent.status.decided else address


@pass_context
def group_link(context: Context, address: str) -> str:
    """Return the same as `link_to_group`, as a Jinja2 filter; the template's context needs `consent` or `request`.

    Raises:
        MissingMiddlewareError: the template's context has no consent.
    """
    plain = address.unescape() if isinstance(address, Markup) else address
    return link_to_group(_consent_in(context), plain)
