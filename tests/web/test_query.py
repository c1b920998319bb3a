import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.web.query import RepeatedFieldError, unique_fields, unrepeated_fields


def test_fields_are_decoded_by_name() -> None:
    for read in (unique_fields, unrepeated_fields):
        assert read(b"u=https%3A%2F%2Fa.example%2F&next=%2Fb+c&empty=") == {
            "u": "https://a.example/",
            "next": "/b c",
            "empty": "",
        }
        assert read(b"") == {}


@pytest.mark.parametrize("query", [b"u=1&u=2", b"a=1&u=&u="])
def test_a_field_that_comes_twice_is_read_as_neither_value(query: bytes) -> None:
    with pytest.raises(RepeatedFieldError):
        unique_fields(query)
    assert "u" not in unrepeated_fields(query)


@pytest.mark.parametrize("query", [b"\xe4=1", b"a=%FF", b"&".join(b"%d=1" % number for number in range(17))])
def test_a_malformed_or_long_query_is_refused(query: bytes) -> None:
    with pytest.raises(ValueError):
        unique_fields(query)
    assert unrepeated_fields(query) == {}


@given(st.binary())
def test_any_bytes_at_all_are_read_or_refused(query: bytes) -> None:
    try:
        fields = unique_fields(query)
    except ValueError:
        return
    assert unrepeated_fields(query) == fields


def test_a_strict_reader_refuses_a_field_without_a_value() -> None:
    with pytest.raises(ValueError):
        unique_fields(b"a", strict=True)
    assert unique_fields(b"", strict=True) == {}
