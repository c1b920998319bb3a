from markupsafe import Markup

from consentkit.proof.document import opening


def test_a_title_is_escaped_and_nothing_may_run_or_be_loaded() -> None:
    html = str(opening("</title><script>run()</script>", Markup("p > b { color: red }")))
    assert "<script" not in html and "<style>p > b { color: red }</style>" in html
    # Browsers read the quotation marks in an attribute as they are.
    assert "content=\"default-src 'none'; style-src 'unsafe-inline'\"" in html.replace("&#39;", "'")
