"""What is kept in the process between two operations: shared by all tenants, and of none."""

import pytest

from tests.matrix.worlds import ProductWorld
from tests.support.api import Product
from tests.support.factories import make_member

ASK = """query($id: ID!) { tenant { id slug members(first: 9) { totalCount nodes { id email } } }
    viewer { member { id } roles { key } permissions } node(id: $id) { id } }"""

WHO = "{ viewer { tenant { id } roles { key } } }"
MEMBERS = "{ tenant { members(first: 1) { totalCount } } }"


@pytest.mark.requirement("000-10", "001-23")
async def test_a_plan_that_was_kept_for_one_tenant_answers_another_with_its_own_rows(
    product: Product,
) -> None:
    worlds = [await ProductWorld.of(product, "phone-system") for _ in range(3)]
    for _ in range(2):
        for world in worlds:
            found = await product.as_(world.owner).query(ASK, id=world.owner.member)
            assert found["tenant"]["slug"] == world.tenant.slug
            assert [each["id"] for each in found["tenant"]["members"]["nodes"]] == [world.owner.member]
            assert found["viewer"]["member"]["id"] == found["node"]["id"] == world.owner.member


@pytest.mark.requirement("000-10")
async def test_who_somebody_is_in_one_tenant_is_not_kept_for_another(product: Product) -> None:
    """The same person with two memberships, asked in turns."""
    here, there = [await ProductWorld.of(product, "phone-system") for _ in range(2)]
    admin = await make_member(product.database, here.tenant, "admin")
    agent = await make_member(product.database, there.tenant, "agent", email=admin.email)
    speakers = [await product.as_member(each) for each in (admin, agent)]
    for _ in range(2):
        found = [(await each.query(WHO))["viewer"] for each in speakers]
        assert [each["tenant"]["id"] for each in found] == [here.tenant.node_id, there.tenant.node_id]
        assert [[role["key"] for role in each["roles"]] for each in found] == [["admin"], ["agent"]]
        assert [(await each.ask(MEMBERS)).codes for each in speakers] == [[], ["FORBIDDEN"]]
