"""`consentkit group`: keys for the hand-off between sites, and what is wrong between them."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from consentkit.cli.group_check import check_keys, check_policy, check_running
from consentkit.config import PolicyFile, check_file
from consentkit.errors import ConfigurationError, UnknownSiteError
from consentkit.handoff import new_pair

__all__ = ["group"]

group = typer.Typer(
    help="Several sites, one answer: keys, and what is wrong between the sites.", no_args_is_help=True
)
out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)

PolicyOption = Annotated[Path, typer.Option("--policy", help="The policy file.", show_default=True)]
DEFAULT = Path("consent.toml")


@group.command()
def key(
    site: Annotated[str, typer.Argument(help="Id of the site in the policy.")],
    policy: PolicyOption = DEFAULT,
) -> None:
    """Make a pair of keys for a site, and say where each half goes. Writes no file."""
    known = _load(policy)
    try:
        old = known.site(site).public_key
        private, public = new_pair()
    except (UnknownSiteError, ConfigurationError) as error:
        err.print(f"[bold red]{escape(str(error))}[/]")
        raise typer.Exit(2) from None
    out.print(f"[bold]The public half[/] goes into {escape(str(policy))}, under the site {escape(site)!r}:\n")
    out.print(f'    public_key = "{public}"\n')
    out.print(
        f"[bold]The private half[/] goes to the hosts of {escape(site)!r} alone, where secrets are kept; "
        "it is not shown again:\n"
    )
    out.print(f"    {private}\n")
    out.print('    ConsentManager(..., private_key=os.environ["CONSENT_PRIVATE_KEY"])\n')
    if old:
        out.print(
            "[yellow]This site has a key already: deploy the new policy to all sites before it gets its new private half; "
            "hand-offs from it end without a choice until then.[/]"
        )


@group.command()
def check(
    policy: PolicyOption = DEFAULT,
    origin: Annotated[
        list[str] | None,
        typer.Option("--origin", help="SITE=ORIGIN: where a site runs, in place of the policy's origin."),
    ] = None,
    private_key: Annotated[
        list[str] | None,
        typer.Option("--private-key", help="SITE=FILE: hold a private key against the policy's public one."),
    ] = None,
    prefix: Annotated[str, typer.Option(help="Where the library answers on all sites.")] = "/consent",
    offline: Annotated[bool, typer.Option("--offline", help="Ask no running site.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print problems as JSON.")] = False,
) -> None:
    """Find wrong origins, missing or wrong keys, sites that the notice does not list, differing policies and clocks.

    Exits with 1 where something is wrong. Asks the running sites, and writes nothing there.
    """
    known = _load(policy)
    try:
        origins = {site.id: site.origin for site in known.sites} | _by_site(known, origin)
        keys = {
            site: Path(file).read_text(encoding="ascii").strip()
            for site, file in _by_site(known, private_key).items()
        }
    except (UnknownSiteError, ValueError, OSError) as error:
        err.print(f"[bold red]{escape(str(error))}[/]")
        raise typer.Exit(2) from None
    problems = [*check_policy(known), *check_keys(known, keys)]
    if not offline and len(origins) > 1:
        problems += check_running(known, origins, prefix=prefix)
    if as_json:
        sys.stdout.write(
            json.dumps([asdict(problem) for problem in problems], indent=2, ensure_ascii=False) + "\n"
        )
    else:
        for problem in problems:
            out.print(
                f"[bold]{escape(problem.file)}[/]: [bold red]{escape(problem.key)}[/]: {escape(problem.message)}"
            )
            out.print(f"  [green]{escape(problem.remedy)}[/]")
        colour = "red" if problems else "green"
        count = f"{len(problems)} problem{'' if len(problems) == 1 else 's'}"
        out.print(f"[bold {colour}]{len(origins)} sites, {count}.[/]")
    raise typer.Exit(1 if problems else 0)


def _load(path: Path) -> PolicyFile:
    report = check_file(path)
    if report.policy is None:
        for problem in report.problems:
            err.print(f"[bold red]{escape(problem.message)}[/]")
        raise typer.Exit(2)
    return report.policy


def _by_site(policy: PolicyFile, given: list[str] | None) -> dict[str, str]:
    """Read SITE=VALUE pairs; raises ValueError for anything else, UnknownSiteError for a site that the policy lacks."""
    found = {}
    for pair in given or ():
        site, equals, value = pair.partition("=")
        if not equals or not value:
            raise ValueError(f"{pair!r} is not SITE=VALUE.")
        found[policy.site(site).id] = value
    return found
