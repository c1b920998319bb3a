import pytest

from consentkit.errors import UnknownIdError
from consentkit.web import check_required, mark_required
from tests.support.front import Front


def handler() -> None:
    pass


def test_ids_that_the_policy_has_pass_and_a_handler_without_a_mark_needs_none(front: Front) -> None:
    known = mark_required(mark_required(lambda: None, "social", None), "social", "youtube")
    for each in (handler, None, "no handler", known):
        check_required(front.manager, each, "the view")


@pytest.mark.parametrize(
    ("category", "vendor"), [("soicial", None), ("social", "yuotube"), ("social", "adhub")]
)
def test_what_the_policy_lacks_is_told_with_the_handler(
    front: Front, category: str, vendor: str | None
) -> None:
    class Inherited:
        get = mark_required(lambda self: None, category, vendor)

    class View(Inherited):
        pass

    for each in (mark_required(lambda: None, category, vendor), View):
        with pytest.raises(UnknownIdError) as error:
            check_required(front.manager, each, "the route '/far'")
        assert error.value.__notes__ == ["It stands in @requires_consent of the route '/far'."]
