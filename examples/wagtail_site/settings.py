"""Settings as `wagtail start` writes them, with the consent's lines. For development only: DEBUG is on."""

import os
import secrets
from pathlib import Path

HERE = Path(__file__).parent
DATA = Path(os.environ.get("WAGTAIL_SITE_DATA", HERE / "data"))
PORT = os.environ.get("WAGTAIL_SITE_PORT", "8000")


def _kept_key(path: Path) -> str:
    """Return the key in a file, which is made at the first start, so that answers survive a restart."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)
        path.write_text(secrets.token_urlsafe(48), "utf-8")
    return path.read_text("utf-8")


DEBUG = True
SECRET_KEY = _kept_key(DATA / "secret-key")
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]

INSTALLED_APPS = [
    "examples.wagtail_site.club",
    "consentkit.django",
    "consentkit.wagtail",  # in front of wagtail.embeds, so that embeds of editors become placeholders
    "wagtail.embeds",
    "wagtail.sites",
    "wagtail.users",
    "wagtail.snippets",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.search",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    "taggit",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "consentkit.wagtail.ConsentMiddleware",  # before CommonMiddleware, because Wagtail's pattern for pages matches everything
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

CONSENTKIT = {
    "policy": HERE / "consent.toml",
    "ledger": f"sqlite:///{DATA / 'consent.db'}",
    "origins": {"club": f"http://localhost:{PORT}"},
}

ROOT_URLCONF = "examples.wagtail_site.urls"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATA / "site.db"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
MEDIA_ROOT = DATA / "media"
MEDIA_URL = "/media/"

WAGTAIL_SITE_NAME = "Westerpark Runners"
WAGTAILADMIN_BASE_URL = f"http://localhost:{PORT}"
