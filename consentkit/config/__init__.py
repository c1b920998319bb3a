"""`consent.toml` and `consent.lock`: read, checked, each problem on its line."""

from consentkit.config.policy_file import PolicyFile, check_file, load_policy

__all__ = ["PolicyFile", "check_file", "load_policy"]
