"""`python -m consentkit` is the command line."""

from consentkit.cli import main

main()
