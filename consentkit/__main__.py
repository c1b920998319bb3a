"""`python -m consentkit` is the command line."""

from consentkit.cli.policy import main

main()
