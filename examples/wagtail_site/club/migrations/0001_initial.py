"""The table of articles. It depends on an early migration of Wagtail, as in a new project, so that every version fits."""

import django.db.models.deletion
import wagtail.blocks
import wagtail.fields
from django.db import migrations, models

from consentkit.wagtail.blocks import ConsentEmbedBlock


class Migration(migrations.Migration):
    """Makes the table of `ArticlePage`."""

    initial = True
    dependencies = (("wagtailcore", "0040_page_draft_title"),)
    operations = (
        migrations.CreateModel(
            name="ArticlePage",
            fields=[
                (
                    "page_ptr",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        parent_link=True,
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        to="wagtailcore.Page",
                    ),
                ),
                ("intro", wagtail.fields.RichTextField(blank=True)),
                (
                    "body",
                    wagtail.fields.StreamField(
                        [("text", wagtail.blocks.RichTextBlock()), ("embed", ConsentEmbedBlock())],
                        blank=True,
                    ),
                ),
            ],
            options={"abstract": False},
            bases=("wagtailcore.page",),
        ),
    )
