"""The one type of page: an article, in which editors embed what they like."""

from wagtail.admin.panels import FieldPanel
from wagtail.blocks import RichTextBlock
from wagtail.fields import RichTextField, StreamField
from wagtail.models import Page

from consentkit.wagtail.blocks import ConsentEmbedBlock

__all__ = ["ArticlePage"]


class ArticlePage(Page):
    """An introduction in rich text, and a body of text and embeds. Embeds of both become placeholders."""

    intro = RichTextField(features=["bold", "italic", "link", "embed"], blank=True)
    body = StreamField([("text", RichTextBlock()), ("embed", ConsentEmbedBlock())], blank=True)

    content_panels = (*Page.content_panels, FieldPanel("intro"), FieldPanel("body"))
    template = "club/article_page.html"
