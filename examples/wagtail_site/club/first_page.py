"""The first page of a new site, so that there is something to see."""

from django.utils import timezone
from wagtail.embeds.embeds import get_embed_hash
from wagtail.embeds.models import Embed
from wagtail.models import Page, Site

from examples.wagtail_site.club.models import ArticlePage

__all__ = ["add_first_page"]

STRETCH = "https://www.youtube.com/watch?v=DIj6CibnWOA"
WARM_UP = "https://www.youtube.com/watch?v=0AxnU-Q9HVs"


def add_first_page() -> None:
    """Replace Wagtail's welcome page by an article with two videos, unless there is an article."""
    if ArticlePage.objects.exists():
        return
    for url, title in ((STRETCH, "The hamstring stretch"), (WARM_UP, "Leg swings")):
        _remember_embed(url, title)
    root, site = Page.get_first_root_node(), Site.objects.get(is_default_site=True)
    welcome = site.root_page
    article = ArticlePage(
        title="Stretch well",
        slug="stretch-well",
        intro=f'<p>Two minutes before every run.</p><embed embedtype="media" url="{WARM_UP}"/>',
        body=[
            ("text", "<h2>Afterwards</h2><p>Hold each stretch for half a minute.</p>"),
            ("embed", {"url": STRETCH, "title": "The hamstring stretch lying on your back", "kind": "video"}),
        ],
    )
    site.root_page = root.add_child(instance=article)
    site.save()
    welcome.delete()


def _remember_embed(url: str, title: str) -> None:
    """Store what YouTube answers about a video, as Wagtail does once it has asked, so that the demo needs no network."""
    player = f"https://www.youtube.com/embed/{url.partition('v=')[2]}?feature=oembed"
    Embed.objects.create(
        hash=get_embed_hash(url),
        url=url,
        type="video",
        title=title,
        html=f'<iframe width="200" height="113" src="{player}" allowfullscreen></iframe>',
        provider_name="YouTube",
        width=200,
        height=113,
        last_updated=timezone.now(),
    )
