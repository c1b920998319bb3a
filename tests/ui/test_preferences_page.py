from tests.support.by_place import Seen, at
from tests.support.told import fields, tree


def stored(seen: Seen) -> str:
    html = seen.pages.preferences(seen.view)
    return str(
        fields(next(form for form in tree(html).iter("form") if form.get("method") == "post"))["rendering"][0]
    )


def test_visitors_who_chose_alike_see_the_same_stored_words() -> None:
    assert stored(at("us-ca", {"analytical"})) == stored(at("us-ca", set()))
    # With another block, with the signal, and with an earlier yes there are other words.
    others = (at("us-ca"), at("us-ca", set(), gpc=True), at("us-ca", {"tracking"}, gpc=True))
    assert len({stored(at("us-ca", set())), *map(stored, others)}) == 4
