from wagtail.blocks import RichTextBlock
from wagtail.embeds.blocks import EmbedBlock
from wagtail.fields import RichTextField, StreamField
from wagtail.models import Page

from consentkit.wagtail.blocks import ConsentEmbedBlock


class HomePage(Page):
    """A page with embeds in every place where editors can put them."""

    intro = RichTextField(blank=True)
    body = StreamField(
        [("text", RichTextBlock()), ("plain", EmbedBlock()), ("embed", ConsentEmbedBlock())], blank=True
    )
    template = "wagtail_home/home_page.html"
