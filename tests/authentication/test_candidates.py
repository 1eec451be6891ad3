"""Where a person may sign in: the table of yes and no."""

from uuid import uuid4

import pytest

from tenantry.authentication.login.candidates import Candidate, choices, one_for_each_tenant
from tenantry.authentication.login.errors import MemberSuspended, NotInvited
from tenantry.directory.members.errors import SingleMembership
from tenantry.kernel.ids import PLATFORM_TENANT_KEY
from tenantry.kernel.principal import Scope


def candidate(
    tenant: str, status: str = "ACTIVE", *, live: bool = False, suspended: bool = False, linked: bool = True
) -> Candidate:
    elsewhere = tenant in {"X", "Y", "Z"}
    key = PLATFORM_TENANT_KEY if tenant == "platform" else uuid4()
    return Candidate(key, tenant, tenant, suspended, uuid4(), status, live, linked, elsewhere, elsewhere)


A, B, P = candidate("A"), candidate("B"), candidate("platform")
INVITED = candidate("I", "INVITED", live=True)
LAPSED = candidate("L", "INVITED")
SUSPENDED = candidate("S", "SUSPENDED")
ELSEWHERE = candidate("X", "INVITED", live=True, linked=False)
ELSEWHERE_ACTIVE = candidate("Y", linked=False)
ELSEWHERE_LAPSED = candidate("Z", "INVITED", linked=False)
CLOSED = candidate("C", suspended=True)
CLOSED_INVITED = candidate("D", "INVITED", live=True, suspended=True)


@pytest.mark.requirement("003-32")
@pytest.mark.parametrize(
    ("found", "tenant", "scope", "expected"),
    [
        ([], None, None, NotInvited),
        ([A], None, None, "A"),
        ([A], None, Scope.TENANT, "A"),
        ([A], None, Scope.SYSTEM, NotInvited),
        ([A], "A", None, "A"),
        ([A], "B", None, NotInvited),
        ([A, B], None, None, "AB"),
        ([A, B], "B", None, "B"),
        ([A, INVITED], None, None, "AI"),
        ([INVITED], None, None, "I"),
        ([LAPSED], None, None, NotInvited),
        ([LAPSED, SUSPENDED], None, None, MemberSuspended),
        ([SUSPENDED], None, None, MemberSuspended),
        ([SUSPENDED, A], None, None, "A"),
        ([SUSPENDED, A], "S", None, MemberSuspended),
        ([A, ELSEWHERE, ELSEWHERE_ACTIVE], None, None, "A"),
        ([A, ELSEWHERE], "X", None, SingleMembership),
        ([A, ELSEWHERE_ACTIVE], "Y", None, SingleMembership),
        ([A, ELSEWHERE_LAPSED], "Z", None, NotInvited),
        ([SUSPENDED, ELSEWHERE], None, None, MemberSuspended),
        ([CLOSED], None, None, MemberSuspended),
        ([CLOSED, A, B], None, None, "AB"),
        ([CLOSED_INVITED], None, None, MemberSuspended),
        ([P], None, None, "platform"),
        ([P], None, Scope.SYSTEM, "platform"),
        ([P], None, Scope.TENANT, NotInvited),
        ([P, A], None, None, "A"),
        ([P, A], None, Scope.SYSTEM, "platform"),
        ([P, A], "platform", None, "platform"),
        ([P, A], "A", Scope.SYSTEM, NotInvited),
        ([P, SUSPENDED], None, None, MemberSuspended),
    ],
)
def test_choices(
    *, found: list[Candidate], tenant: str | None, scope: Scope | None, expected: str | type[Exception]
) -> None:
    if isinstance(expected, str):
        assert "".join(each.tenant for each in choices(found, tenant=tenant, scope=scope)) == expected
    else:
        with pytest.raises(expected):
            choices(found, tenant=tenant, scope=scope)


def test_ones_own_membership_goes_before_one_that_waits() -> None:
    key = uuid4()
    own = Candidate(key, "A", "A", False, uuid4(), "SUSPENDED", False, True)
    waiting = Candidate(key, "A", "A", False, uuid4(), "INVITED", True, False)
    assert one_for_each_tenant([own, waiting, B]) == [own, B]
    assert one_for_each_tenant([waiting, own, B]) == [own, B]
    assert one_for_each_tenant([waiting]) == [waiting]
