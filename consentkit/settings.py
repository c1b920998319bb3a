"""Managers that are built from the settings of a framework, such as Flask's `app.config` and Django's `settings`.

The settings are the arguments of ConsentManager by name, with a path instead of a policy. A secret key that is missing is derived
from the framework's own.
"""

import hashlib
import hmac
import inspect
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError

from consentkit.config import load_policy
from consentkit.consent import validated_keys
from consentkit.errors import ConfigurationError, SecretKeyError
from consentkit.ledger import Ledger
from consentkit.manager import ConsentManager, Location, trusted_header
from consentkit.policy import Policy

__all__ = ["SETTINGS", "derived_keys", "manager_from_settings"]

_LABEL = b"consentkit: key of the consent cookie"
_PATHS = ("spool", "templates", "locales", "observed")
_SECRET = ("private_key", "webhooks")
_OBJECTS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "policy": ((Policy, str, Path), "the path of a policy file, or a policy"),
    "ledger": (
        (Ledger, str, URL, Engine, type(None)),
        "a database URL, a SQLAlchemy engine, a Ledger or None",
    ),
}
_PARAMETERS = inspect.signature(ConsentManager).parameters

SETTINGS = tuple(_PARAMETERS)
"""Every setting: the names of ConsentManager's arguments."""


def manager_from_settings(
    settings: Mapping[str, Any],
    *,
    root: str | Path,
    framework_keys: Iterable[str | bytes] = (),
    spelled: Callable[[str], str] = repr,
) -> ConsentManager:
    """Return the manager that settings describe, after checking all of them.

    Args:
        settings: arguments of ConsentManager by name. `policy` is the path of a policy file, or a policy. `location` may be a
            table with the arguments of `trusted_header`. Values may be text, as environment variables have them.
        root: folder that relative paths start from, those of `policy` and of a SQLite ledger too.
        framework_keys: the framework's secret keys, newest first, for settings without `secret_key`.
        spelled: returns a setting as the framework spells it, for messages: `CONSENTKIT_POLICY` in Flask.

    Raises:
        ConfigurationError: settings that are unknown, missing or of another type, with the remedy; and as ConsentManager does.
        PolicyError: the policy has problems.
        SecretKeyError: a key that is missing, short or easy to guess.
    """
    unknown = [name for name in settings if name not in _PARAMETERS]
    if unknown:
        raise ConfigurationError(" ".join(_describe_unknown(name, spelled) for name in unknown))
    root = Path(root)
    options = {name: _validated(name, value, spelled) for name, value in settings.items()}
    if "secret_key" not in options:
        options["secret_key"] = derived_keys(framework_keys, spelled("secret_key"))
    missing = [
        spelled(name)
        for name, parameter in _PARAMETERS.items()
        if parameter.default is parameter.empty and name not in options
    ]
    if missing:
        raise ConfigurationError(
            f"Settings are missing: {', '.join(missing)}. Give the path of the policy file as {spelled('policy')}, "
            f"and a database URL, such as 'sqlite:///consent.db', as {spelled('ledger')}."
        )
    for name in _PATHS:
        if options.get(name) is not None:
            options[name] = root / options[name]
    if isinstance(options["ledger"], str):
        options["ledger"] = _ledger_below(root, options["ledger"], spelled("ledger"))
    policy = options.pop("policy")
    return ConsentManager(policy if isinstance(policy, Policy) else load_policy(root / policy), **options)


def derived_keys(framework_keys: Iterable[str | bytes], setting: str = "secret_key") -> list[str]:
    """Return a key for the consent cookie from each secret key of a framework, newest first.

    The same key always gives the same result, so that all processes of a site agree. What the framework signs says nothing about
    the consent cookie's key.

    Raises:
        SecretKeyError: no key, a key under 32 characters, or one that is easy to guess. `setting` is what may be set instead.
    """
    given = list(framework_keys)
    if not given:
        raise SecretKeyError(f"There is no secret key: set SECRET_KEY, or {setting}.")
    keys = validated_keys(given, f"SECRET_KEY, from which {setting} is derived,")
    return [hmac.new(key, _LABEL, hashlib.sha256).hexdigest() for key in keys]


def _describe_unknown(name: str, spelled: Callable[[str], str]) -> str:
    """Return a sentence about a setting that does not exist, with the one that is meant."""
    close = get_close_matches(name.lower(), SETTINGS, n=1)
    advice = (
        f"did you mean {spelled(close[0])}?"
        if close
        else f"use one of {', '.join(spelled(known) for known in SETTINGS)}."
    )
    return f"There is no setting {spelled(name)}: {advice}"


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(
        get_type_hints(ConsentManager.__init__)[name], config=ConfigDict(arbitrary_types_allowed=True)
    )


def _validated(name: str, value: Any, spelled: Callable[[str], str]) -> Any:
    """Return a setting as the type that ConsentManager takes. No message shows a value that may be secret.

    Raises:
        ConfigurationError: the value is of another type.
    """
    if name == "secret_key":
        return value  # the manager checks it
    if name == "location" and isinstance(value, Mapping):
        return _trusted_header(value, spelled(name))
    if name in _OBJECTS:
        types, expected = _OBJECTS[name]
        if isinstance(value, types):
            return value
        raise ConfigurationError(f"{spelled(name)} is of type {type(value).__name__}: give {expected}.")
    try:
        return _adapter(name).validate_python(value)
    except ValidationError as error:
        shown = f"of type {type(value).__name__}" if name in _SECRET else repr(value)
        reasons = dict.fromkeys(problem["msg"] for problem in error.errors(include_url=False))
        raise ConfigurationError(
            f"{spelled(name)} is {shown}, which cannot be used. {'; or '.join(reasons)}."
        ) from None


def _trusted_header(arguments: Mapping[str, Any], setting: str) -> Location:
    """Return the location of a table with the arguments of `trusted_header`, for settings that can hold no function.

    Raises:
        ConfigurationError: other arguments, or values that `trusted_header` refuses.
    """
    try:
        return trusted_header(**arguments)
    except TypeError:
        raise ConfigurationError(
            f"{setting} is a table with {', '.join(map(repr, arguments)) or 'nothing'}: give `country`, `peers`, and `region` "
            "if there is such a header, or a function of the request."
        ) from None


def _ledger_below(root: Path, url: str, setting: str) -> str:
    """Return the URL of a ledger with the path of a SQLite file below `root`, instead of wherever the server was started.

    Raises:
        ConfigurationError: the text is not a URL of a database.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigurationError(
            f"{setting} is not the URL of a database: write it like 'sqlite:///consent.db'."
        ) from None
    database = parsed.database
    if parsed.get_backend_name() != "sqlite" or not database or database.startswith((":", "file:")):
        return url
    return parsed.set(database=str(root / database)).render_as_string(hide_password=False)
