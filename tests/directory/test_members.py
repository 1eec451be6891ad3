"""Members: changed, suspended, reactivated, removed; by whom, and by whom not."""

from datetime import UTC, datetime

import pytest

from tenantry.directory.members.models import Member, MemberStatus
from tenantry.directory.members.service import (
    reactivate_member,
    remove_member,
    suspend_member,
    touch,
    update_member,
)
from tenantry.kernel.errors import BadUserInput, Conflict, Forbidden, NotFound, Unauthenticated
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_member, make_tenant, sign_in, signed_in, system_authority
from tests.support.refusals import expect_refusal

VERBS = {
    "update": update_member,
    "suspend": suspend_member,
    "reactivate": reactivate_member,
    "remove": remove_member,
}


async def row_of(database: TemporaryDatabase, member: Member) -> dict[str, object]:
    (row,) = await database.seen_by_owner("SELECT * FROM member WHERE node_id = $1", member.node_id)
    return dict(row)


async def test_a_name_and_an_extension_change_and_no_token_ends(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    gina = await make_member(database, tenant, name="Gina")
    async with database.writing(admin) as work:
        await update_member(work, gina.node_id, name="  Regina ", extension="4711")
        assert [(action.name, action.targets) for action in work.actions] == [
            ("member.update", (gina.node_id,))
        ]
    changed = await row_of(database, gina)
    assert (changed["name"], changed["extension"], changed["version"]) == ("Regina", "4711", 1)
    async with database.writing(admin) as work:
        await update_member(work, gina.node_id, extension=None)
    changed = await row_of(database, gina)
    assert (changed["name"], changed["extension"]) == ("Regina", None)


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", ""), ("name", "x" * 121), ("name", "a\x00b"), ("name", "a\nb"), ("extension", "1" * 11)],
)
async def test_what_cannot_be_a_name_or_an_extension(
    database: TemporaryDatabase, field: str, value: str
) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    gina = await make_member(database, tenant)
    async with expect_refusal(database, BadUserInput) as caught, database.writing(admin) as work:
        await update_member(work, gina.node_id, **{field: value})
    assert list(caught.value.extensions()["fields"]) == [field]


@pytest.mark.requirement("003-32")
async def test_a_suspended_member_cannot_act_until_reactivated(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    gina = await make_member(database, tenant, "manager")
    session = await sign_in(database, gina)
    async with database.writing(admin) as work:
        assert (await suspend_member(work, gina.node_id)).status == MemberStatus.SUSPENDED
        assert [action.name for action in work.actions] == ["member.suspend"]
    with pytest.raises(Unauthenticated):
        async with database.writing(session):
            pass
    async with database.writing(admin) as work:
        assert (await reactivate_member(work, gina.node_id)).status == MemberStatus.ACTIVE
        assert [action.name for action in work.actions] == ["member.reactivate"]
    with pytest.raises(Unauthenticated):
        async with database.writing(session):
            pass
    assert (await sign_in(database, gina)).member_version == 3


async def test_twice_is_as_good_as_once(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    gina = await make_member(database, tenant)
    for verb, version in (
        (reactivate_member, 1),
        (suspend_member, 2),
        (suspend_member, 2),
        (reactivate_member, 3),
    ):
        async with database.writing(admin) as work:
            assert (await verb(work, gina.node_id)).version == version
    assert (await row_of(database, gina))["version"] == 3


@pytest.mark.requirement("003-26")
async def test_a_removed_member_is_gone_with_their_sessions_and_the_person_stays(
    database: TemporaryDatabase,
) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    gina = await make_member(database, tenant)
    session = await sign_in(database, gina)
    async with database.writing(admin) as work:
        await remove_member(work, gina.node_id)
        assert [(action.name, action.targets) for action in work.actions] == [
            ("member.remove", (gina.node_id,))
        ]
    with pytest.raises(Unauthenticated):
        async with database.writing(session):
            pass
    for left in (
        "SELECT count(*) FROM member WHERE id = $1",
        "SELECT count(*) FROM member_role WHERE member_id = $1",
        "SELECT count(*) FROM session WHERE member_id = $1",
    ):
        assert await database.value(left, gina.id) == 0
    assert await database.value('SELECT count(*) FROM "user" WHERE id = $1', gina.user_id) == 1


@pytest.mark.requirement("000-12")
@pytest.mark.parametrize("verb", VERBS)
async def test_another_tenants_member_is_not_to_be_found(database: TemporaryDatabase, verb: str) -> None:
    tenant, other = await make_tenant(database), await make_tenant(database)
    owner = await signed_in(database, tenant, "owner")
    stranger = await make_member(database, other)
    for node_id in (stranger.node_id, "M_nobody", other.node_id):
        async with expect_refusal(database, NotFound), database.writing(owner) as work:
            await VERBS[verb](work, node_id)


@pytest.mark.parametrize("verb", ["suspend", "reactivate", "remove"])
async def test_nobody_touches_who_may_do_more(database: TemporaryDatabase, verb: str) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    await make_member(database, tenant, "owner")
    status = MemberStatus.SUSPENDED if verb == "reactivate" else MemberStatus.ACTIVE
    owner = await make_member(database, tenant, "owner", status=status)
    async with expect_refusal(database, Forbidden), database.writing(admin) as work:
        await VERBS[verb](work, owner.node_id)


@pytest.mark.parametrize("verb", ["suspend", "reactivate", "remove"])
async def test_who_has_not_joined_is_their_invitations_matter(database: TemporaryDatabase, verb: str) -> None:
    tenant = await make_tenant(database)
    owner = await signed_in(database, tenant, "owner")
    invited = await make_member(database, tenant, status=MemberStatus.INVITED)
    async with expect_refusal(database, Conflict), database.writing(owner) as work:
        await VERBS[verb](work, invited.node_id)


@pytest.mark.parametrize("verb", ["suspend", "remove"])
async def test_oneself(database: TemporaryDatabase, verb: str) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    async with database.writing(admin) as work:
        await VERBS[verb](work, admin.member)
    with pytest.raises(Unauthenticated):
        async with database.writing(admin):
            pass


async def test_the_platform_acts_in_a_tenant_that_it_has_entered(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    await make_member(database, tenant, "owner")
    owner = await make_member(database, tenant, "owner")
    staff = await system_authority(database)
    async with expect_refusal(database, NotFound), database.writing(staff) as work:
        await suspend_member(work, owner.node_id)
    async with database.writing(staff) as work:
        await work.enter(tenant.id)
        await suspend_member(work, owner.node_id)
    assert (await row_of(database, owner))["status"] == MemberStatus.SUSPENDED


async def test_being_seen_changes_no_version(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    gina = await make_member(database, tenant)
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    async with database.writing(await sign_in(database, gina)) as work:
        await touch(work, gina.id, at)
    seen = await row_of(database, gina)
    assert (seen["last_seen_at"], seen["version"]) == (at, 1)
