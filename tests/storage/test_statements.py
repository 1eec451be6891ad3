"""A statement of the planner's own is compiled only where no tenant was forgotten."""

import pytest
from sqlalchemy import FromClause, Select, Table, column, exists, func, literal, select, table

from tenantry.directory.members.models import Member, User
from tenantry.directory.tenants.models import Tenant
from tenantry.storage.statements import TenantForgotten, compile_statement

CALLER = table("caller", column("tenant_id"))
TENANT = CALLER.c.tenant_id
MEMBERS: Table = Member.__table__


def bound_member() -> Select:
    row = MEMBERS.alias()
    return select(row.c.node_id).select_from(row, CALLER).where(row.c.tenant_id == TENANT)


def test_a_bound_statement_names_its_parameters_in_order():
    row, tenant = MEMBERS.alias("m"), Tenant.__table__.alias("t")
    statement = (
        select(row.c.node_id, literal("x", literal_execute=False).label("x"))
        .select_from(row.join(tenant, tenant.c.id == row.c.tenant_id), CALLER)
        .where(row.c.tenant_id == TENANT, tenant.c.id == TENANT, row.c.email == "a@people.example")
    )
    compiled = compile_statement(statement, tenant=TENANT)
    assert "m.tenant_id = caller.tenant_id" in compiled.sql
    assert "$1" in compiled.sql
    assert [compiled.constants[name] for name in compiled.parameters] == ["x", "a@people.example"]


@pytest.mark.parametrize("users", [User.__table__.alias(), User.__table__], ids=["alias", "table"])
def test_what_belongs_to_no_tenant_needs_no_criterion(users: FromClause):
    compiled = compile_statement(select(users.c.email), tenant=TENANT)
    assert compiled.parameters == ()
    assert 'FROM "user"' in compiled.sql


def forgotten() -> dict[str, Select]:
    row, other = MEMBERS.alias(), MEMBERS.alias()
    nested = select(func.count()).select_from(other).scalar_subquery()
    return {
        "an alias": select(row.c.node_id),
        "a comparison with something else": select(row.c.node_id).where(row.c.tenant_id == literal("x")),
        "another column": select(row.c.node_id).where(row.c.id == TENANT),
        "one of two": select(row.c.node_id, other.c.node_id).where(row.c.tenant_id == TENANT),
        "a sub-select": bound_member().add_columns(nested),
        "an exists": bound_member().where(exists().where(other.c.email == "x")),
        "a table without an alias": select(MEMBERS.c.node_id).where(MEMBERS.c.tenant_id == TENANT),
        "a table that only a criterion names": bound_member().where(MEMBERS.c.email == "x"),
        "a table that only a sub-select counts": bound_member().add_columns(
            select(func.count()).select_from(MEMBERS).scalar_subquery()
        ),
        "a joined table without an alias": select(row.c.node_id)
        .select_from(row.join(MEMBERS, MEMBERS.c.id == row.c.id))
        .where(row.c.tenant_id == TENANT),
    }


@pytest.mark.parametrize("name", forgotten())
def test_a_forgotten_tenant_is_refused(name: str):
    with pytest.raises(TenantForgotten, match="member"):
        compile_statement(forgotten()[name], tenant=TENANT)
