import pytest

from consentkit.html.open_elements import OpenElements
from consentkit.html.patterns import TAG_OPEN


def opened(*tags: bytes) -> OpenElements:
    elements = OpenElements()
    for tag in tags:
        match = TAG_OPEN.match(tag)
        assert match is not None
        if match[1]:
            elements.end(match[2].lower())
        else:
            elements.start(match[2].lower(), tag)
    return elements


@pytest.mark.parametrize(
    ("tags", "foreign", "hides_body"),
    [
        ([b"<svg>"], True, False),
        ([b"<svg>", b"</svg>"], False, False),
        ([b"<svg/>"], False, False),
        ([b"<svg>", b"<foreignObject>"], True, True),
        ([b"<svg>", b"<foreignObject>", b"<p>"], False, True),
        ([b"<svg>", b"<foreignObject>", b"<p>", b"</svg>"], False, False),
        ([b"<svg>", b"<p>"], False, False),
        ([b"<svg>", b"<font>"], True, False),
        ([b"<svg>", b"<font color=red>"], False, False),
        ([b"<svg>", b"</div>"], False, False),
        ([b"<math>", b"<mi>"], True, True),
        ([b"<math>", b"<mi>", b"<mglyph>"], True, True),
        ([b"<math>", b"<annotation-xml encoding=text/html>"], True, True),
        ([b"<math>", b"<annotation-xml>", b"<svg>"], True, False),
        ([b"<template>"], False, True),
        ([b"<template>", b"<svg>", b"</template>"], False, False),
        ([b"<svg>", b"<desc>", b"<template>", b"</svg>"], False, True),
    ],
)
def test_foreign_content_and_templates_begin_and_end_as_in_browsers(
    tags: list[bytes], foreign: bool, hides_body: bool
) -> None:
    elements = opened(*tags)
    assert (elements.foreign, elements.hide_body) == (foreign, hides_body)


def test_the_stack_is_as_deep_as_in_browsers() -> None:
    elements = opened(*[b"<svg>"] * 600, *[b"</svg>"] * 512)
    assert not elements
