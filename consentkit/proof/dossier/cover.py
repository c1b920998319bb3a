"""The cover of a dossier: whose it is, what it covers, what it holds, and how to check it."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from consentkit._version import __version__
from consentkit.policy import Controller, Policy, own_storage
from consentkit.proof.checkpoint import Checkpoint, VerifyingKey
from consentkit.proof.dossier.ledger_pages import verification_box
from consentkit.proof.dossier.notices import folder_of
from consentkit.proof.dossier.page import code, day, facts, items, link, moment, page, para, table, texts
from consentkit.proof.dossier.period import Period, Tally, Version
from consentkit.proof.dossier.rows import duration
from consentkit.proof.dossier.signature import NAMESPACE, SIGNER, fingerprint
from consentkit.proof.verify import Verification

__all__ = ["Cover", "cover_page"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """What the cover says.

    Attributes:
        policy: whose dossier it is.
        period: which days and site it covers.
        at: when it was made, in seconds since the epoch.
        versions: of the notice, without the one before the period.
        tally: what was counted.
        verification: of the whole ledger.
        key: public half of the key that signs, or None.
        has_records: whether the records are in it.
        pictures: how many pictures are in it.
        has_pdf: whether this page is in it as PDF.
        lacks: sentences about what is not there, or could not be put in.
        first_at: when the oldest record of the ledger happened; None without records.
        configuration: names of the files of the configuration.
    """

    policy: Policy
    period: Period
    at: int
    versions: Sequence[Version]
    tally: Tally
    verification: Verification
    key: VerifyingKey | None
    has_records: bool
    pictures: int
    has_pdf: bool
    lacks: Sequence[str]
    first_at: float | None
    configuration: Sequence[str]


def cover_page(cover: Cover) -> str:
    """Return the cover."""
    period = cover.period
    sites = [site for site in cover.policy.sites if period.site in (None, site.id)]
    title = f"Consent dossier of {cover.policy.controller.name}"
    parts = [
        para(
            "This dossier shows how visitors of a web site were asked for consent to cookies and similar techniques, what they "
            "were told, what they decided, and what is known about whether the records of that were changed since. It opens "
            "without a network."
        ),
        facts(
            [
                ("Period", f"{day(period.first)} to {day(period.last)}, both included, in UTC"),
                ("Sites", items(f"{site.name}, {site.origin}" for site in sites)),
                (
                    "Oldest record of the ledger" if period.site is None else "Oldest record of the site",
                    _begin(cover.first_at),
                ),
                ("Made", Markup("{} with consentkit {}").format(moment(cover.at), __version__)),
                ("Signed", _signed(cover.key)),
            ]
        ),
        verification_box(cover.verification, period),
        *(para(sentence, "note") for sentence in cover.lacks),
        Markup("<h2>Who is responsible</h2>"),
        *_controllers(cover.policy, period),
        Markup("<h2>What it holds</h2>"),
        _contents(cover),
        Markup("<h2>How consent works on these sites</h2>"),
        *_mechanism(cover.policy),
        Markup('<h2 id="notices">Notices in force</h2>'),
        *_notices(cover.versions),
        Markup("<h2>How to check it</h2>"),
        *_checks(cover),
        Markup("<h2>What it does not show</h2>"),
        items(_limits(cover)),
        Markup("<h2>Words</h2>"),
        facts(_WORDS),
    ]
    return page(title, parts, is_cover=True)


_WORDS = (
    ("Notice", "what visitors are told: controller, purposes, third parties and items, in all languages"),
    ("Digest", "a fingerprint of a text by SHA-256; a different text has a different one"),
    ("Record", "one event of a consent, such as given, changed or withdrawn"),
    (
        "Ledger",
        "the database of all records and notices; consentkit adds to it and changes no record, and a removal leaves a note. "
        "Whether anything else changed a record is what chain and checkpoint tell",
    ),
    (
        "Stream",
        "one of the sequences that the chain consists of. Several programs write to the ledger at the same time, each to "
        "another one of 16 streams; one more, the log, says what was removed",
    ),
    (
        "Chain",
        "a hash for each record, which depends on all entries before it in the same stream. A change is noticed by everybody "
        "who has a later hash of that stream",
    ),
    (
        "Checkpoint",
        "a signed note of where each stream ended, which somebody else should keep. Whoever has it notices a change of what "
        "was stored before, if the change was made after the note",
    ),
    ("Lock file", "the list of all published notices, with the day of each"),
    ("Durations", "P6M is six months, P30D thirty days, PT10M ten minutes (ISO 8601)"),
)


def _begin(first_at: float | None) -> Markup | str:
    return "there is none" if first_at is None else moment(first_at)


def _signed(key: VerifyingKey | None) -> Markup | str:
    if key is None:
        return "no: nothing shows who made it, or that nobody changed it since"
    return Markup("with the key {}, fingerprint {}").format(code(key.name), code(fingerprint(key)))


def _controllers(policy: Policy, period: Period) -> list[Markup]:
    parts = [_controller(policy.controller)]
    for site in policy.sites:
        if site.controller is not None and period.site in (None, site.id):
            parts += [Markup("<h3>Of {}</h3>").format(site.name), _controller(site.controller)]
    if policy.group is not None:
        parts.append(
            facts(
                [
                    ("Group of sites", texts(policy.group.name)),
                    (
                        "Joint controllers among the sites",
                        "yes" if policy.group.joint_controllers else "no",
                    ),
                    (
                        "Essence of their arrangement",
                        None if policy.group.joint_control is None else texts(policy.group.joint_control),
                    ),
                ]
            )
        )
    joint = [vendor.name for vendor in policy.vendors if vendor.role == "joint_controller"]
    if joint:
        told = f"{', '.join(joint)}; the page of each notice has the essence of the arrangement"
        parts.append(facts([("Third parties that are joint controllers", told)]))
    return parts


def _controller(controller: Controller) -> Markup:
    return facts(
        [
            ("Name", controller.name),
            ("Address", f"{controller.address}, {controller.country}"),
            ("E-mail, also for questions", controller.email),
            ("Data protection officer", controller.dpo),
            ("Supervisory authority", f"{controller.authority.name}, {controller.authority.url}"),
        ]
    )


def _contents(cover: Cover) -> Markup:
    number = len(cover.versions)
    rows: list[tuple[object, object]] = [
        (
            link("changes.html", "What changed"),
            "differences between consecutive notices, and who had to be asked again",
        ),
        (link("exemptions.html", "Exemptions"), "what is stored or read without consent, and why"),
        (
            link("ledger/index.html", "What was decided"),
            f"{cover.tally.records:,} records, pseudonymous, and figures"
            if cover.has_records
            else "figures alone, no records",
        ),
        (
            link("verification/index.html", "Verification"),
            "whether the records are as they were stored, and how to check the chain yourself",
        ),
        (
            "Configuration",
            Markup(
                "{}, as they were when the dossier was made; keys and passwords are never part of it"
            ).format(Markup(", ").join(link(f"configuration/{name}", name) for name in cover.configuration)),
        ),
        *([(link("cover.pdf", "This page as PDF"), "for printing")] if cover.has_pdf else []),
        (link("software.json", "Software"), "versions of the software"),
        (
            link("SHA256SUMS", "Checksums"),
            "SHA-256 of every other file; the signatures are made of this list",
        ),
    ]
    what = f"{_stored(cover.versions)}, and the very words that were sent"
    pictures = f", with {cover.pictures:,} pictures of them" if cover.pictures else ""
    plural = "notice" if number == 1 else "notices"
    return table(
        "Contents", ("Part", "What"), [(link("#notices", f"{number} {plural}"), f"{what}{pictures}"), *rows]
    )


def _stored(versions: Sequence[Version]) -> str:
    """Return of how many notices the ledger has the content."""
    stored = sum(version.stored is not None for version in versions)
    known = sum(version.stored is None and version.content is not None for version in versions)
    counted = [
        (stored, "as the ledger stores it and as a page"),
        (known, "with the content of the policy file, because nobody decided under it"),
        (len(versions) - stored - known, "without content, because the ledger does not have it"),
    ]
    return "; ".join(f"{number} {words}" for number, words in counted if number) or "none"


def _mechanism(policy: Policy) -> list[Markup]:
    rows = [
        (
            texts(category.title),
            "no, strictly necessary" if category.required else "no, exempt" if category.exempt else "yes",
            ", ".join(vendor.name for vendor in policy.vendors_of(category.id)) or "none",
            len(policy.trackers_of(category.id))
            + [item.category for item in own_storage(policy)].count(category.id),
        )
        for category in policy.categories
    ]
    columns = ("Purpose", "Consent", "Third parties", "Items on the device")
    return [
        para(
            "The sites use the library consentkit, which runs on the server and is made to work like this. The words that were "
            "sent show it in part; nothing here shows that every page did:"
        ),
        items(
            [
                "Before a visitor has agreed, the server sends no cookie that needs consent, and no content of a third party "
                "that does.",
                "The banner has “Accept all” and “Reject all” side by side, in the same form. Nothing is chosen beforehand.",
                "Every page has a link to the settings, where each purpose is turned off, and consent is withdrawn.",
                f"A decision is valid for {duration(policy.validity)}, whether it was given or refused. Then the visitor is "
                "asked again.",
                f"Records are to be kept for {duration(policy.records_kept)} after the end of the validity.",
            ]
        ),
        table("Purposes, as the policy has them now", columns, rows),
    ]


def _notices(versions: Sequence[Version]) -> list[Markup]:
    if not versions:
        return [para("No notice was in force in the period.", "note")]
    rows = [
        (
            link(f"{folder_of(version)}/index.html", f"Notice {version.number}"),
            day(version.published) or "not known",
            day(version.replaced) or "not replaced",
            "not stored"
            if version.content is None
            else "stored"
            if version.stored
            else "from the policy file",
            0 if version.use is None else version.use.records,
            code(version.digest),
        )
        for version in versions
    ]
    return [table("Notices", ("Notice", "Published", "Replaced", "Content", "Records", "Digest"), rows)]


def _checks(cover: Cover) -> list[Markup]:
    parts = [
        para(
            "Unpack the archive, and open a terminal in its folder. No program of the controller’s is needed."
        ),
        para(
            "1. That all files are as they were when the dossier was made (on macOS: shasum -a 256 -c SHA256SUMS):"
        ),
        Markup("<pre>sha256sum -c SHA256SUMS</pre>"),
    ]
    if cover.key is None:
        parts.append(
            para(
                "This dossier is not signed, so whoever changed a file could have changed its checksum too.",
                "note",
            )
        )
    else:
        parts += _checks_of_key(cover.key, cover.verification.against)
    return parts + _check_of_notice(cover.versions, 2 if cover.key is None else 4)


def _checks_of_key(key: VerifyingKey, noted: Checkpoint | None) -> list[Markup]:
    as_note = None if noted is None else code(key.text)
    return [
        para(
            "2. That the holder of the key made it. One of these suffices; the first needs OpenSSH 8.1, the second OpenSSL 3:"
        ),
        Markup(
            "<pre>ssh-keygen -Y verify -f allowed_signers -I {} -n {} -s SHA256SUMS.sig &lt; SHA256SUMS</pre>"
        ).format(SIGNER, NAMESPACE),
        Markup(
            "<pre>openssl pkeyutl -verify -pubin -inkey public-key.pem -rawin -in SHA256SUMS -sigfile SHA256SUMS.ed25519</pre>"
        ),
        para(
            "3. That the key is the controller’s. Ask the controller for the fingerprint by another way than the one by which "
            "the dossier came, such as by telephone, and compare it with what this prints:"
        ),
        Markup("<pre>cut -d ' ' -f 3- allowed_signers | ssh-keygen -lf -</pre>"),
        facts(
            [
                ("Fingerprint", code(fingerprint(key))),
                ("The same key, as a program that verifies checkpoints reads it", as_note),
            ]
        ),
    ]


def _check_of_notice(versions: Sequence[Version], number: int) -> list[Markup]:
    known = [version for version in versions if version.canonical is not None]
    if not known:
        return []
    return [
        para(
            f"{number}. That a notice is the one to which records refer: the SHA-256 of its notice.canonical.json is the digest. "
            "This prints it as records have it:"
        ),
        Markup(
            "<pre>openssl dgst -sha256 -binary {}/notice.canonical.json | base64 | tr '+/' '-_' | tr -d '='</pre>"
        ).format(folder_of(known[0])),
    ]


def _limits(cover: Cover) -> list[str]:
    limits = [
        "What a visitor’s browser actually showed. The words are those that the server sent; pictures are made from them when "
        "the dossier is made.",
        "Who a visitor is. The ledger has no names and no addresses.",
        "That every record is of a real decision. Before a checkpoint was made, records could have been invented, changed or "
        "left out.",
        "Decisions that were never recorded.",
        "What was sent, by anything other than the controller’s word: the server itself recorded what it says it sent.",
        "When something happened, or when the dossier was made, by anything other than the controller’s clock.",
        "Whether the site sets or loads anything that its policy does not declare.",
    ]
    if cover.period.site is not None:
        limits.append("Records of the group’s other sites, and which of them belong to the same visitor.")
    return limits
