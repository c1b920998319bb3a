"""The command line."""

from consentkit.cli.policy import app, main

__all__ = ["app", "main"]
