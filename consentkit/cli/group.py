"""The commands for a group of sites: make keys for the hand-off, and check that the sites fit together."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from consentkit.cli.console import (
    DEFAULT_POLICY,
    count,
    fail,
    load_checked_policy,
    out,
    print_json,
    print_problems,
)
from consentkit.cli.group_check import check_keys, check_policy, check_running
from consentkit.config import PolicyFile
from consentkit.errors import ConfigurationError, UnknownSiteError
from consentkit.handoff import new_pair

__all__ = ["group"]

group = typer.Typer(
    help="Several sites that share a decision: make their keys, check them.", no_args_is_help=True
)

PolicyOption = Annotated[Path, typer.Option("--policy", help="The policy file.", show_default=True)]


@group.command()
def key(
    site_id: Annotated[str, typer.Argument(metavar="SITE", help="Id of the site in the policy.")],
    policy_path: PolicyOption = DEFAULT_POLICY,
) -> None:
    """Make a pair of keys for a site, and print where each half belongs. Writes no file."""
    policy = load_checked_policy(policy_path)
    try:
        site = policy.site(site_id)
        private, public = new_pair()
    except (UnknownSiteError, ConfigurationError) as error:
        fail(error, 2)
    label = escape(f"{site.name} ({site.id})")
    out.print(f"[bold]Public half[/]: add it to {escape(str(policy_path))}, under the site {label}:\n")
    out.print(f'    public_key = "{public}"\n')
    out.print(
        f"[bold]Private half[/]: store it with the secrets of the hosts of {label}, and nowhere else. "
        "It is not shown again:\n"
    )
    out.print(f"    {private}\n")
    out.print('    ConsentManager(..., private_key=os.environ["CONSENT_PRIVATE_KEY"])\n')
    if site.public_key:
        out.print(
            "[yellow]The site already has a key. Deploy the new policy to all sites before you replace its private half; "
            "until then, hand-offs from it end without a decision.[/]"
        )


@group.command()
def check(
    policy_path: PolicyOption = DEFAULT_POLICY,
    origin: Annotated[
        list[str] | None,
        typer.Option("--origin", help="SITE=ORIGIN: where a site runs, instead of the policy's origin."),
    ] = None,
    private_key: Annotated[
        list[str] | None,
        typer.Option(
            "--private-key", help="SITE=FILE: a private key to compare with the policy's public key."
        ),
    ] = None,
    prefix: Annotated[
        str, typer.Option(help="Path under which the library answers on all sites.")
    ] = "/consent",
    offline: Annotated[bool, typer.Option("--offline", help="Check the policy only, not the sites.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print problems as JSON.")] = False,
) -> None:
    """Find wrong origins, missing or wrong keys, sites that the notice does not list, other policies and wrong clocks.

    Exits with 1 if there are problems. Sends requests to the running sites, which change nothing there.
    """
    policy = load_checked_policy(policy_path)
    try:
        origins = {site.id: site.origin for site in policy.sites} | _values_by_site(policy, origin)
        private_keys = {
            site: Path(file).read_text(encoding="ascii").strip()
            for site, file in _values_by_site(policy, private_key).items()
        }
    except (UnknownSiteError, ValueError, OSError) as error:
        fail(error, 2)
    problems = [*check_policy(policy), *check_keys(policy, private_keys)]
    if not offline and len(origins) > 1:
        problems += check_running(policy, origins, prefix=prefix)
    if as_json:
        print_json([asdict(problem) for problem in problems])
    else:
        print_problems(problems)
        colour = "red" if problems else "green"
        out.print(f"[bold {colour}]{count(len(origins), 'site')}, {count(len(problems), 'problem')}.[/]")
    raise typer.Exit(1 if problems else 0)


def _values_by_site(policy: PolicyFile, pairs: list[str] | None) -> dict[str, str]:
    """Parse SITE=VALUE pairs.

    Raises:
        ValueError: a pair of another form.
        UnknownSiteError: a site that the policy does not declare.
    """
    values = {}
    for pair in pairs or ():
        site_id, _, value = pair.partition("=")
        if not value:
            raise ValueError(f"Expected SITE=VALUE, found {pair!r}.")
        values[policy.site(site_id).id] = value
    return values
