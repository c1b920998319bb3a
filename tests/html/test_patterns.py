"""The grammar under the scanner, piece by piece; that documents are read right is tested with the scanner and the injector."""

import pytest

from consentkit.html.patterns import BODY_CONTENT, OpenElements, classes, raw_text_end


@pytest.mark.parametrize(
    ("tag", "found"),
    [
        (b'<a class="one two">', [b"one", b"two"]),
        (b"<a class=one>", [b"one"]),
        (b"<a CLASS='one'>", [b"one"]),
        (b'<a class="one" class="two">', [b"one"]),
        (b'<a data-class="one" title="class=one">', []),
        (b"<a>", []),
    ],
)
def test_classes_are_those_of_the_first_class_attribute(tag: bytes, found: list[bytes]) -> None:
    assert classes(tag) == found


@pytest.mark.parametrize(
    ("name", "text", "ends"),
    [
        (b"title", b"a </titles> b</TITLE>", 13),
        (b"style", b"a{}</style >", 3),
        (b"textarea", b"</textareas></textarea\n>", 12),
    ],
)
def test_raw_text_ends_at_its_own_end_tag_alone(name: bytes, text: bytes, ends: int) -> None:
    found = raw_text_end(name).search(text)
    assert found is not None and found.start() == ends


# HT-03 in spirit: nothing that a page holds may hide the place where it ends
@pytest.mark.parametrize(
    "stop", [b"</body>", b"</html>", b"<template>", b"<svg", b"<script>", b"<!--", b"<plaintext>", b"<math>"]
)
def test_what_matters_is_never_passed_over(stop: bytes) -> None:
    before = b'<p class="a">words <b>and</b> more</p><br/>'
    found = BODY_CONTENT.match(before + stop + b" rest")
    assert found is not None and found.end() == len(before)


def test_elements_that_are_open_are_left_in_order() -> None:
    open_elements = OpenElements()
    assert not open_elements
    open_elements.start(b"svg", b"<svg>")
    assert open_elements and open_elements.foreign
    open_elements.end(b"svg")
    assert not open_elements
