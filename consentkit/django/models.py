"""A model without a table, for the page in the admin and the permission to see it."""

from django.db import models

__all__ = ["ConsentRecord"]


class ConsentRecord(models.Model):
    """Stands for the records of the ledger, which Django's own database interface never reads or writes."""

    class Meta:
        """No table, and the permission `consentkit.view_consentrecord` alone."""

        app_label = "consentkit"
        managed = False
        default_permissions = ("view",)
        verbose_name = "policy and record"
        verbose_name_plural = "policy and records"
