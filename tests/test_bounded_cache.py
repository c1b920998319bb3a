import threading

from consentkit._bounded_cache import BoundedCache


def test_a_full_cache_drops_its_older_half_and_keeps_what_is_written() -> None:
    cache: BoundedCache[int, int] = BoundedCache(4)
    for number in range(4):
        cache[number] = number
    cache[3] = 30
    assert list(cache) == [0, 1, 2, 3]
    cache[4] = 4
    assert cache == {2: 2, 3: 30, 4: 4}
    assert cache.limit == 4


def test_a_cache_never_grows_past_its_limit() -> None:
    for limit in (1, 2, 3, 10):
        cache: BoundedCache[int, int] = BoundedCache(limit)
        for number in range(100):
            cache[number] = number
            assert len(cache) <= limit and cache[number] == number


def test_threads_that_fill_a_cache_together_do_not_trip_over_each_other() -> None:
    cache: BoundedCache[int, int] = BoundedCache(8)

    def fill(start: int) -> None:
        for number in range(start, start + 20_000):
            cache[number] = number

    threads = [threading.Thread(target=fill, args=(100_000 * each,)) for each in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(cache) <= 8 + len(threads)
