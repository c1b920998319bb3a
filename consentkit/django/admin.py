"""The page in the admin: the policy as it stands, and the records of one reference. Nothing can be changed."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from consentkit.django.models import ConsentRecord
from consentkit.django.site import get_manager
from consentkit.errors import LedgerUnavailableError
from consentkit.ledger import Record

if TYPE_CHECKING:
    RecordAdmin = admin.ModelAdmin[ConsentRecord]
else:
    RecordAdmin = admin.ModelAdmin

__all__ = ["ConsentRecordAdmin"]


@admin.register(ConsentRecord)
class ConsentRecordAdmin(RecordAdmin):
    """Shows the policy, and the records of a reference that a visitor has sent. No visitors are listed."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: records are made by visitors."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: ConsentRecord | None = None) -> bool:
        """Return False: records are never changed."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ConsentRecord | None = None) -> bool:
        """Return False: records are never deleted here."""
        return False

    def get_urls(self) -> list[URLPattern]:
        """Return the address of the one page."""
        page = self.admin_site.admin_view(self.overview)
        return [path("", page, name="consentkit_consentrecord_changelist")]

    def overview(self, request: HttpRequest) -> HttpResponse:
        """Show the policy, and the records of the reference that the form sends."""
        if not self.has_view_permission(request):
            return HttpResponse(
                "You may not see the records of consent.", status=403, content_type="text/plain"
            )
        manager = get_manager()
        # In the body of the request, because addresses are logged.
        reference = request.POST.get("reference", "").strip()
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": "Cookie consent",
            "policy": manager.policy,
            "site_id": manager.site,
            "notice": manager.notice,
            "reference": reference,
        }
        if reference:
            try:
                context["rows"] = [_row(record) for record in _history(reference)]
            except LedgerUnavailableError as error:
                context["error"] = str(error)
        return TemplateResponse(request, "admin/consentkit/overview.html", context)


def _history(reference: str) -> list[Record]:
    ledger = get_manager().ledger
    return ledger.history(reference) if ledger is not None else []


def _row(record: Record) -> dict[str, Any]:
    return {
        "at": datetime.fromtimestamp(record.at, UTC),
        "event": record.event,
        "status": record.status,
        "site": record.site,
        "surface": record.surface,
        "granted": [category for category, granted in record.categories.items() if granted],
        "notice": record.notice,
    }
