import json

import pytest

from consentkit.handoff.chain import CHAIN_SECONDS, Chain, ChainPage, StepResult

SITES = ("trailhead", "shoelab", "walk")
NOW = 1_788_177_600


def begun() -> Chain:
    return Chain.begin(SITES, ChainPage.SETTINGS, "/shoes", NOW)


def test_a_chain_visits_each_site_once_in_the_order_of_the_policy() -> None:
    chain, seen = begun(), []
    while not chain.is_over:
        chain = chain.step()
        seen.append(chain.to_come[0])
        chain = chain.with_result(StepResult.TAKEN)
    assert tuple(seen) == SITES and chain.until == NOW + CHAIN_SECONDS
    assert chain.results == dict.fromkeys(SITES, StepResult.TAKEN)


def test_a_step_counts_on_its_own_site_and_only_while_it_is_under_way() -> None:
    chain = begun()
    assert not chain.is_at("trailhead", "")
    first = chain.step()
    assert first.is_at("trailhead", first.nonce)
    assert not first.is_at("shoelab", first.nonce) and not first.is_at("trailhead", "")
    again = first.step()
    assert again.is_at("trailhead", again.nonce) and not again.is_at("trailhead", first.nonce)
    second = again.with_result(StepResult.KEPT).step()
    assert not second.is_at("trailhead", again.nonce) and not second.is_at("shoelab", again.nonce)


def test_sites_that_do_not_answer_are_left_out_and_a_result_stays() -> None:
    chain = begun().step().with_result(StepResult.TAKEN)
    assert chain.without(["trailhead", "nowhere", ""]) is chain
    under_way = chain.step()
    left = under_way.without(["shoelab", "trailhead"])
    assert left.results == {"trailhead": StepResult.TAKEN, "shoelab": StepResult.SILENT}
    assert left.to_come == ("walk",) and not left.nonce
    assert left.without(SITES).is_over


def test_a_chain_is_read_as_it_was_written() -> None:
    chain = begun().step().with_result(StepResult.REFUSED).without(["walk"]).step()
    written = json.loads(json.dumps(chain.fields()))
    assert Chain.read(written, SITES) == chain
    assert (
        len(json.dumps(Chain.begin([f"site-{n}" for n in range(200)], ChainPage.SITES, "/", NOW).fields()))
        < 320
    )


@pytest.mark.parametrize(
    "sites", [(), SITES[:2], (*SITES, "run"), tuple(reversed(SITES)), ("trailhead", "shoelab", "run")]
)
def test_a_chain_over_other_sites_is_refused(sites: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="The sites of the policy have changed"):
        Chain.read(begun().fields(), sites)


def test_fields_of_another_version_are_refused() -> None:
    fields = begun().fields()
    for spoilt in (fields[:-1], [*fields[:2], "/policy", *fields[3:]], [*fields, ""]):
        with pytest.raises(ValueError, match=r"."):
            Chain.read(spoilt, SITES)
