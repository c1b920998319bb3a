from typing import Any


def test_placeholder_has_the_words_for_the_kind_of_the_embed(seen: dict[str, Any]) -> None:
    assert seen["page"].count("kind=video") == 3
