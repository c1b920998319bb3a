"""Django's application as a whole: its imports, and its middleware behind real servers."""

import subprocess
import sys

from django.apps import apps

BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("starlette", "fastapi"):
            raise ModuleNotFoundError(f"{name} is blocked", name=name)

sys.meta_path.insert(0, Blocker())
import tests.support.policies as policies
import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path

settings.configure(
    SECRET_KEY="a key of a Django site of the tests, which guards nothing",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=(path("", lambda request: HttpResponse("<!doctype html><html><body>x</body></html>")),),
    INSTALLED_APPS=["consentkit.django"],
    MIDDLEWARE=["consentkit.django.ConsentMiddleware"],
    CONSENTKIT={"policy": policies.policy(), "ledger": "sqlite://"},
)
django.setup()
from django.test import Client

client = Client(headers={"origin": "https://stride.example"})
assert b'id="cookie-consent"' in client.get("/").content
given = client.post("/consent/decision", {"categories": {"analytical": True}}, "application/json")
assert given.json()["status"] == "given", given.content
assert b'id="cookie-consent"' not in client.get("/").content
assert "starlette" not in sys.modules
"""


def test_application_has_a_label_of_its_own() -> None:
    assert apps.get_app_config("consentkit").name == "consentkit.django"


def test_site_runs_where_starlette_cannot_be_imported() -> None:
    ran = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
