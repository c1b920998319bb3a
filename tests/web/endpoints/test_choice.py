"""What is read from bodies and queries: what is plain, and nothing else."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.errors import InvalidDecisionError
from consentkit.web.endpoints.choice import MOST_FIELDS, SubmittedChoice, read_form, read_json, read_query

PLAIN = {"notice": "n" * 43, "language": "nl", "surface": "banner"}


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ({"categories": {"social": True}}, {"categories": {"social": True}}),
        ({"vendors": {"youtube": False}}, {"vendors": {"youtube": False}}),
        ({"categories": {}, "vendors": {}}, {"categories": {}, "vendors": {}}),
        ({"choice": "accept_all"}, {"choice": "accept_all"}),
        ({"choice": "reject_all"} | PLAIN, {"choice": "reject_all"} | PLAIN),
        ({"categories": {"social": True}, "choice": None, "vendors": None}, {"categories": {"social": True}}),
    ],
)
def test_json_is_read_as_it_is_written(sent: dict[str, Any], read: dict[str, Any]) -> None:
    assert read_json(json.dumps(sent).encode(), merge=False) == SubmittedChoice(**read)


# HT-06
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"accept_all"',
        b"{}",
        b'{"choice":null}',
        b'{"choice":"save"}',
        b'{"choice":"change"}',
        b'{"choice":"ACCEPT_ALL"}',
        b'{"choice":["accept_all"]}',
        b'{"choice":"accept_all","categories":{"social":true}}',
        b'{"choice":"reject_all","vendors":{}}',
        b'{"categories":{"social":1}}',
        b'{"categories":{"social":"true"}}',
        b'{"categories":{"social":"on"}}',
        b'{"categories":{"social":null}}',
        b'{"categories":{"social":[true]}}',
        b'{"categories":["social"]}',
        b'{"categories":true}',
        b'{"categories":{"social":true},"vendors":{"youtube":0}}',
        b'{"categories":{"social":true,"social":false}}',
        b'{"categories":{"social":true},"categories":{"social":false}}',
        b'{"categories":{"social":true},"granted":true}',
        b'{"categories":{"social":true},"next":"/"}',
        b'{"categories":{"social":true},"surface":"elsewhere"}',
        b'{"categories":{"social":true},"surface":null}',
        b'{"categories":{"social":true},"notice":7}',
        b'{"categories":{"social":true},"language":{}}',
        b'{"categories":{"social":true},"notice":"' + b"n" * 65 + b'"}',
        b'{"categories":{"' + b"x" * 65 + b'":true}}',
        b'{"categories":{"\\ud800":true}}',
        b'{"categories":{"social":true}',
        b'{"categories":{"social":true}}{}',
        b"{'categories':{'social':true}}",
        b'{"categories":{"social":NaN}}',
        b'{"categories":{"social":-Infinity}}',
        b'{"categories":{"social":' + b"9" * 5000 + b"}}",
        b'\xef\xbb\xbf{"categories":{"social":true}}',
        b'{"categories":{"soci\xe4l":true}}',
        '{"categories":{"social":true}}'.encode("utf-16"),
        b'{"categories":' * 9,
        b"[" * 8000,
        b'{"categories":{"social":' + b"[" * 5000 + b"]" * 5000 + b"}}",
    ],
    ids=lambda body: repr(body[:60]),
)
def test_json_that_is_not_plain_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidDecisionError):
        read_json(body, merge=False)


def test_json_that_merges_names_what_it_changes() -> None:
    assert read_json(b'{"vendors":{"youtube":true}}', merge=True).as_choice().vendors == {"youtube": True}
    for body in (b'{"choice":"accept_all"}', b'{"notice":"n"}'):
        with pytest.raises(InvalidDecisionError):
            read_json(body, merge=True)


def test_a_refusal_never_repeats_what_was_sent() -> None:
    for body in (
        b'{"<script>":true}',
        b'{"categories":{"<script>":1}}',
        b'{"language":"<script>',
    ):
        with pytest.raises(InvalidDecisionError) as refused:
            read_json(body, merge=False)
        assert "<" not in str(refused.value)
    with pytest.raises(InvalidDecisionError) as refused:
        read_form(b"choice=%3Cscript%3E&%3Cscript%3E=1")
    assert "<" not in str(refused.value)


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ("choice=accept_all", {"choice": "accept_all"}),
        ("choice=save", {"choice": "save"}),
        (
            "choice=save&category.social=on&vendor.youtube=off&category.tracking=off",
            {
                "choice": "save",
                "categories": {"social": True, "tracking": False},
                "vendors": {"youtube": False},
            },
        ),
        # A third party that follows its purpose.
        (
            "category.social=on&vendor.youtube=&choice=save",
            {"choice": "save", "categories": {"social": True}},
        ),
        ("choice=change&vendor.a.b=on", {"choice": "change", "vendors": {"a.b": True}}),
        ("choice=reject_all&next=%2Fa%3Fb", {"choice": "reject_all", "next": "/a?b"}),
        ("choice=reject_all&next=&notice=&language=&surface=", {"choice": "reject_all"}),
        (f"choice=reject_all&{urlencode(PLAIN)}", {"choice": "reject_all"} | PLAIN),
    ],
)
def test_a_form_is_read_as_browsers_send_it(body: str, read: dict[str, Any]) -> None:
    assert read_form(body.encode()) == (SubmittedChoice(**read), None)


# HT-06, UI-04
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"choice=",
        b"choice",
        b"choice=accept",
        b"next=%2F",
        b"category.social=on",
        b"choice=save&choice=save",
        b"choice=save&category.social=on&category.social=off",
        b"choice=save&category.social=on&category%2Esocial=on",
        b"choice=save&next=%2Fa&next=%2Fb",
        b"choice=save&category.social=true",
        b"choice=save&category.social=ON",
        b"choice=save&category.social=",
        b"choice=change&vendor.youtube=",
        b"choice=accept_all&vendor.youtube=",
        b"choice=save&category=social",
        b"choice=save&other.social=on",
        b"choice=save&_method=DELETE",
        b"choice=save&surface=elsewhere",
        b"choice=save&category." + b"x" * 65 + b"=on",
        b"choice=accept_all&category.social=off",
        b"choice=reject_all&vendor.youtube=on",
        b"choice=save&category.soci%e4l=on",
        b"choice=save&category.soci\xc3\xa4l=on",
        b"choice=save&&next=%2F",
        b"choice=save;next=%2F",
        b"choice=save&next=%ff",
        b"choice=save" + b"&a=1" * MOST_FIELDS,
    ],
    ids=lambda body: repr(body[:60]),
)
def test_a_form_that_is_not_plain_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidDecisionError):
        read_form(body)


@pytest.mark.parametrize(
    ("body", "category", "read"),
    [
        ("", None, {}),
        ("category=social", "social", {}),
        ("category=", "", {}),
        ("next=%2Fa&surface=policy", None, {"next": "/a", "surface": "policy"}),
    ],
)
def test_a_withdrawal_names_one_category_or_none(
    body: str, category: str | None, read: dict[str, Any]
) -> None:
    assert read_form(body.encode(), withdrawal=True) == (SubmittedChoice(**read), category)
    assert read_query(body.encode()) == (SubmittedChoice(**read), category)


@pytest.mark.parametrize(
    "body", ["categories=social", "category=a&category=b", "category.social=off", "choice=withdraw", "social"]
)
def test_a_misspelt_withdrawal_withdraws_nothing(body: str) -> None:
    with pytest.raises(InvalidDecisionError):
        read_query(body.encode())


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12
)
keys = st.sampled_from([*SubmittedChoice.model_fields]) | st.text()


@given(st.binary(max_size=400) | st.dictionaries(keys, values).map(lambda sent: json.dumps(sent).encode()))
def test_any_json_is_read_or_refused(body: bytes) -> None:
    for merge in (True, False):
        try:
            answer = read_json(body, merge=merge)
        except InvalidDecisionError:
            continue
        choice = answer.as_choice()
        assert answer.choice in ("accept_all", "reject_all") or answer.has_answers
        assert all(type(value) is bool for value in (*choice.categories.values(), *choice.vendors.values()))


names = st.sampled_from(["choice", "next", "category", "category.social", "vendor.youtube", "notice"])
fields = st.lists(st.tuples(names | st.text(), st.sampled_from(["on", "save", "accept_all"]) | st.text()))


@given(st.binary(max_size=400) | fields.map(lambda sent: urlencode(sent, errors="surrogatepass").encode()))
def test_any_form_is_read_or_refused(body: bytes) -> None:
    for withdrawal in (True, False):
        try:
            answer, category = read_form(body, withdrawal=withdrawal)
        except InvalidDecisionError:
            continue
        assert withdrawal or (answer.choice is not None and category is None)
        assert not withdrawal or not answer.has_answers
