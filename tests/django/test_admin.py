from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.urls import path, reverse

from consentkit.django import get_manager
from consentkit.testing import grant
from tests.support.django_site import EVERY_MIDDLEWARE, DjangoSite


@pytest.fixture
def staff(site: DjangoSite, db: None) -> Any:
    """A client of a member of staff who may see the records."""
    site.changes.MIDDLEWARE = EVERY_MIDDLEWARE
    client = site.client(path("admin/", admin.site.urls))
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_consentrecord"))
    client.force_login(user)
    return client


def address() -> str:
    return reverse("admin:consentkit_consentrecord_changelist")


def test_policy_is_shown_and_records_only_by_reference(site: DjangoSite, staff: Any) -> None:
    record = grant(site.client(path("admin/", admin.site.urls)), get_manager(), "social").record
    assert record is not None and record.subject is not None
    page = staff.get(address())
    assert page.status_code == 200
    assert b"YouTube" in page.content and record.subject.encode() not in page.content
    found = staff.post(address(), {"reference": f" {record.subject} "})
    assert b"<td>given</td>" in found.content and b"<td>social</td>" in found.content
    nothing = staff.post(address(), {"reference": "nobody"})
    assert b"There are no records with this reference." in nothing.content


def test_page_stands_in_the_index_and_offers_no_change(staff: Any) -> None:
    index = staff.get(reverse("admin:index")).content
    assert f'href="{address()}"'.encode() in index
    assert b"/consentrecord/add/" not in index


def test_staff_without_the_permission_see_nothing(site: DjangoSite, staff: Any) -> None:
    staff.force_login(User.objects.create_user("editor", is_staff=True))
    assert staff.get(address()).status_code == 403


def test_site_without_a_ledger_has_no_records(site: DjangoSite, staff: Any) -> None:
    site.configure(ledger=None)
    with pytest.warns(UserWarning, match="has no ledger"):
        assert b"There are no records" in staff.post(address(), {"reference": "x"}).content


def test_ledger_that_does_not_answer_is_reported(site: DjangoSite, staff: Any, tmp_path: Path) -> None:
    site.configure(ledger=f"sqlite:///{tmp_path}/consent.db")
    (tmp_path / "consent.db").mkdir()
    assert b'class="errornote"' in staff.post(address(), {"reference": "x"}).content
