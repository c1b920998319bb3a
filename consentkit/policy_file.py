"""Reading `consent.toml`."""

import tomllib
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import PrivateAttr, ValidationError

from consentkit.errors import PolicyError, Problem
from consentkit.policy import Policy

__all__ = ["PolicyFile", "load_policy"]


class PolicyFile(Policy):
    """A policy that knows the file it came from."""

    _path: Path = PrivateAttr(default=Path("consent.toml"))
    _warnings: tuple[Problem, ...] = PrivateAttr(default=())
    _notices: tuple[Any, ...] = PrivateAttr(default=())

    @property
    def path(self) -> Path:
        """The file it came from."""
        return self._path

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is lawful but unwise, in the order of the file."""
        return self._warnings

    @property
    def notices(self) -> tuple[Any, ...]:
        """The notices of consent.lock, newest last."""
        return self._notices


def load_policy(path: str | Path, *, today: date | None = None) -> PolicyFile:
    """Read and check a policy file.

    Raises:
        PolicyError: with every problem found.
    """
    path = Path(path)
    try:
        policy = PolicyFile.model_validate(tomllib.loads(path.read_text("utf-8")))
    except ValidationError as error:
        raise PolicyError(
            tuple(
                Problem(str(path), None, ".".join(map(str, one["loc"])), str(one["input"])[:60], one["msg"], "")
                for one in error.errors()
            )
        ) from None
    policy._path = path
    return policy
