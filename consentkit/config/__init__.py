"""`consent.toml` and `consent.lock`: read, checked, each problem on its line."""

from consentkit.config.policy_file import LOCK, PolicyFile, check_file, load_policy

__all__ = ["LOCK", "PolicyFile", "check_file", "load_policy"]
