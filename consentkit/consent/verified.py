"""What is remembered of a token once it was verified, so that the next request need not find it out again."""

from collections.abc import Mapping

from consentkit.consent.model import Consent, Decision, Kind

__all__ = ["AnswerCache", "VerifiedToken"]


class AnswerCache:
    """What the tokens of many visitors have in common: all but the time and the pseudonym.

    Attributes:
        kind: as in Decision; so are granted, vendors and notice.
        grants: whether it grants anything that consent is needed for.
        recorded: the categories of a record in which this answer was found last, as the record has them.
        standing: what the answer is worth to whoever gave it, as long as that has not ended; see Standing.
    """

    __slots__ = ("granted", "grants", "kind", "notice", "recorded", "shared_consent", "vendors")

    def __init__(
        self, kind: Kind, granted: frozenset[str], vendors: Mapping[str, bool], notice: str, grants: bool
    ) -> None:
        self.kind = kind
        self.granted = granted
        self.vendors = vendors
        self.notice = notice
        self.grants = grants
        self.recorded: Mapping[str, bool] | None = None
        self.shared_consent: Consent | None = None


class VerifiedToken:
    """A token that was verified, and what is remembered of it. Times are whole seconds since the epoch.

    Attributes:
        raw: the token.
        answer: what others have answered too.
        decided_at: as in Decision; so are changed_at and subject.
        proof: the record in which this very decision was found last.
        ends: when the decision ends; None before that was asked, and where no calendar holds it.
        entry: what was known of its subject when the token was settled last; see Standing.
        since: from then on it stands so,
        until: and until then, as long as nothing else is known of its subject.
        consents: what it was judged to be worth, and when: without Global Privacy Control, and with it.
    """

    __slots__ = (
        "answer",
        "changed_at",
        "consents",
        "decided_at",
        "ends",
        "entry",
        "proof",
        "raw",
        "since",
        "subject",
        "until",
    )

    raw: bytes
    answer: AnswerCache
    decided_at: int
    changed_at: int
    subject: str
    proof: object
    ends: int | None
    entry: object
    since: float
    until: float
    consents: tuple[tuple[float, Consent] | None, tuple[float, Consent] | None]

    @property
    def decision(self) -> Decision:
        """The decision that was written."""
        answer = self.answer
        return Decision(
            kind=answer.kind,
            granted=answer.granted,
            vendors=dict(answer.vendors),
            decided_at=self.decided_at,
            changed_at=self.changed_at,
            notice=answer.notice,
            subject=self.subject,
        )
