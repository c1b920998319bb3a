"""What templates ask, for Jinja2: one block and one function.

    {% consent "social" vendor="youtube" %}…{% else %}…{% endconsent %}
    {{ consent_embed("youtube", url, title="A stretch in two minutes") }}

Both are there after

    consentkit.jinja.install(templates.env)

The template's context needs `request`, as Starlette's and FastAPI's Jinja2Templates give it; for the block `consent` will do, the
object that `get_consent` returns. A page with a block depends on the visitor; a page with embeds is the same for everybody.
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
from consentkit.ui import figure
from consentkit.web import RequestConsent, head_of, manager_of

__all__ = ["ConsentExtension", "group_link", "install", "link_to_group"]


def install(environment: Environment) -> None:
    """Teach an environment the block and the function."""
    environment.add_extension(ConsentExtension)


class ConsentExtension(Extension):
    """The block, and the function among the globals."""

    tags = {"consent"}  # noqa: RUF012 - Jinja2's own interface

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.globals["consent_embed"] = consent_embed

    def parse(self, parser: Parser) -> nodes.Node:
        """Read the block; both of its arms are optional, as in `{% if %}`."""
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
        """Ask the consent of the request that is being answered.

        Raises:
            UnknownIdError: the policy lacks the category, or the vendor in it.
            MissingMiddlewareError: the context leads to no consent.
        """
        return _consent_in(context).allows(category, vendor)


@pass_context
def consent_embed(context: Context, vendor: str, url: str, *, title: str, link: str | None = None) -> Markup:
    """Write a frame that holds the vendor's content once it is allowed, and a placeholder before.

    Args:
        context: that of the template.
        vendor: id of the third party.
        url: the address of the content, within the vendor's frame origins.
        title: what the content is; read out as the name of the frame, and the text of the plain link below it.
        link: where that link leads, where it is not the address itself.

    Raises:
        UnknownVendorError: the policy has no such vendor.
        ConfigurationError: the address lies elsewhere.
        MissingMiddlewareError: the context leads to no consent.
    """
    consent = _consent_in(context)
    manager, head = manager_of(consent), head_of(consent)
    declared = manager.policy.vendor(vendor)
    if not is_within(url, declared.origins.frame):
        raise ConfigurationError(
            f"consent_embed: {url!r} does not lie within the frame origins of vendor {vendor!r}: declare its origin under "
            "`origins.frame` in the policy, or embed an address that lies there."
        )
    base = own_path(head.root_path, manager.prefix)
    return figure(vendor, url, title, base=base, page=head.target, link=link)


def _consent_in(context: Context) -> RequestConsent:
    """Return the visitor's consent out of a template's context: `consent`, or the one that `request` carries."""
    state = getattr(context.get("request"), "scope", {}).get("state", {})
    for value in (context.get("consent"), state.get("consent")):
        if isinstance(value, RequestConsent):
            return value
    raise MissingMiddlewareError(
        "The template's context has neither a `request` that passed through ConsentMiddleware nor `consent`: add one of them, "
        "and import macros `with context`."
    )


def link_to_group(consent: RequestConsent, address: str) -> str:
    """Return an address for a link on this visitor's page; the answer then depends on the visitor."""
    manager = manager_of(consent)
    if manager.private_key is None:
        return address
    led = handoff_address(address, site=manager.site, origins=manager.origins, prefix=manager.prefix)
    return led if led != address and consent.status.decided else address


@pass_context
def group_link(context: Context, address: str) -> str:
    """Return what `link_to_group` does, as a Jinja2 filter; takes `consent` or `request` out of the template's context.

    Raises:
        MissingMiddlewareError: the context leads to no consent.
    """
    plain = address.unescape() if isinstance(address, Markup) else address
    return link_to_group(_consent_in(context), plain)
