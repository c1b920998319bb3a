"""Template tags: a block that needs consent, embedded content, the settings link, and links to other sites of the group.

::

    {% load consent %}
    {% consent "social" vendor="youtube" %}…{% else %}…{% endconsent %}
    {% consent_embed "youtube" url title="A stretch in two minutes" %}
    {% consent_settings "Cookie settings" %}
    <a href="{% consent_link 'https://trailhead.example/' %}">Trailhead</a>

The context needs `request`, which the context processor of Django adds, or `consent`, which ours adds.
"""

from typing import Any

from django import template
from django.template.base import FilterExpression, NodeList, Parser, Token, token_kwargs
from django.template.context import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString

from consentkit.django.request_head import get_consent
from consentkit.errors import MissingMiddlewareError
from consentkit.headers import own_path
from consentkit.jinja import embed, link_to_group
from consentkit.web import RequestConsent, head_of, manager_of

__all__ = ["register"]

register = template.Library()


class _ConsentNode(template.Node):
    child_nodelists = ("allowed", "otherwise")

    def __init__(
        self,
        category: FilterExpression,
        vendor: FilterExpression | None,
        allowed: NodeList,
        otherwise: NodeList,
    ) -> None:
        self._category = category
        self._vendor = vendor
        self.allowed = allowed
        self.otherwise = otherwise

    def render(self, context: Context) -> SafeString:
        """Render the part that fits the visitor's consent."""
        vendor = None if self._vendor is None else self._vendor.resolve(context)
        is_allowed = _consent_in(context).allows(self._category.resolve(context), vendor)
        return (self.allowed if is_allowed else self.otherwise).render(context)


@register.tag("consent")
def consent_block(parser: Parser, token: Token) -> template.Node:
    """Show a block only if a category, or a vendor of it, is allowed; `{% else %}` is optional."""
    bits = token.split_contents()[1:]
    options = token_kwargs(bits[1:], parser)
    if not bits or len(options) != len(bits) - 1 or not set(options) <= {"vendor"}:
        raise template.TemplateSyntaxError(
            'Expected {% consent "category" %} or {% consent "category" vendor="id" %}, found {% '
            f"{token.contents} %}}."
        )
    category = parser.compile_filter(bits[0])
    allowed = parser.parse(("else", "endconsent"))
    otherwise = NodeList()
    if parser.next_token().contents == "else":
        otherwise = parser.parse(("endconsent",))
        parser.delete_first_token()
    return _ConsentNode(category, options.get("vendor"), allowed, otherwise)


@register.simple_tag(takes_context=True)
def consent_embed(context: Context, vendor: str, url: str, **options: Any) -> SafeString:
    """Show a placeholder, and the vendor's content once it is allowed. The page is the same for every visitor.

    `title` says what the content is; `link`, `kind` and `poster` are optional, as in `consentkit.jinja.consent_embed`.
    """
    return SafeString(embed(_consent_in(context), vendor, url, **options))


@register.simple_tag(takes_context=True)
def consent_settings(context: Context, text: str) -> SafeString:
    """Show the link to the settings in the site's own place. The library then adds none at the end of the page."""
    consent = _consent_in(context)
    address = own_path(head_of(consent).root_path, manager_of(consent).prefix)
    return format_html('<a class="site-privacy-settings" href="{}">{}</a>', address, text)


@register.simple_tag(takes_context=True)
def consent_scripts(context: Context) -> SafeString:
    """Add the loader to a page that the middleware leaves alone. On other pages the loader does nothing."""
    head, manager = head_of(_consent_in(context)), manager_of(_consent_in(context))
    return format_html(
        '<script src="{}" defer></script>', own_path(head.root_path, f"{manager.prefix}/loader.js")
    )


@register.simple_tag(takes_context=True)
def consent_link(context: Context, address: str) -> str:
    """Return the address for a link to another site of the group, which takes the visitor's choice along."""
    return link_to_group(_consent_in(context), address)


def _consent_in(context: Context) -> RequestConsent:
    """Return the visitor's consent from a template's context.

    Raises:
        MissingMiddlewareError: the context has neither `consent` nor `request`.
    """
    consent, request = context.get("consent"), context.get("request")
    if isinstance(consent, RequestConsent):
        return consent
    if request is not None:
        return get_consent(request)
    raise MissingMiddlewareError(
        "The template's context has neither `request` nor `consent`: render it with the request, and add "
        "'django.template.context_processors.request' to the context processors in TEMPLATES."
    )
