"""What every row of a tenant begins with."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from tenantry.directory.roles.models import Role
from tenantry.storage.tables import TransactionId


def test_a_row_has_a_key_that_sorts_by_creation_and_a_time_in_utc():
    before = datetime.now(UTC)
    first, second = (Role(tenant_id=uuid4(), key=key, name=key) for key in ("first", "second"))
    assert (first.id.version, second.id.version) == (7, 7)
    assert first.id.int >> 80 <= second.id.int >> 80
    assert first.created_at.utcoffset() == timedelta(0)
    assert before <= first.created_at <= second.created_at


def test_a_transactions_number_is_an_xid8():
    assert TransactionId().get_col_spec() == "xid8"
