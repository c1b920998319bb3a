from markupsafe import Markup

from consentkit.ui.placeholders import NEXT, QUERY, QUOTED, fill, query


# HT-05
def test_blanks_are_filled_with_the_path_in_the_form_that_each_place_needs() -> None:
    html = Markup('<a href="/consent{}">{}</a><a href="/start?next={}">').format(QUERY, NEXT, QUOTED)
    assert fill(html, '/a b?c=d&e="<') == (
        '<a href="/consent?next=/a%20b%3Fc%3Dd%26e%3D%22%3C">/a b?c=d&amp;e=&#34;&lt;</a>'
        '<a href="/start?next=/a%20b%3Fc%3Dd%26e%3D%22%3C">'
    )


def test_the_front_page_is_where_everybody_returns_to_anyway() -> None:
    assert query("/") == "" and query("/shoes") == "?next=/shoes"
    assert fill(str(QUERY), "/") == ""
