"""A catalogue: order, and what a set of grants comes to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.access.catalogue import Catalogue, PermissionInfo, Risk

CATALOGUE = Catalogue(
    [
        PermissionInfo(name="user:read", title="View users", group="Users", covers=("member:read",)),
        PermissionInfo(name="user:invite", title="Invite", covers=("member:invite", "invitation:read")),
        PermissionInfo(name="audit:read", title="View audit log", risk=Risk.HIGH),
        PermissionInfo(name="org:all", title="All", covers=("audit:read", "tenant:read")),
        PermissionInfo(name="call:read", title="View calls"),
    ]
)
granted = st.frozensets(st.sampled_from([*CATALOGUE, "tenant:create", "gone:since", "*"]))


@pytest.mark.parametrize(
    ("grants", "effective"),
    [
        ([], set()),
        (["call:read"], {"call:read"}),
        (["user:read"], {"user:read", "member:read"}),
        (["audit:read"], {"audit:read"}),
        (["org:all"], {"org:all", "audit:read", "tenant:read"}),
        (["*"], {"*"}),
        (["tenant:create"], {"tenant:create"}),
        (["gone:since", "call:read"], {"call:read"}),
        (["member:read"], {"member:read"}),
    ],
)
def test_effective(grants: list[str], effective: set[str]) -> None:
    assert CATALOGUE.effective(grants) == effective


def test_owners_may_more() -> None:
    assert CATALOGUE.effective(["call:read"], owner=True) == {"call:read", "member:own", "tenant:plan"}


@pytest.mark.requirement("004-04")
@given(granted, granted)
def test_several_roles_are_their_union(one: frozenset[str], other: frozenset[str]) -> None:
    assert CATALOGUE.effective(one | other) == CATALOGUE.effective(one) | CATALOGUE.effective(other)


@given(granted)
def test_closing_twice_adds_nothing(grants: frozenset[str]) -> None:
    once = CATALOGUE.effective(grants)
    assert CATALOGUE.effective(once) == once
    assert grants - {"gone:since"} <= once


def test_order_is_the_documents_then_built_in_then_unknown() -> None:
    names = ["zz:top", "tenant:read", "call:read", "member:read", "user:read", "aa:first", "audit:read", "*"]
    assert CATALOGUE.ordered(names) == (
        "user:read",
        "audit:read",
        "call:read",
        "member:read",
        "tenant:read",
        "*",
        "aa:first",
        "zz:top",
    )


def test_it_is_a_mapping_in_order() -> None:
    assert list(CATALOGUE) == ["user:read", "user:invite", "audit:read", "org:all", "call:read"]
    assert len(CATALOGUE) == 5
    assert CATALOGUE["audit:read"].risk is Risk.HIGH
    assert CATALOGUE["user:read"].group == "Users"
    assert "member:read" not in CATALOGUE


def test_ordinary_permission_risk_and_freshness() -> None:
    info = CATALOGUE["call:read"]
    assert (info.risk, info.covers, info.freshness, info.description) == (Risk.NORMAL, (), None, "")
