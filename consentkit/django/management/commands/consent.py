"""`manage.py consent …`: the commands of `consentkit`, for the policy and the ledger of the setting CONSENTKIT."""

from argparse import REMAINDER
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from sqlalchemy import URL

from consentkit.django.site import base_directory, manager_options, policy_path
from consentkit.errors import ConfigurationError

__all__ = ["Command"]


class Command(BaseCommand):
    """Runs a command of `consentkit`, such as `check` or `lock`, whose policy file is that of the site."""

    help = (
        "Run a command of consentkit for this site: check, lock, and others. `consent -- --help` lists them."
    )
    # The command shows what is wrong with the policy, which the system checks would report first.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take every argument as it is."""
        parser.add_argument("arguments", nargs=REMAINDER, help="The command and its options.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command.

        Raises:
            SystemExit: always, with the command's exit code.
            CommandError: the setting CONSENTKIT has no policy file.
        """
        from typer.main import get_command

        from consentkit.cli import app

        arguments = [each for each in options["arguments"] if each != "--"] or ["--help"]
        try:
            defaults = _defaults()
        except ConfigurationError as error:
            raise CommandError(str(error)) from None
        command = get_command(app)
        command.main(arguments, prog_name="manage.py consent", default_map=defaults)


def _defaults() -> dict[str, dict[str, Any]]:
    """Return the arguments of each command that the site's settings answer."""
    path, site = str(policy_path()), manager_options()
    check: dict[str, Any] = {"path": path}
    ledger = site.get("ledger")
    if isinstance(ledger, URL):
        check["ledger"] = ledger.render_as_string(hide_password=False)
    elif isinstance(ledger, str):
        check["ledger"] = ledger
    for name in ("spool", "observed"):
        if site.get(name):
            check[name] = str(base_directory() / site[name])
    return {"check": check, "lock": {"path": path}}
