"""Whether the sites, their group and their controllers fit together (REQUIREMENTS G)."""

from collections.abc import Iterator

from consentkit.policy.checks.context import CheckContext
from consentkit.policy.checks.references import repeated
from consentkit.policy.findings import Finding
from consentkit.policy.url_types import host_of, is_local

__all__ = ["CHECKS"]


def sites_differ(context: CheckContext) -> Iterator[Finding]:
    """Sites differ in origin and key, so that no site can act for another, and in name, for visitors."""
    origins = ((path, site.origin) for path, site in context.sites("origin"))
    for path, first in repeated(origins):
        message = f"{context.row_name(first)} has the same origin."
        yield Finding((*path, "origin"), message, "Remove one of the two sites.")
    keys = ((path, site.public_key) for path, site in context.sites("public_key") if site.public_key)
    for path, first in repeated(keys):
        message = f"{context.row_name(first)} has the same key, and could sign for this site."
        yield Finding((*path, "public_key"), message, "Make a key for each site: `consentkit group key`.")
    names = ((path, site.name.casefold()) for path, site in context.sites("name"))
    for path, first in repeated(names):
        message = f"Visitors cannot tell this site from {context.row_name(first)}."
        yield Finding((*path, "name"), message, "Choose another name.", warning=True)


def sites_are_public(context: CheckContext) -> Iterator[Finding]:
    """No site has an origin on the developer's machine, which visitors cannot reach."""
    for path, site in context.sites("origin"):
        if is_local(host_of(site.origin)):
            message = "This is the origin of a development site, and visitors see it in the list of sites."
            remedy = "Write the public origin; ConsentManager(origins=…) replaces it in development."
            yield Finding((*path, "origin"), message, remedy, warning=True)


def several_sites_are_a_group(context: CheckContext) -> Iterator[Finding]:
    """XS-01: visitors are told what a decision covers before they make it."""
    policy = context.policy
    if not context.is_valid("sites") or not context.is_valid("group"):
        return
    if len(policy.sites) > 1 and policy.group is None:
        message = "Several sites share a decision, but there is no group."
        yield Finding(("group",), message, "Add [group] with id and name.")
    if len(policy.sites) == 1 and policy.group is not None:
        message = "There is a group, but only one site."
        yield Finding(("group",), message, "Remove the group until there is a second site.", warning=True)


def hand_off_reaches_all_sites(context: CheckContext) -> Iterator[Finding]:
    """XS-03: a decision can be handed off between all sites, or between none."""
    sites = list(context.sites("public_key"))
    if any(site.public_key for _, site in sites):
        for path, site in sites:
            if not site.public_key:
                message = (
                    "The site has no key, but other sites do: no decision can be handed to it or from it."
                )
                remedy = "Add a key for this site: `consentkit group key`."
                yield Finding((*path, "public_key"), message, remedy, warning=True)


def sites_have_one_controller(context: CheckContext) -> Iterator[Finding]:
    """XS-04: the sites have one controller, or joint controllers with an arrangement (GDPR 26)."""
    policy = context.policy
    if not context.is_valid("controller") or not context.is_valid("group"):
        return
    others = [
        path for path, site in context.sites("controller") if site.controller not in (None, policy.controller)
    ]
    joint = policy.group is not None and policy.group.joint_controllers
    if others and not joint:
        for path in others:
            message = "The site has another controller, so one decision cannot cover it and the other sites."
            remedy = "If the controllers have an arrangement under GDPR 26, set joint_controllers = true in [group]."
            yield Finding((*path, "controller"), message, remedy)
    if joint and not others and context.is_valid("sites"):
        message = "The sites have joint controllers, but all have the same controller."
        yield Finding(("group", "joint_controllers"), message, "Remove the key.", warning=True)


CHECKS = (
    sites_differ,
    sites_are_public,
    several_sites_are_a_group,
    hand_off_reaches_all_sites,
    sites_have_one_controller,
)
