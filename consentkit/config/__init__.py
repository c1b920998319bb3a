"""`consent.toml` and `consent.lock`: read, checked, and written, with each problem on its line."""

from consentkit.config.lock_file import LOCK, write_lock
from consentkit.config.policy_file import PolicyFile, check_file, load_policy

__all__ = ["LOCK", "PolicyFile", "check_file", "load_policy", "write_lock"]
