"""Reading and checking of `consent.toml` and `consent.lock`, and writing of the lock; each problem has its line."""

from consentkit.config.lock_file import LOCK, write_lock
from consentkit.config.policy_file import PolicyFile, check_file, load_policy

__all__ = ["LOCK", "PolicyFile", "check_file", "load_policy", "write_lock"]
