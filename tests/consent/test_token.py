import re
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256, sha512
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from itsdangerous import Signer

from consentkit.consent.evaluation import Evaluator
from consentkit.consent.model import Decision, Kind
from consentkit.consent.secret_keys import SecretKeys
from consentkit.consent.token import TokenCodec
from consentkit.notices.notice import Notice
from consentkit.policy import LARGEST_COOKIE
from consentkit.policy.policy import Policy
from tests.support.drawn import MOMENT, decisions_under, policies
from tests.support.policies import add, drop, policy, put

OLD, NEW, NEWEST = (
    "an old key of at least 32 characters",
    b"a new key of at least 32 characters",
    "a key that only the tests of the token sign with",
)
SALT = "consentkit.cookie.v1||stride"
SUBJECT = "AZaz09-_AZaz09-_AZaz09"
FIVE = tuple(add("categories", id=one) for one in ("tracking", "social", "comfort"))
VENDORS = (add("vendors", id="video", category="social"), add("vendors", id="adhub", category="tracking"))
EVALUATOR = Evaluator(policy(*FIVE, *VENDORS), "stride")
NOTICE = EVALUATOR.notice
TOKENS = TokenCodec(EVALUATOR, NEW, SALT)
GRANT = Decision(
    granted=frozenset({"analytical", "social"}),
    vendors={"video": False, "adhub": True},
    decided_at=MOMENT,
    changed_at=MOMENT + 77,
    notice=NOTICE.digest,
    subject=SUBJECT,
)
REFUSAL = replace(GRANT, granted=frozenset(), vendors={}, changed_at=MOMENT, subject="")
FIELDS = ["1d", "5", str(MOMENT), "77", NOTICE.short, "6", SUBJECT]
DRAWN = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def stock(*oldest_first: SecretKeys, salt: str = SALT, **options: Any) -> Signer:
    """Make itsdangerous' own signer, as the contract names it."""
    return Signer(list(oldest_first), salt, **{"key_derivation": "hmac", "digest_method": sha256} | options)  # type: ignore[arg-type]  # options of several types


def read(codec: TokenCodec, value: bytes) -> Decision | None:
    """Return the decision of a token, None if the codec does not accept the token."""
    token = codec.read(value)
    return token.decision if token else None


def minted(*fields: str, signer: Signer | None = None) -> bytes:
    """Sign any fields with the right key."""
    return (signer or stock(NEW)).sign(".".join(fields))


# CK-07


@DRAWN
@given(policies, st.data())
def test_every_decision_comes_back_as_it_was_written_also_by_the_stock_signer(
    policy: Policy, more: st.DataObject
) -> None:
    tokens = TokenCodec(Evaluator(policy, "stride"), [NEW, OLD], SALT)
    decision = more.draw(decisions_under(Notice.of(policy)))
    token = tokens.dumps(decision)
    assert read(tokens, token.encode()) == decision
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", token)  # CK-01
    signer = stock(OLD, NEW)
    assert signer.validate(token)
    assert signer.sign(signer.unsign(token)).decode() == token


def test_token_has_the_fields_of_the_contract() -> None:
    *fields, signature = TOKENS.dumps(GRANT).split(".")
    assert fields == FIELDS
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", signature)
    *fields, _ = TOKENS.dumps(REFUSAL).split(".")
    assert fields == ["1d", "", str(MOMENT), "", NOTICE.short, "", ""]
    assert TOKENS.dumps(replace(REFUSAL, kind="withdrawn")).startswith("1w..")
    assert TOKENS.dumps(replace(GRANT, kind="partial")).startswith("1p.5.")


def test_grant_of_four_categories_fits_150_bytes() -> None:  # CK-01
    widest = replace(
        GRANT,
        granted=frozenset(NOTICE.category_ids),
        changed_at=MOMENT + 15_897_600,
        vendors={"video": False},
    )
    assert len(NOTICE.category_ids) == 4
    assert len(f"__Secure-consent={TOKENS.dumps(widest)}") <= 150


# LB-09, WD-03
@pytest.mark.parametrize("kind", ["decided", "partial", "withdrawn"])
def test_refusal_carries_no_identifier(kind: Any) -> None:
    written = TOKENS.dumps(replace(REFUSAL, kind=kind, subject=SUBJECT))
    assert SUBJECT not in written
    assert read(TOKENS, written.encode()) == replace(REFUSAL, kind=kind)
    # An exempt category without an objection is not a grant either.
    exempt = TokenCodec(Evaluator(policy(put("categories", 1, exempt=True)), "stride"), NEW, SALT)
    notice = Notice.of(policy(put("categories", 1, exempt=True)))
    kept = replace(REFUSAL, kind=kind, granted=frozenset({"analytical"}), notice=notice.digest)
    assert exempt.dumps(replace(kept, subject=SUBJECT)) == exempt.dumps(kept)
    assert read(exempt, exempt.dumps(kept).encode()) == kept


def test_refusals_of_one_second_are_the_same_token() -> None:  # LB-09
    assert TOKENS.dumps(REFUSAL) == TOKENS.dumps(replace(REFUSAL, subject="another" * 3))


def test_only_vendors_that_differ_from_their_category_are_written() -> None:
    said = replace(GRANT, vendors={"counter": True, "video": True, "adhub": False, "gone": True})
    assert read(TOKENS, TOKENS.dumps(said).encode()) == replace(GRANT, vendors={})
    refused = replace(REFUSAL, vendors={"counter": False, "video": False}, granted=frozenset({"functional"}))
    assert read(TOKENS, TOKENS.dumps(refused).encode()) == REFUSAL


def test_change_is_never_older_than_its_decision() -> None:
    odd = replace(REFUSAL, changed_at=MOMENT - 5)
    assert read(TOKENS, TOKENS.dumps(odd).encode()) == REFUSAL


def test_writing_under_an_unknown_notice_raises() -> None:
    with pytest.raises(KeyError):
        TOKENS.dumps(replace(GRANT, notice="n" * 43))


# CK-07, CK-08: whatever is not, to the byte, what we wrote


@pytest.mark.parametrize("bit", range(8))
def test_token_with_a_flipped_bit_is_rejected(bit: int) -> None:
    token = TOKENS.dumps(GRANT).encode()
    for place in range(len(token)):
        flipped = bytearray(token)
        flipped[place] ^= 1 << bit
        assert read(TOKENS, bytes(flipped)) is None, place


def test_token_cut_short_or_extended_is_rejected() -> None:
    token = TOKENS.dumps(GRANT).encode()
    for place in range(len(token)):
        assert read(TOKENS, token[:place]) is None
        assert read(TOKENS, token[place + 1 :]) is None
    for more in (b"=", b".", b" ", b"\x00", b"A", b"*$", b"\xa0", b"\n", b"%3D", b'"'):
        assert read(TOKENS, token + more) is None
        assert read(TOKENS, more + token) is None
        assert read(TOKENS, token[:-4] + more + token[-4:]) is None


@given(st.binary(max_size=200) | st.text("0123456789abcdef.1dpw-_Zz", max_size=200).map(str.encode))
@example(b"")
@example(b".")
@example(b"..")
@example(b"......." * 600)
@example(b"1d.5.1.1.x.6.s." + b"A" * 43)
@example(b"\xff" * 43)
def test_arbitrary_bytes_are_rejected(value: bytes) -> None:
    assert read(TOKENS, value) is None
    assert TOKENS.unknown_notice(value) is None


@given(st.lists(st.text("0123456789abcdefdpwxyz-_ ", max_size=24), min_size=1, max_size=9))
@example(["1d", "f", str(MOMENT), "", NOTICE.short, "", SUBJECT])
def test_signed_fields_are_rejected_or_written_back_the_same(
    fields: list[str],
) -> None:  # SG-11
    value = minted(*fields)
    decision = read(TOKENS, value)
    if decision is not None:
        assert TOKENS.dumps(decision).encode() == value


ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def test_only_the_canonical_signature_is_accepted() -> None:
    token = TOKENS.dumps(GRANT).encode()
    signer, last = stock(NEW), ALPHABET.index(token[-1:])
    for spare in range(1, 4):
        # 43 characters hold 258 bits: the stock signer overlooks the last two, and characters of no alphabet.
        other = token[:-1] + ALPHABET[last ^ spare : (last ^ spare) + 1]
        assert signer.validate(other)
        assert read(TOKENS, other) is None
    for other in (token + b"=", token[:-2] + b"*$" + token[-2:]):
        assert signer.validate(other)
        assert read(TOKENS, other) is None


def test_signature_in_the_standard_base64_alphabet_is_rejected() -> None:
    for second in range(40):
        token = TOKENS.dumps(
            replace(REFUSAL, decided_at=MOMENT + second, changed_at=MOMENT + second)
        ).encode()
        signed, _, signature = token.rpartition(b".")
        if re.search(rb"[-_]", signature):
            other = signed + b"." + signature.replace(b"-", b"+").replace(b"_", b"/")
            assert read(TOKENS, other) is None


def test_cache_of_answers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentkit.consent.token._ANSWERS_KEPT", 2)
    tokens = TokenCodec(EVALUATOR, NEW, SALT)
    kinds: list[Kind] = ["decided", "partial", "withdrawn"]
    for decision in (GRANT, *(replace(REFUSAL, kind=kind) for kind in kinds), GRANT):
        assert read(tokens, tokens.dumps(decision).encode()) == decision
        assert len(tokens._answers) <= 2


# CK-07
@pytest.mark.parametrize(
    "signer",
    [
        stock(OLD),
        stock(NEW, salt="consentkit.cookie.v1||trailhead"),
        stock(NEW, salt="consentkit.cookie.v1|media|stride"),
        stock(NEW, salt="consentkit.cookie.v2||stride"),
        stock(NEW, salt="consentkit.cookie.v1|stride|"),
        stock(NEW, salt="itsdangerous.Signer"),
        stock(NEW, key_derivation="django-concat"),
        stock(NEW, key_derivation="concat"),
        stock(NEW, key_derivation="none"),
        stock(NEW, digest_method=sha512),
        Signer(NEW, SALT),
        Signer(NEW),
        stock(NEW, sep=":"),
    ],
)
def test_token_signed_for_another_purpose_is_rejected(signer: Signer) -> None:
    assert read(TOKENS, minted(*FIELDS)) == GRANT
    assert read(TOKENS, minted(*FIELDS, signer=signer)) is None


@pytest.mark.parametrize(
    ("keys", "reads_old", "reads_new"),
    [(OLD, True, False), ([OLD, NEW], True, True), ([NEW, OLD], True, True), (NEW, False, True)],
)
def test_tokens_of_all_keys_are_read_and_the_newest_key_signs(
    keys: SecretKeys, reads_old: bool, reads_new: bool
) -> None:
    tokens = TokenCodec(EVALUATOR, keys, SALT)
    assert (read(tokens, minted(*FIELDS, signer=stock(OLD))) == GRANT) is reads_old
    assert (read(tokens, minted(*FIELDS, signer=stock(NEW))) == GRANT) is reads_new
    # The first key of the list signs; itsdangerous takes it last.
    newest = keys[0] if isinstance(keys, list) else keys
    assert stock(newest).validate(tokens.dumps(GRANT))
    assert tokens.keys_oldest_first[-1] == (newest.encode() if isinstance(newest, str) else newest)


def test_token_of_a_removed_key_is_rejected() -> None:  # SG-10
    three = [TokenCodec(EVALUATOR, keys, SALT) for keys in ([NEW, OLD], [NEWEST, NEW], [NEWEST])]
    token = three[0].dumps(GRANT).encode()
    assert [read(tokens, token) is not None for tokens in three] == [True, True, False]


# SG-11: signed by us, and still nonsense


def changed(place: int, value: str) -> list[str]:
    return [*FIELDS[:place], value, *FIELDS[place + 1 :]]


NONSENSE = {
    0: ["", "1", "d", "d1", "1x", "2d", "0d", "01d", "1D", "1dd", "1d ", "11d", "\u00b9d"],
    1: ["0", "05", "10", "1f", "F", "A", "0x5", "-5", "+5", " 5", "5 ", "5_0", "g", "all", "null", "\u0665"],
    2: [
        "",
        "0",
        f"0{MOMENT}",
        f"-{MOMENT}",
        f"+{MOMENT}",
        f"{MOMENT}.0",
        "1e9",
        "1e400",
        "NaN",
        "inf",
        "now",
    ],
    3: ["0", "077", "-77", "+77", "7.7", "1e1", "NaN", "x", "9" * 12, " "],
    4: ["", "x" * 11, NOTICE.short[:-1], NOTICE.short + "A", NOTICE.digest, NOTICE.short.swapcase()],
    5: ["0", "06", "8", "F", "-6", "x", "fffff"],
    6: ["s", "s" * 21, "s" * 23, "s" * 21 + "!", "s" * 21 + " ", "s" * 21 + "\n", "../../../etc/passwd/xx"],
}
NONSENSE[1] += ["f" * 16, "f" * 300]
NONSENSE[2] += ["1_000", "9" * 12, "9" * 400, " 1", "1 ", "\u0661\u0662\u0663"]


@pytest.mark.parametrize(
    "fields",
    [
        *(changed(place, value) for place, values in NONSENSE.items() for value in values),
        [*FIELDS, ""],
        [*FIELDS, "x"],
        FIELDS[:-1],
        [],
        ["{}"],
        ["1w", "5", str(MOMENT), "", NOTICE.short, "", ""],
        ["1w", "", str(MOMENT), "", NOTICE.short, "2", ""],
        ["1w", "", str(MOMENT), "", NOTICE.short, "", SUBJECT],
        ["1d", "", str(MOMENT), "", NOTICE.short, "", SUBJECT],
        ["1p", "", str(MOMENT), "", NOTICE.short, "", SUBJECT],
    ],
    ids=lambda fields: ".".join(fields)[:80].encode("unicode_escape").decode() or "nothing",
)
def test_signed_nonsense_is_rejected(fields: list[str]) -> None:
    assert read(TOKENS, minted(*fields)) is None


def test_token_longer_than_a_cookie_is_rejected() -> None:  # CK-01
    assert read(TOKENS, minted("1d", "", "1" * LARGEST_COOKIE, "", NOTICE.short, "", "")) is None


def test_signed_text_outside_ascii_is_rejected() -> None:
    assert read(TOKENS, minted(*changed(6, "é" * 11))) is None
    assert read(TOKENS, stock(NEW).sign(b"1d..1.." + b"\xff" * 11 + b"..")) is None


# Notices


@pytest.mark.parametrize(
    "change",
    [
        lambda whole: whole["categories"].reverse(),
        lambda whole: whole["vendors"].reverse(),
        drop("categories", 1),
        add("categories", id="metrics"),
        lambda whole: whole["categories"].insert(1, whole["categories"].pop()),
    ],
)
def test_token_keeps_its_meaning_when_the_policy_is_reordered(change: Callable[[Any], object]) -> None:
    whole = policy(*FIVE, *VENDORS)
    later = policy(*FIVE, *VENDORS, drop("vendors", 0), drop("trackers", 1), change)
    token = TokenCodec(Evaluator(whole, "stride"), NEW, SALT).dumps(GRANT).encode()
    evaluator = Evaluator(later, "stride", [Notice.of(whole)])
    assert read(TokenCodec(evaluator, NEW, SALT), token) == GRANT
    assert evaluator.evaluate(GRANT, MOMENT).granted == {"analytical", "social"} & {
        c.id for c in later.categories
    }


def test_unknown_notice_returns_the_short_digest() -> None:  # LC-06
    elsewhere = Evaluator(policy(), "stride")
    assert read(TokenCodec(elsewhere, NEW, SALT), TOKENS.dumps(GRANT).encode()) is None
    assert TokenCodec(elsewhere, NEW, SALT).unknown_notice(TOKENS.dumps(GRANT).encode()) == NOTICE.short
    assert TokenCodec(elsewhere, OLD, SALT).unknown_notice(TOKENS.dumps(GRANT).encode()) is None
    assert TOKENS.unknown_notice(TOKENS.dumps(GRANT).encode()) is None
    assert TOKENS.unknown_notice(minted(*changed(4, ""))) is None
    elsewhere.add_notice(NOTICE)
    assert read(TokenCodec(elsewhere, NEW, SALT), TOKENS.dumps(GRANT).encode()) == GRANT


# What is cached about a verified token


@pytest.mark.parametrize("decision", [GRANT, REFUSAL, replace(REFUSAL, kind="withdrawn")])
def test_verified_token_has_what_was_written_and_nothing_cached(decision: Decision) -> None:
    raw = TOKENS.dumps(decision).encode()
    token = TOKENS.read(raw)
    assert token is not None and token.raw == raw and token.decision == decision
    assert token.answer.grants is bool(decision.subject)
    assert token.proof is token.entry is token.ends is None and token.since == token.until == 0
    assert token.cached_consent(MOMENT, gpc=False) is None


def test_tokens_with_the_same_answer_share_its_cache() -> None:
    first, second = (
        TOKENS.read(TOKENS.dumps(replace(GRANT, changed_at=GRANT.changed_at + later)).encode())
        for later in (1, 2)
    )
    assert first is not None and second is not None
    assert first.answer is second.answer and first.decision != second.decision


def test_answer_is_recognised_in_records_of_several_visitors() -> None:
    token = TOKENS.read(TOKENS.dumps(GRANT).encode())
    assert token is not None
    everything = {"analytical": True, "tracking": False, "social": True, "comfort": False}
    for _ in range(2):
        assert token.answer.is_recorded_as(everything, GRANT.vendors)
        assert not token.answer.is_recorded_as(everything, {})
    assert not token.answer.is_recorded_as({**everything, "comfort": True}, GRANT.vendors)


def test_altering_a_decision_leaves_the_shared_answer_alone() -> None:
    token = TOKENS.read(TOKENS.dumps(GRANT).encode())
    assert token is not None
    assert isinstance(token.decision.vendors, dict)
    token.decision.vendors.clear()
    assert token.decision == GRANT
