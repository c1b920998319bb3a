from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentkit.html.inserter import Inserter
from consentkit.html.tokenizer import LIMIT

LONG = "x" * (LIMIT + 100)
PIECES = (b"[head]", b"[start]", b"[end]")


def fed(document: bytes, step: int) -> tuple[bytes, int]:
    """Feed a document in steps; return what came out, and how many bytes were held back at most."""
    inserter = Inserter(*PIECES)
    out, held = b"", 0
    for start, end in pairwise([*range(0, len(document), step), len(document)]):
        out += inserter.feed(document[start:end], True)
        held = max(held, end + sum(len(piece) for piece in PIECES if piece in out) - len(out))
    return out + inserter.feed(b"", False), held


@pytest.mark.parametrize(
    "expected",
    [
        f"<html>[head]<body>[start]<img src='data:{LONG}></body>'>x[end]</body>",
        f'<html>[head]<body>[start]<img alt="" src="data:{LONG}></body>" title=\'</body>\'>x[end]</body>',
        f"<html>[head]<body>[start]<img src=data:{LONG}/>x[end]</body>",
        f"<html>[head]<body>[start]<img src=data:{LONG} title='</body>'>x[end]</body>",
        f"<html>[head]<body>[start]<img src='{LONG}' title='</body>' alt=\"{LONG}</body>\">x[end]</body>",
        f"<html>[head]<body>[start]<img src='{LONG}'title='</body>'alt={LONG}>x[end]</body>",
        f"<html>[head]<body>[start]<svg><image href='{LONG}'/><title/></svg>x[end]</body>",
        f"<html>[head]<body>[start]<svg><desc x='{LONG}' /></svg>x[end]</body>",
        f"<html>[head]<body>[start]<svg><desc x={LONG}/></body></desc></svg>x[end]</body>",
        f"<html>[head]<body>[start]<script src='data:{LONG}'></body></script x='{LONG}'>x[end]</body>",
        f"<html>[head]<body style='{LONG}'>[start]x[end]</body>",
        f"<html lang='{LONG}'>[head]<body>[start]x[end]</body>",
        f"<html>[head]<link href='{LONG}'><p title='{LONG}'>x[end]</body x='{LONG}'>".replace(
            "<p", "[start]<p"
        ),
        f"<!doctype {LONG}>[head]<!-- {LONG} --><body>[start]<!-- {LONG} --><script>{LONG}</script>[end]</body>".replace(
            f"[head]<!-- {LONG} -->", f"<!-- {LONG} -->[head]"
        ),
    ],
)
@pytest.mark.parametrize("step", [LIMIT // 3, 10**6])
def test_a_long_tag_is_released_before_its_end_arrives(expected: str, step: int) -> None:
    document = expected
    for piece in PIECES:
        document = document.replace(piece.decode(), "")
    out, held = fed(document.encode(), step)
    assert out.decode() == expected
    assert held <= LIMIT


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (f"<html><body><p {LONG}{LONG}></body>", f"<html>[head]<body>[start]<p {LONG}{LONG}></body>"),
        (f"<html><body><{LONG}{LONG}></body>", f"<html>[head]<body>[start]<{LONG}{LONG}></body>"),
        (f"<{LONG}", f"<{LONG}"),
        (f"<div title='{LONG}{LONG}'></div>", f"<div title='{LONG}{LONG}'></div>"),
    ],
)
def test_names_longer_than_the_limit_end_the_reading(document: str, expected: str) -> None:
    out, held = fed(document.encode(), 1000)
    assert out.decode() == expected
    assert held <= LIMIT + 1000
    inserter = Inserter(*PIECES)
    inserter.feed(document.encode(), True)
    assert inserter.complete is document.startswith("<html>")


@pytest.mark.parametrize("ending", ["", " y", " y=", " y=z", " y='z", "/"])
@pytest.mark.parametrize("step", [1000, 10**6])
def test_an_unfinished_long_tag_at_the_end_is_unchanged(ending: str, step: int) -> None:
    document = f"<html><body><p x='{LONG}'{ending}"
    assert fed(document.encode(), step)[0].decode() == f"<html>[head]<body>[start]<p x='{LONG}'{ending}"


@pytest.mark.parametrize(
    ("chunk", "held"),
    [
        ("text", ""),
        ("a <", "<"),
        ("</", "</"),
        ("<a href='x' ", "<a href='x' "),
        ("<a>", ""),
        ("<!", "<!"),
        ("<!-", "<!-"),
        ("<!--", "<!--"),
        ("<!---", "<!---"),
        ("<!-- text", ""),
        ("<!-- text -", "-"),
        ("<!-- text --!", "--!"),
        ("<!x text", ""),
        ("<!doct", "<!doct"),
        ("<script>let a = 1 <", "<"),
        ("<script>let a = 1 < 2", ""),
        ("<script>a --", "--"),
        ("<script>'</scr", "</scr"),
        ("<style>a > b", ""),
        ("<textarea></text", "</text"),
        ("<svg><![CDATA", "<![CDATA"),
        ("<svg><![CDATA[ ]]", "]]"),
        ("<![CDATA", ""),
    ],
)
def test_only_what_may_become_a_token_is_held_back(chunk: str, held: str) -> None:
    inserter = Inserter(*PIECES)
    inserter.feed(b"<html><body>", True)
    assert inserter.feed(chunk.encode(), True).decode() == chunk.removesuffix(held)


@settings(max_examples=20)
@given(
    st.lists(st.sampled_from(["x", " ", "=", "'", '"', "/", "a=b", "a='", "<", "x" * LIMIT]), max_size=8),
    st.integers(100, 9000),
)
def test_the_result_for_long_tags_does_not_depend_on_the_chunks(parts: list[str], step: int) -> None:
    document = f"<html><body><p y='{LONG}' {''.join(parts)}></p><i x='>\">'>x</body>".encode()
    whole = Inserter(*PIECES).feed(document, False)
    out = fed(document, step)[0]
    assert out.replace(b"[end]", b"") == whole.replace(b"[end]", b"")
    # Only names that are longer than the limit make a difference: they end the reading if they arrive in pieces.
    assert out == whole or max(map(len, document.split(b"'")[2:])) > LIMIT - 100


# The stack of open elements is 512 deep, so what fills it needs fewer repetitions to show how the cost grows.
@pytest.mark.parametrize(
    ("part", "count"),
    [
        *(
            (part, 20_000)
            for part in ("<", "<a ", "<a x='", "<!--", "</x>", "<p>", "</", "<!", "a=", "--!", "\0")
        ),
        *(
            (part, 20_000)
            for part in ("<script>", "<script><!--", "<title>", "<a x=y/>", "<p class=own>", "<a\n")
        ),
        *((part, 3000) for part in ("<svg><g>", "<svg></x>", "<svg><desc><b>", "<math><mi>", "<svg><a/>")),
        *((part, 3000) for part in ("<template>", "<svg><![CDATA[")),
    ],
)
def test_repetition_costs_linear_time(part: str, count: int) -> None:
    # Quadratic time would run into the timeout of the tests.
    document = f"<html><body>{part * count}{'</x>' * (count // 3)}".encode()
    out = Inserter(*PIECES, unless_class=b"own").feed(document, False)
    assert out.startswith(b"<html>[head]<body>[start]")
    assert len(out) <= len(document) + sum(map(len, PIECES))
