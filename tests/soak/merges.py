"""`PATCH` next to `DELETE`: a change that is sent at the same moment as a withdrawal never undoes it."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.soak.client import Browser, ask
from tests.soak.world import World

__all__ = ["race"]


def race(world: World, rounds: int) -> Counter[str]:
    """Let visitors withdraw on the first worker and change something on the last one at once; return what went wrong.

    Every second change turns a category off. The others allow one vendor, which alone may be allowed afterwards.
    """
    wrong: Counter[str] = Counter()
    here, there = world.ports[0], world.ports[-1]
    replays: list[tuple[str, set[str]]] = []
    with ThreadPoolExecutor(2) as threads:
        for number in range(rounds):
            browser = Browser()
            if browser.accept(here).status != 200:
                wrong["a grant was not answered"] += 1
                continue
            token = browser.token
            change = {"vendors": {"youtube": True}} if number % 2 else {"categories": {"tracking": False}}
            patched = threads.submit(ask, there, "PATCH", "/consent/decision", token=token, said=change)
            deleted = threads.submit(ask, here, "DELETE", "/consent/decision", token=token)
            answers = patched.result(), deleted.result()
            if [answer.status for answer in answers] != [200, 200]:
                wrong["a decision was not answered"] += 1
            allowed = {"youtube"} if number % 2 else set()
            replays += [(sent, allowed) for sent in (token, *(answer.cookie for answer in answers)) if sent]
    world.settle()
    for sent, allowed in replays:
        for port in world.ports:
            said = ask(port, "GET", "/granted", token=sent).said
            if said["granted"] or not allowed.issuperset(said["vendors"]):
                wrong["a withdrawal was undone"] += 1
    return wrong
