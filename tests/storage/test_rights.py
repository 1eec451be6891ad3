"""Rights that the serving role must not have, each given to it once."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tenantry.storage.database import Database
from tenantry.storage.rights import rights_of
from tests.support.rows import Rows

WRONGS = {
    "may change the trail": (
        "GRANT UPDATE ON audit_record TO tenantry_app",
        "REVOKE UPDATE ON audit_record FROM tenantry_app",
    ),
    "owns tables": ("CREATE TABLE mine (); ALTER TABLE mine OWNER TO tenantry_app", "DROP TABLE mine"),
    "not forced on role": (
        "ALTER TABLE role NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE role FORCE ROW LEVEL SECURITY",
    ),
}


@pytest_asyncio.fixture(scope="module")
async def superuser(rows: Rows) -> AsyncIterator[Database]:
    database = Database(rows.database.owner_dsn)
    yield database
    await database.close()


async def test_the_role_that_serves_is_as_it_must_be(rows: Rows):
    assert (await rights_of(rows.database)).problems() == []


@pytest.mark.parametrize(("complaint", "wrong"), WRONGS.items(), ids=WRONGS)
async def test_a_right_too_many_is_named(rows: Rows, complaint: str, wrong: tuple[str, str]):
    give, take = wrong
    await rows.execute(give)
    found = (await rights_of(rows.database)).problems()
    await rows.execute(take)
    assert len(found) == 1
    assert complaint in found[0]
    assert (await rights_of(rows.database)).problems() == []


async def test_a_superuser_is_refused_with_every_reason(superuser: Database):
    found = await rights_of(superuser)
    assert (found.superuser, found.bypasses_row_security, found.owns_tables) == (True, True, True)
    assert found.rewrites_the_trail
    assert len(found.problems()) == 4
