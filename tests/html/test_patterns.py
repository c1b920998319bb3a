import pytest

from consentkit.html.patterns import BODY_CONTENT, classes, is_self_closing, raw_text_end


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        (b'<a class="one two">', [b"one", b"two"]),
        (b"<a class=one>", [b"one"]),
        (b"<a CLASS='one'>", [b"one"]),
        (b'<a class="one" class="two">', [b"one"]),
        (b'<a data-class="one" title="class=one">', []),
        (b"<a>", []),
    ],
)
def test_the_first_class_attribute_counts(tag: bytes, expected: list[bytes]) -> None:
    assert classes(tag) == expected


@pytest.mark.parametrize(
    ("name", "text", "ends"),
    [
        (b"title", b"a </titles> b</TITLE>", 13),
        (b"style", b"a{}</style >", 3),
        (b"textarea", b"</textareas></textarea\n>", 12),
    ],
)
def test_raw_text_ends_only_at_its_own_end_tag(name: bytes, text: bytes, ends: int) -> None:
    match = raw_text_end(name).search(text)
    assert match is not None and match.start() == ends


@pytest.mark.parametrize(
    "stop", [b"</body>", b"</html>", b"<template>", b"<svg", b"<script>", b"<!--", b"<plaintext>", b"<math>"]
)
def test_a_skipped_stretch_ends_before_significant_markup(stop: bytes) -> None:
    before = b'<p class="a">words <b>and</b> more</p><br/>'
    match = BODY_CONTENT.match(before + stop + b" rest")
    assert match is not None and match.end() == len(before)


@pytest.mark.parametrize(
    ("tag", "closing"),
    [(b"<g/>", True), (b'<g x="y"/>', True), (b"<g x=y />", True), (b"<g x=y/>", False), (b"<g>", False)],
)
def test_a_slash_that_belongs_to_a_value_closes_nothing(tag: bytes, closing: bool) -> None:
    assert is_self_closing(tag) is closing
