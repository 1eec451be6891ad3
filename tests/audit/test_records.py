"""The canonical bytes of a record, against an encoder that knows nothing of ours."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.audit.actions import AuditAction
from tenantry.audit.records import Outcome, canonical_body, record_id, timestamp
from tests.support.entries import NOON, PERSONAL, make_entry

SHORT = {"\b": r"\b", "\t": r"\t", "\n": r"\n", "\f": r"\f", "\r": r"\r", '"': r"\"", "\\": r"\\"}
VECTOR = (
    '{"action":"member.roles_set","actor_id":"U_ada","actor_kind":"USER","actor_role":"admin",'
    '"actor_tenant":"T_acme","at":"2026-01-02T12:00:00.250000Z","code":null,"document_hash":"ab",'
    '"id":"A_r1.0","method":"POST","operation_name":"Promote","operation_type":"mutation","outcome":"OK",'
    '"path":"/graphql","request_id":"r1","root_field":"memberRolesSet","targets":["M_grace","R_admin"],'
    '"tenant":"T_acme","v":1}'
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def jcs(value: object) -> str:
    """RFC 8785 for what a body may hold, written from its sections 3.2.2.2 and 3.2.3."""
    if value is None:
        return "null"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        escaped = (SHORT.get(c) or (f"\\u{ord(c):04x}" if c < " " else c) for c in value)
        return f'"{"".join(escaped)}"'
    if isinstance(value, list):
        return f"[{','.join(jcs(item) for item in value)}]"
    assert isinstance(value, dict)
    ordered = sorted(value.items(), key=lambda item: item[0].encode("utf-16-be"))
    return "{" + ",".join(f"{jcs(key)}:{jcs(item)}" for key, item in ordered) + "}"


def test_the_vector_that_other_implementations_may_check_against():
    entry = make_entry(node_id=record_id("r1", 0), request_id="r1", document_hash="ab")
    assert canonical_body(entry) == VECTOR.encode()


@given(text=TEXT, targets=st.lists(TEXT, max_size=3).map(tuple), code=st.none() | TEXT)
def test_bytes_are_what_rfc_8785_asks_for_whatever_the_text(
    text: str, targets: tuple[str, ...], code: str | None
):
    entry = make_entry(operation_name=text, path=text, targets=targets, code=code)
    body = canonical_body(entry)
    found = json.loads(body)
    assert (found["operation_name"], found["targets"], found["code"]) == (text, list(targets), code)
    assert body == jcs(found).encode()


def test_every_field_but_the_key_and_the_personal_ones_is_in_the_body():
    bare = canonical_body(make_entry(node_id="A_1", request_id="1"))
    changes = {
        "node_id": "A_2",
        "at": NOON + timedelta(microseconds=1),
        "outcome": Outcome.REFUSED,
        "targets": ("M_grace",),
        "action": AuditAction.MEMBER_REMOVE,
    }
    plain = set(make_entry().__slots__) - set(PERSONAL) - {"tenant_id", *changes}
    for change in [changes, dict.fromkeys(plain, "other")]:
        for name, value in change.items():
            assert canonical_body(replace(make_entry(node_id="A_1", request_id="1"), **{name: value})) != bare


def test_no_personal_value_is_in_the_body():
    body = canonical_body(make_entry())
    assert not any(value.encode() in body for value in PERSONAL.values())
    assert not set(PERSONAL) & set(json.loads(body))


def test_text_that_is_not_unicode_has_no_canonical_form():
    with pytest.raises(TypeError):
        canonical_body(make_entry(path="/\ud800"))


def test_a_time_is_utc_with_six_digits_whatever_its_zone():
    assert timestamp(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00.000000Z"
    east = timezone(timedelta(hours=2))
    assert timestamp(datetime(2026, 1, 2, 1, 0, 0, 1, tzinfo=east)) == "2026-01-01T23:00:00.000001Z"


def test_a_record_is_named_after_its_request_and_place():
    assert record_id("0193af", 2) == "A_0193af.2"


def test_actions_are_sorted_and_follow_their_naming_rule():
    values = [action.value for action in AuditAction]
    assert values == sorted(values)
    for action in AuditAction:
        thing, verb = action.value.split(".")
        assert action.name == f"{thing}_{verb}".upper()
