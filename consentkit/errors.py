"""The error tree.

::

    ConsentError
    ├── ConfigurationError            the developer or owner of the site has to fix something; raised at start-up
    │   ├── PolicyError               consent.toml or consent.lock, with every problem found
    │   └── SecretKeyError            a signing key that is missing, too short or a placeholder
    ├── UnknownIdError (LookupError)  code uses an id that the policy does not declare
    │   ├── UnknownCategoryError
    │   ├── UnknownVendorError
    │   └── UnknownSiteError
    ├── UsageError (RuntimeError)     the library was called where or when it cannot work
    │   ├── MissingMiddlewareError    get_consent() on a request that did not pass the middleware
    │   ├── BlockingCallError         a blocking method on the thread of an event loop
    │   └── ResponseStartedError      a decision after the response's headers were sent
    ├── InvalidDecisionError (ValueError)   a choice that cannot be recorded
    │   └── UnknownNoticeError        a choice made under an unknown notice
    ├── ConsentRequiredError          a handler needs consent that the visitor has not given; the middleware answers 403
    └── LedgerError
        └── LedgerUnavailableError    the ledger could not be reached or written in time
            └── LedgerBusyError       too many decisions wait for the ledger; the middleware answers 503

Nothing that a visitor sends raises an error in the application: it counts as no consent, or the library answers with a problem
document.
"""

from dataclasses import dataclass

__all__ = [
    "BlockingCallError",
    "ConfigurationError",
    "ConsentError",
    "ConsentRequiredError",
    "InvalidDecisionError",
    "LedgerBusyError",
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
    """The base class of all errors of this library."""


class ConfigurationError(ConsentError):
    """A setting, a policy or a key that the library cannot use; the message contains the remedy."""


@dataclass(frozen=True, slots=True)
class PolicyProblem:
    """A problem of a policy file, or a warning about it.

    Attributes:
        file: the file's path.
        line: counted from 1, or None if the problem is on no particular line.
        key: the path of the key, such as `vendors[2].country`.
        value: the value as written, shortened.
        message: what was found, and what was expected.
        remedy: what to do.
        subject: name and id of the vendor or site that the key belongs to, such as `YouTube (youtube)`.
    """

    file: str
    line: int | None
    key: str
    value: str
    message: str
    remedy: str
    subject: str = ""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        value = f" = {self.value}" if self.value else ""
        subject = f"{self.subject}: " if self.subject else ""
        key = f"{self.key}{value}: " if self.key else ""
        return f"{place}: {subject}{key}{self.message} {self.remedy}".rstrip()


class PolicyError(ConfigurationError):
    """A policy file with problems; `problems` holds all of them, in the order of the file."""

    def __init__(self, problems: tuple[PolicyProblem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class SecretKeyError(ConfigurationError):
    """A signing key that protects nothing: missing, too short or easy to guess."""


class UnknownIdError(ConsentError, LookupError):
    """An id that the policy does not declare."""

    kind = "id"

    def __init__(self, unknown: str, known: tuple[str, ...] = ()) -> None:
        self.unknown = unknown
        self.known = known
        declared = ", ".join(known) or "none"
        super().__init__(f"The policy has no {self.kind} {unknown!r}; it has: {declared}.")


class UnknownCategoryError(UnknownIdError):
    """An id of no category in the policy."""

    kind = "category"


class UnknownVendorError(UnknownIdError):
    """An id of no vendor in the policy, or of no vendor in the given category."""

    kind = "vendor"

    def __init__(
        self, unknown: str, known: tuple[str, ...] = (), *, category: str = "", actual: str = ""
    ) -> None:
        """Make the error; `category` is the one that was asked, and `actual` the one that the vendor belongs to."""
        super().__init__(unknown, known)
        if actual:
            self.args = (
                f"Vendor {unknown!r} belongs to category {actual!r}, not to {category!r}: ask for "
                f"allows({actual!r}, vendor={unknown!r}).",
            )


class UnknownSiteError(UnknownIdError):
    """An id of no site in the policy."""

    kind = "site"


class UsageError(ConsentError, RuntimeError):
    """A call of the library where or when it cannot work."""


class MissingMiddlewareError(UsageError):
    """A request that did not pass through the consent middleware."""


class BlockingCallError(UsageError):
    """A blocking method, called on the thread of an event loop; the message names the async method to use."""


class ResponseStartedError(UsageError):
    """A decision that was made after the response's headers were sent."""


class InvalidDecisionError(ConsentError, ValueError):
    """A choice that cannot be recorded; nothing was changed."""


class UnknownNoticeError(InvalidDecisionError):
    """A choice under a notice that is not known here."""


class ConsentRequiredError(ConsentError):
    """Consent that a handler needs and the visitor has not given. If a handler raises it, the middleware answers 403."""

    def __init__(self, category: str, vendor: str | None = None) -> None:
        self.category = category
        self.vendor = vendor
        subject = f"vendor {vendor!r} of category {category!r}" if vendor else f"category {category!r}"
        super().__init__(f"This needs consent for {subject}.")


class LedgerError(ConsentError):
    """A failure of the ledger."""


class LedgerUnavailableError(LedgerError):
    """A ledger that could not be reached or written in time."""


class LedgerBusyError(LedgerUnavailableError):
    """Too many decisions wait for the ledger, so a further one was refused at once. In a handler, the middleware answers 503."""
