import re

from consentkit.ledger import SentWords
from tests.support.told import POLICY, decided, every_page, pages, undecided, view


def ids_in(html: str) -> set[str]:
    return set(re.findall(r'name="rendering" value="([^"]*)"', html))


def test_words_are_given_away_once_and_before_they_are_sent() -> None:  # IN-06
    sent: list[SentWords] = []

    def keep(words: SentWords) -> bool:
        sent.append(words)
        return True

    made = pages(POLICY, sent=keep)
    shown = [every_page(made, view(decided())) for _ in range(2)]
    ids = {found for page in shown for html in page.values() for found in ids_in(html)}
    assert ids <= {words.id for words in sent} and len(sent) == len({words.id for words in sent})
    assert {words.surface for words in sent} == {
        "footer",
        "confirmation",
        "error",
        "preferences",
        "policy",
        "sites",
    }


def test_equal_words_have_equal_ids_in_every_process() -> None:
    first, second = (ids_in(pages(POLICY).banner(view(undecided()))) for _ in range(2))
    assert first == second and len(first) == 1


def test_words_that_are_not_stored_have_no_id() -> None:
    made = pages(POLICY, sent=lambda words: False)
    assert ids_in(made.banner(view(undecided()))) == {""}


def test_words_hold_no_page_and_no_submission() -> None:
    sent: list[SentWords] = []

    def keep(words: SentWords) -> bool:
        sent.append(words)
        return True

    made = pages(POLICY, sent=keep)
    for language in ("en", "nl"):
        every_page(made, view(undecided(), language, next="/articles/secret?of=visitor", root_path="/deep"))
    for words in sent:
        assert "secret" not in words.html and "/deep" not in words.html
        assert (
            words.surface == "confirmation"
            or "{next}" in words.html
            or "{query}" in words.html
            or words.surface == "footer"
        )
