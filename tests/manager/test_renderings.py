"""The store of renderings; what reaches it from pages is tested in `tests/web/test_renderings.py`."""

from consentkit.ledger import Ledger, SentWords
from consentkit.manager.limits import TokenBucket
from consentkit.manager.renderings import RenderingStore


def some_words(html: str = "<p>We ask</p>") -> SentWords:
    return SentWords.of(notice="n", site="stride", language="en", surface="banner", version="1", html=html)


def test_words_that_come_twice_are_stored_once(ledger: Ledger) -> None:
    store, words = RenderingStore(ledger, "stride"), some_words()
    assert store.add(words) and store.add(words)
    store.close()
    assert ledger.renderings("n") == [words] and store.sent(words.id) == words


def test_forked_process_stores_what_it_sends(ledger: Ledger) -> None:
    store = RenderingStore(ledger, "stride")
    store.add(some_words())
    store.close()
    child = RenderingStore(ledger, "stride")
    child.restart()
    child.add(some_words("<p>Again</p>"))
    child.close()
    assert len(ledger.renderings("n")) == 2


def test_words_found_in_the_ledger_are_looked_up_once(ledger: Ledger) -> None:
    words = some_words()
    ledger.store_renderings([words])
    store = RenderingStore(ledger, "stride")
    assert store.must_look_up(words.id) and store.find(words.id, "n", "en") == ""
    store.look_up(words.id)
    ledger.close()
    assert not store.must_look_up(words.id) and store.find(words.id, "n", "en") == words.id


def test_ids_that_a_stranger_makes_up_are_looked_up_within_a_bound(ledger: Ledger) -> None:
    words = some_words()
    ledger.store_renderings([words])
    store = RenderingStore(ledger, "stride")
    store._look_ups = TokenBucket(rate=0, burst=2)
    for made_up in ("A" * 16, "B" * 16):
        store.look_up(made_up)
    store.look_up(words.id)
    assert store.must_look_up(words.id) and store.find(words.id, "n", "en") == ""


def test_without_a_ledger_only_what_was_sent_is_known() -> None:
    store, words = RenderingStore(None, "stride"), some_words()
    assert not store.must_look_up(words.id)
    store.look_up(words.id)
    assert store.find(words.id, "n", "en") == ""
    assert store.add(words) and store.find(words.id, "n", "en") == words.id
    store.close()


def test_closed_store_starts_no_thread(ledger: Ledger) -> None:
    store = RenderingStore(ledger, "stride")
    store.close()
    assert store.add(some_words())
    assert store._thread is None and ledger.renderings("n") == []
