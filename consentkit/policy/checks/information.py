"""Whether visitors get the information that GDPR 13 and 26 require, beyond the keys that every policy has (REQUIREMENTS C)."""

from collections.abc import Iterator
from typing import get_args

from consentkit.policy.checks.context import CheckContext
from consentkit.policy.findings import Finding, KeyPath
from consentkit.policy.models import Controller, Right

__all__ = ["CHECKS"]

_ON_THE_DEVICE = ("local_storage", "session_storage", "indexed_db", "cache_storage")
"""Kinds of storage that browsers do not send to us."""
_CONTACTS = {
    "dpo": (
        "Visitors are not told how to reach a data protection officer (GDPR 13(1)(b)).",
        "Add `dpo`: an e-mail address or URL. Ignore this if you have no officer and need none (GDPR 37).",
    ),
    "privacy_policy": (
        "Visitors are not told where the privacy statement is (GDPR 13).",
        "Add `privacy_policy`: its URL, or a table of URLs by language.",
    ),
    "rights_url": (
        "Visitors are not told where to read how to use their rights (GDPR 12(2), 13(2)(b)).",
        "Add `rights_url`: the URL of a page about these rights.",
    ),
}


def controllers_can_be_reached(context: CheckContext) -> Iterator[Finding]:
    """IN-05: visitors find the data protection officer, the privacy statement and their rights (GDPR 12(2), 13)."""
    if context.is_valid("controller"):
        yield from _missing_contacts(("controller",), context.policy.controller, context)
    for path, site in context.sites("controller"):
        if site.controller is not None:
            yield from _missing_contacts((*path, "controller"), site.controller, context)


def _missing_contacts(path: KeyPath, controller: Controller, context: CheckContext) -> Iterator[Finding]:
    for key, (message, remedy) in _CONTACTS.items():
        if getattr(controller, key) is None and context.is_valid(*path, key):
            yield Finding((*path, key), message, remedy, warning=True)


def rights_are_complete(context: CheckContext) -> Iterator[Finding]:
    """IN-05: visitors are told of every right, the right to object included (GDPR 13(2)(b), 21(4))."""
    if not context.is_valid("rights"):
        return
    for right in get_args(Right):
        if right not in context.policy.effective_rights:
            message = f"Visitors are not told of the right of {right} (GDPR 13(2)(b))."
            yield Finding(
                ("rights",), message, f'Add "{right}", or remove `rights` to list all.', warning=True
            )


def bases_fit_their_categories(context: CheckContext) -> Iterator[Finding]:
    """LB-07: what visitors are asked about rests on their consent, and on no other ground."""
    for path, category in context.categories("required", "exempt", "gdpr_basis"):
        if category.gdpr_basis is not None and not category.required and not category.exempt:
            message = "Visitors are asked about this category, so it rests on their consent (GDPR 6(1)(a))."
            yield Finding((*path, "gdpr_basis"), message, "Remove the key.")


def our_data_has_a_retention(context: CheckContext) -> Iterator[Finding]:
    """IN-05: visitors are told how long data is kept that is ours, or that a processor holds for us (GDPR 13(2)(a))."""
    ours = {
        row.category
        for _, row in context.trackers("category", "vendor", "kind")
        if row.vendor is None and row.kind not in _ON_THE_DEVICE
    }
    for path, category in context.categories("id", "required", "exempt", "retention"):
        # An exempt category without a retention has a finding of its own.
        asked = not category.required and not category.exempt
        if asked and category.retention is None and category.id in ours:
            message = "Visitors are not told how long we keep the data of this category (GDPR 13(2)(a))."
            yield Finding((*path, "retention"), message, 'Add `retention`, such as "P14M".', warning=True)
    for path, vendor in context.vendors("role", "retention", "category"):
        category_row = context.category(vendor.category, "exempt")
        exempt = category_row is not None and category_row.exempt
        if vendor.role == "processor" and vendor.retention is None and not exempt:
            message = "Visitors are not told how long this processor keeps the data for us (GDPR 13(2)(a))."
            yield Finding((*path, "retention"), message, 'Add `retention`, such as "P14M".', warning=True)


def joint_control_is_explained(context: CheckContext) -> Iterator[Finding]:
    """IN-05: visitors get the essence of each arrangement between joint controllers (GDPR 26(2))."""
    rows: list[tuple[KeyPath, bool, object]] = [
        ((*path, "joint_control"), vendor.role == "joint_controller", vendor.joint_control)
        for path, vendor in context.vendors("role", "joint_control")
    ]
    group = context.policy.group
    if group is not None and context.is_valid("group", "joint_control"):
        rows.append((("group", "joint_control"), group.joint_controllers, group.joint_control))
    for path, is_joint, essence in rows:
        if is_joint and essence is None:
            message = (
                "Visitors are not told the essence of the arrangement of joint controllers (GDPR 26(2))."
            )
            remedy = "Add `joint_control`: who does what, by language, or the URL where visitors can read it."
            yield Finding(path, message, remedy, warning=True)
        elif essence is not None and not is_joint:
            message = "There are no joint controllers here, but visitors read about their arrangement."
            yield Finding(path, message, "Remove the key, or declare the joint controllers.", warning=True)


CHECKS = (
    controllers_can_be_reached,
    rights_are_complete,
    bases_fit_their_categories,
    our_data_has_a_retention,
    joint_control_is_explained,
)
