"""The error tree.

::

    ConsentError
    ├── ConfigurationError            the site's developer or owner has to mend something; raised at start-up
    │   ├── PolicyError               consent.toml or consent.lock; carries every problem found
    │   └── SecretKeyError            a signing key that is missing, too short or a placeholder
    ├── UnknownIdError (LookupError)  code names something that the policy lacks
    │   ├── UnknownCategoryError
    │   ├── UnknownVendorError
    │   └── UnknownSiteError
    ├── UsageError (RuntimeError)     the library is called in a way that cannot work
    │   ├── MissingMiddlewareError    get_consent() on a request that did not pass the middleware
    │   ├── BlockingCallError         a blocking method on an event loop's thread
    │   └── ResponseStartedError      a decision after the response's headers have left
    ├── InvalidDecisionError (ValueError)   a choice that cannot be recorded as asked
    │   └── UnknownNoticeError        a choice made under a notice that nobody here published
    ├── ConsentRequiredError          a handler needs a consent that is not there; the middleware answers 403
    └── LedgerError
        └── LedgerUnavailableError    the store could not be reached or written in time

What a visitor sends never raises out of the library: it reads as "no consent", or is answered with a problem document.
"""

from dataclasses import dataclass

__all__ = [
    "BlockingCallError",
    "ConfigurationError",
    "ConsentError",
    "ConsentRequiredError",
    "InvalidDecisionError",
    "LedgerError",
    "LedgerUnavailableError",
    "MissingMiddlewareError",
    "PolicyError",
    "PolicyProblem",
    "ResponseStartedError",
    "SecretKeyError",
    "UnknownCategoryError",
    "UnknownIdError",
    "UnknownNoticeError",
    "UnknownSiteError",
    "UnknownVendorError",
    "UsageError",
]


class ConsentError(Exception):
    """Be the ancestor of every error that this library raises."""


class ConfigurationError(ConsentError):
    """Say that a setting, its value and the remedy do not fit together."""


@dataclass(frozen=True, slots=True)
class PolicyProblem:
    """One thing that is wrong, or unwise, in a policy file.

    `line` counts from 1 and is None where the problem has no place of its own; `key` is the dotted path
    (`vendors[2].country`); `value` is the offending value as written, shortened.
    """

    file: str
    line: int | None
    key: str
    value: str
    message: str
    remedy: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        value = f" = {self.value}" if self.value else ""
        what = f"{self.key}{value}: " if self.key else ""
        return f"{place}: {what}{self.message} {self.remedy}".rstrip()


class PolicyError(ConfigurationError):
    """Report every problem of a policy file at once; `problems` holds them in the order of the file."""

    def __init__(self, problems: tuple[PolicyProblem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class SecretKeyError(ConfigurationError):
    """Refuse a signing key that would protect nothing."""


class UnknownIdError(ConsentError, LookupError):
    """Say that code names an id that the policy does not declare."""

    kind = "id"

    def __init__(self, unknown: str, known: tuple[str, ...] = ()) -> None:
        self.unknown = unknown
        self.known = known
        listed = ", ".join(known) or "none"
        super().__init__(f"The policy has no {self.kind} {unknown!r}; it has: {listed}.")


class UnknownCategoryError(UnknownIdError):
    """Say that the policy declares no category of that id."""

    kind = "category"


class UnknownVendorError(UnknownIdError):
    """Say that the policy declares no vendor of that id, or not in that category."""

    kind = "vendor"


class UnknownSiteError(UnknownIdError):
    """Say that the policy declares no site of that id."""

    kind = "site"


class UsageError(ConsentError, RuntimeError):
    """Say that the library was called where or when it cannot work."""


class MissingMiddlewareError(UsageError):
    """Say that a request did not pass through the consent middleware."""


class BlockingCallError(UsageError):
    """Say that a blocking method was called on an event loop's thread; names the async one."""


class ResponseStartedError(UsageError):
    """Say that a decision came after the response's headers had left."""


class InvalidDecisionError(ConsentError, ValueError):
    """Say that a choice cannot be recorded as asked; nothing was changed."""


class UnknownNoticeError(InvalidDecisionError):
    """Say that a choice names a notice that nobody here published."""


class ConsentRequiredError(ConsentError):
    """Say that a handler needs a consent that the visitor has not given; raised in a handler, the middleware answers 403."""

    def __init__(self, category: str, vendor: str | None = None) -> None:
        self.category = category
        self.vendor = vendor
        named = f"vendor {vendor!r} of category {category!r}" if vendor else f"category {category!r}"
        super().__init__(f"This needs consent for {named}.")


class LedgerError(ConsentError):
    """Say that the record store failed."""


class LedgerUnavailableError(LedgerError):
    """Say that the record store could not be reached or written in time."""
