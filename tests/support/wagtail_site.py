"""A small Wagtail site in a process of its own: `python -m tests.support.wagtail_site`
walks through it, and prints what it saw."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client
from django.urls import path

from consentkit.testing import grant
from tests.support.front import DOCUMENT, KEY, ORIGIN, a_policy
from tests.support.wagtail_home import FRAME, UNKNOWN, VIDEO


def configure(app: str = "tests.support.wagtail_home", **changes: Any) -> None:
    """Set Django up for a site whose pages are those of one application, with other settings where `changes` has them."""
    apps = (
        "embeds",
        "sites",
        "users",
        "documents",
        "images",
        "search",
        "admin",
        "contrib.settings",
        "snippets",
    )
    contrib = ("admin", "auth", "contenttypes", "sessions", "messages", "staticfiles")
    usual: dict[str, Any] = dict(
        SECRET_KEY="a key of a Wagtail site of the tests, which guards nothing",
        ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=[
            "consentkit.django",
            "consentkit.wagtail",
            app,
            *(f"wagtail.{app}" for app in apps),
            "wagtail",
            "modelcluster",
            "taggit",
            *(f"django.contrib.{app}" for app in contrib),
        ],
        MIDDLEWARE=[
            "consentkit.wagtail.ConsentMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        ROOT_URLCONF=f"{app}.urls",
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": "file:wagtail?mode=memory&cache=shared",
            }
        },
        MIGRATION_MODULES=_NoMigrations(),
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        STATIC_URL="/static/",
        USE_TZ=True,
        WAGTAIL_SITE_NAME="Stride",
        WAGTAILADMIN_BASE_URL=ORIGIN,
        WAGTAILEMBEDS_FINDERS=[{"class": "tests.support.wagtail_home.finder.Finder"}],
        CONSENTKIT={"policy": a_policy(), "ledger": "sqlite://", "site": "stride", "secret_key": KEY},
    )
    settings.configure(**(usual | changes))
    django.setup()


class _NoMigrations(dict[str, None]):
    """No app has migrations, so that the tables are made at once."""

    def __contains__(self, app: object) -> bool:
        return True

    def __getitem__(self, app: str) -> None:
        return None


def make_site(make_home: Callable[[], Any]) -> Any:
    """Make the tables, and a site with its first page, which is returned."""
    from django.contrib.contenttypes.models import ContentType
    from wagtail.models import Locale, Page, Site

    call_command("migrate", run_syncdb=True, verbosity=0)
    Locale.objects.create(language_code="en")
    root = Page.add_root(title="Root", slug="root", content_type=ContentType.objects.get_for_model(Page))
    home = root.add_child(instance=make_home())
    Site.objects.create(hostname="localhost", root_page=home, is_default_site=True)
    return home


def make_page() -> Any:
    from tests.support.wagtail_home.models import HomePage

    text = f'<p>Look:</p><embed embedtype="media" url="{VIDEO}"/><embed embedtype="media" url="{UNKNOWN}"/>'
    block = {"url": VIDEO, "title": "A stretch", "kind": "video"}
    body = [("plain", VIDEO), ("embed", block), ("embed", block | {"url": "https://missing.example/"})]
    return make_site(lambda: HomePage(title="Home", slug="home", intro=text, body=body))


def walk() -> dict[str, Any]:
    """Visit the site as a visitor and as an editor, and return what was seen."""
    from django.contrib.auth import get_user_model
    from django.core.checks import run_checks
    from django.test.utils import override_script_prefix

    from consentkit.django import get_manager
    from consentkit.wagtail.finders import HeldBackFinder
    from consentkit.wagtail.placeholders import hold_back

    home = make_page()
    client = Client(headers={"origin": ORIGIN})
    page = client.get("/")
    with override_script_prefix("/shop/"):  # as a server does
        below = client.get("/", SCRIPT_NAME="/shop").content.decode()
    asked = client.get("/consent").status_code
    editor = Client()
    editor.force_login(get_user_model().objects.create_superuser("editor", "editor@stride.example", "secret"))
    admin = editor.get("/admin/")
    draft = editor.get(f"/admin/pages/{home.pk}/view_draft/")
    visitor = Client()
    grant(visitor, get_manager(), "social")
    return {
        "status": page.status_code,
        "page": page.content.decode(),
        "below": below,
        "asked": asked,
        "admin": [admin.status_code, admin.content.decode()],
        "draft": [draft.status_code, draft.content.decode()],
        "granted": visitor.get("/").content.decode(),
        "held": hold_back(FRAME, VIDEO),
        "link": hold_back("<blockquote>x</blockquote>", UNKNOWN),
        "finder": _found(HeldBackFinder),
        "checks": [message.id for message in run_checks(tags=["consentkit"])],
        "turned": _turned(),
    }


class Provider(BaseHTTPRequestHandler):
    """Sends the markup of a video, as a provider of oEmbed does."""

    def do_GET(self) -> None:
        body = json.dumps({"type": "video", "html": FRAME}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


def _found(finder: Any) -> str:
    """Return the markup that the finder makes of what the provider of a video sends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}/"
    try:
        return str(finder(providers=[{"endpoint": endpoint, "urls": [".*"]}]).find_embed(VIDEO)["html"])
    finally:
        server.shutdown()
        server.server_close()


def _turned() -> list[str]:
    """Return the ids of the checks for a site whose apps stand in the wrong order, and which has no admin."""
    from django.core.checks import run_checks
    from django.test.utils import override_settings

    turned = ["wagtail.embeds", *(app for app in settings.INSTALLED_APPS if app != "wagtail.embeds")]
    plain = (path("", lambda request: HttpResponse(DOCUMENT)),)
    with override_settings(ROOT_URLCONF=plain):
        assert b'id="cookie-consent"' in Client().get("/").content
    settings.INSTALLED_APPS, apps = turned, settings.INSTALLED_APPS
    try:
        return [str(message.id) for message in run_checks(tags=["consentkit"])]
    finally:
        settings.INSTALLED_APPS = apps


if __name__ == "__main__":
    configure()
    print(json.dumps(walk()))
