"""What banner and preference centre say to one visitor: whole sentences, each exactly when it is true, and what is ticked.

Every sentence is `Markup`: what comes from the policy is escaped, and carries its own `lang` where it needs one.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from consentkit.consent import Consent, ConsentStatus
from consentkit.ui.disclosure import Row
from consentkit.ui.i18n import Translator, mark

__all__ = ["FirstLayer", "answerable", "combination", "first_layer", "problem", "state"]

Own = Callable[[str], Markup]
_PROBLEMS = {
    400: (
        mark("This could not be read"),
        mark("Something in the form is not as it should be. Nothing was changed."),
    ),
    403: (
        mark("This was not accepted"),
        mark("The request did not come from this site. Nothing was changed."),
    ),
    404: (mark("There is nothing here"), mark("This address leads nowhere.")),
    405: (
        mark("This address works differently"),
        mark("The request was of the wrong kind. Nothing was changed."),
    ),
    409: (
        mark("The page that you answered is out of date"),
        mark(
            "What we ask for has changed in the meantime. Nothing was changed: please look again and answer anew."
        ),
    ),
    413: (mark("This was too long"), mark("The form is larger than it can be. Nothing was changed.")),
    415: (
        mark("This could not be read"),
        mark("The form came in a format that we do not read. Nothing was changed."),
    ),
    503: (
        mark("Your choice could not be saved"),
        mark("It cannot be recorded at the moment, so nothing was accepted. Please try again later."),
    ),
}

_ANSWERS = {
    ConsentStatus.UNKNOWN: mark("Your answer of %(date)s cannot be checked at the moment."),
    ConsentStatus.REFUSED: mark("You rejected everything that needs your consent, on %(date)s."),
    ConsentStatus.WITHDRAWN: mark("You withdrew your consent on %(date)s."),
    ConsentStatus.EXPIRED: mark("Your answer of %(date)s has ended."),
    ConsentStatus.INVALIDATED: mark("Since your answer of %(date)s, what we ask for has changed."),
}


@dataclass(frozen=True, slots=True)
class FirstLayer:
    """The text of the banner: who asks, for what, and all that a visitor should know before answering."""

    asks: Markup
    categories: tuple[Row, ...]
    sentences: tuple[Markup, ...]
    news: tuple[Markup, ...]
    partial: bool
    sites: int


def first_layer(
    policy: Row,
    words: Translator,
    own: Own,
    asking: Iterable[str],
    *,
    news: tuple[Markup, ...],
    gpc: bool,
    ends: str | None,
) -> FirstLayer:
    """Compose the first layer for the categories that are asked about.

    Args:
        policy: the rows of `Disclosure.policy`.
        words: the library's words in the visitor's language.
        own: marks a text of the owner with its language.
        asking: ids of the categories that are asked about now.
        news: what changed since the visitor's answer.
        gpc: whether the browser sends Global Privacy Control.
        ends: the day on which an earlier answer ends, which an answer to a part of the question joins.
    """
    asked = set(asking)
    categories = tuple(row for row in policy["categories"] if row["id"] in asked)
    partial = len(categories) < sum(row["legal_basis"] == "consent" for row in policy["categories"])
    vendors = [row for row in policy["vendors"] if row["category"] in asked]
    sentences = [*_profiling(vendors, words), *_linked_ledger(policy, categories, words, own)]
    if gpc:
        sentences += _gpc(categories, words, own)
    if partial and ends:
        sentences.append(words.fill("Your other answers stay; all of them end on %(date)s.", date=ends))
    else:
        validity = policy["validity_words"]
        sentences.append(words.fill("Your choice is valid for %(validity)s.", validity=validity))
    settings = words.say("Cookie settings")
    sentences.append(words.fill("You can withdraw it at any time under “%(settings)s”.", settings=settings))
    return FirstLayer(
        _asks(policy, words, vendors), categories, tuple(sentences), news, partial, len(policy["sites"])
    )


def _profiling(vendors: Iterable[Row], words: Translator) -> list[Markup]:
    profiling = sum(row["profiling"] for row in vendors)
    if not profiling:
        return []
    return [
        words.counted(
            "%(num)s third party may build a profile of you.",
            "%(num)s third parties may build a profile of you.",
            profiling,
        )
    ]


def _linked_ledger(policy: Row, categories: Iterable[Row], words: Translator, own: Own) -> list[Markup]:
    """Say which sites one answer covers, and what is combined of the categories asked about (REQUIREMENTS XS-01)."""
    sites = len(policy["sites"])
    if sites == 1:
        return []
    covers = words.counted(
        "Your choice counts for our site.", "Your choice counts for our %(num)s sites.", sites
    )
    combined = [own(row["title"]) for row in categories if row["combines_across_sites"]]
    if not combined:
        return [covers]
    purposes = words.joined(combined)
    return [covers, words.fill("Data from all of them is combined for: %(purposes)s.", purposes=purposes)]


def _asks(policy: Row, words: Translator, vendors: Sequence[Row]) -> Markup:
    controller = policy["controller"]["name"]
    outside = sum(row["outside_eea"] for row in vendors)
    if not vendors:
        return words.fill(
            "%(controller)s wants to store and read data on this device:", controller=controller
        )
    if not outside:
        return words.counted(
            "%(controller)s and %(num)s third party want to store and read data on this device:",
            "%(controller)s and %(num)s third parties want to store and read data on this device:",
            len(vendors),
            controller=controller,
        )
    return words.counted(
        "%(controller)s and %(num)s third party (%(outside)s outside the European Economic Area) "
        "want to store and read data on this device:",
        "%(controller)s and %(num)s third parties (%(outside)s outside the European Economic Area) "
        "want to store and read data on this device:",
        len(vendors),
        controller=controller,
        outside=outside,
    )


def _gpc(categories: Iterable[Row], words: Translator, own: Own) -> list[Markup]:
    refused = [own(row["title"]) for row in categories if row["honours_gpc"]]
    if not refused:
        return []
    return [
        words.fill(
            "Your browser sends Global Privacy Control; until you answer, we take that as a refusal of: %(purposes)s.",
            purposes=words.joined(refused),
        )
    ]


def combination(policy: Row, titles: Sequence[Markup], words: Translator) -> Markup:
    """Say which data from several sites is put together (REQUIREMENTS XS-01)."""
    if titles:
        return words.fill(
            "Data from all our sites is combined for: %(purposes)s.", purposes=words.joined(titles)
        )
    if len(policy["sites"]) > 1:
        return words.fill("Data from our sites is not combined.")
    return Markup()


def state(consent: Consent, policy: Row, words: Translator, own: Own) -> list[Markup]:
    """Say where the visitor stands: what was answered, when, and until when it holds."""
    decided = words.date(consent.decided_at) if consent.decided_at else ""
    ends = words.date(consent.expires_at) if consent.expires_at else ""
    sentences = [_answer(consent, policy, words, own, decided)]
    if consent.status.decided:
        refused = [own(row["title"]) for row in _refused(consent, policy)]
        refused += _exceptions(consent, policy, allowed=False)
        if refused:
            sentences.append(words.fill("Not accepted: %(vendors)s.", vendors=words.joined(refused)))
        if ends:
            sentences.append(words.fill("This answer is valid until %(date)s.", date=ends))
    else:
        sentences.append(words.fill("Nothing that needs your consent is stored or read until you accept it."))
        if consent.gpc:
            sentences += _gpc(policy["categories"], words, own)
    return sentences


def _answer(consent: Consent, policy: Row, words: Translator, own: Own, decided: str) -> Markup:
    if not decided:
        return words.fill("You have not answered yet.")
    if consent.status is ConsentStatus.GIVEN:
        accepted = [own(row["title"]) for row in policy["categories"] if row["id"] in consent.granted]
        accepted += _exceptions(consent, policy, allowed=True)
        return words.fill(
            "You accepted on %(date)s: %(purposes)s.", date=decided, purposes=words.joined(accepted)
        )
    return words.fill(_ANSWERS[consent.status], date=decided)


def _refused(consent: Consent, policy: Row) -> list[Row]:
    """List the categories that were answered with no, where others were answered with yes."""
    if consent.status is not ConsentStatus.GIVEN:
        return []
    return [
        row
        for row in policy["categories"]
        if not consent.categories[row["id"]] and row["id"] not in consent.asking
    ]


def _exceptions(consent: Consent, policy: Row, *, allowed: bool) -> list[Markup]:
    """Name the vendors that the visitor answered about in another way than about their category."""
    return [escape(row["name"]) for row in policy["vendors"] if _exception(consent, row) is allowed]


def _exception(consent: Consent, vendor: Row) -> bool | None:
    """Return the visitor's own answer about a vendor, where it is in effect and differs from the category's."""
    decision = consent.decision
    if decision is None or not consent.status.decided or vendor["id"] not in decision.vendors:
        return None
    answer = consent.vendors[vendor["id"]]
    return answer if answer is not consent.categories[vendor["category"]] else None


def answerable(category: Row, policy: Row, consent: Consent) -> Row:
    """Add to a category its vendors and what was answered: True, False, or None where nothing is to be ticked."""
    undecided = not consent.status.decided or category["id"] in consent.asking
    vendors = [
        vendor | {"answer": _exception(consent, vendor)}
        for vendor in policy["vendors"]
        if vendor["category"] == category["id"]
    ]
    return category | {
        "answer": None if undecided and not category["exempt"] else consent.categories[category["id"]],
        "vendors": vendors,
        "deviates": any(vendor["answer"] is not None for vendor in vendors),
    }


def problem(status: int, words: Translator) -> tuple[str, str]:
    """Say what an HTTP status means to a visitor who pressed a button: a title and a sentence, not escaped."""
    title, detail = _PROBLEMS.get(status, _PROBLEMS[400])
    return words.say(title), words.say(detail)
