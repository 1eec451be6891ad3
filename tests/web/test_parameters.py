"""The four parameters, as strict as JSON allows and no stricter."""

import orjson
import pytest

from tenantry.web.parameters import Parameters, from_json, from_query_string
from tenantry.web.refusals import Malformed


def test_only_the_query_is_needed() -> None:
    assert from_json(b'{"query": "{ a }"}') == Parameters("{ a }", None, {})
    assert from_query_string(b"query=%7B+a+%7D") == Parameters("{ a }", None, {})


def test_null_is_absence_and_the_unknown_is_ignored() -> None:
    body = {"query": "{ a }", "operationName": None, "variables": None, "extensions": None, "id": [1]}
    assert from_json(orjson.dumps(body)) == Parameters("{ a }", None, {})


def test_a_name_that_is_also_a_value_or_lies_deeper_is_not_given_twice() -> None:
    body = {"query": '{ a(b: "query") }', "variables": {"query": "query", "variables": {"query": 1}}}
    assert from_json(orjson.dumps(body)).variables == body["variables"]
    assert from_json(b'{"query": "{ a }", "variables": {"a": "\\u00e9", "a": 2}}').variables == {"a": 2}


def test_an_integer_beyond_all_bounds_is_no_integer() -> None:
    variables = from_json(
        b'{"query": "{ a }", "variables": {"id": 123456789012345678901234567890}}'
    ).variables
    assert isinstance(variables["id"], float)
    with pytest.raises(Malformed):
        from_json(b'{"query": "{ a }", "variables": {"id": ' + b"9" * 5_000 + b"}}")


@pytest.mark.parametrize("levels", [31, 32, 33, 400, 990, 1_020, 30_000])
@pytest.mark.parametrize("escaped", ["", "\\u0041"])
def test_variables_are_not_nested_without_end(levels: int, escaped: str) -> None:
    nested = '{"query": "{ a }' + escaped + '", "variables": {"a": ' + "[" * levels + "]" * levels + "}}"
    if levels <= 32:
        assert from_json(nested.encode()).variables["a"]
    else:
        with pytest.raises(Malformed):
            from_json(nested.encode())


def test_a_plus_is_a_space_and_a_percent_a_byte() -> None:
    found = from_query_string(
        b"query=query+A%7Ba%7D&operationName=A&variables=%7B%22b%22%3A%22%C3%A9%2B%22%7D"
    )
    assert found == Parameters("query A{a}", "A", {"b": "é+"})
