"""A tenant that trusts a provider of its own, as its owner would make it so."""

from collections.abc import Sequence

from tenantry.authentication.connections.domains import record_name, record_value
from tenantry.authentication.connections.models import Connection, EmailDomain
from tenantry.authentication.connections.service import add_domain, create, verify_domain
from tenantry.kernel.principal import Authority
from tests.support.api import Product


async def connect(
    product: Product,
    owner: Authority,
    *,
    issuer: str | None = None,
    client_id: str = "spa",
    provisioning: bool = False,
    roles: Sequence[str] = (),
) -> Connection:
    """A connection to the product's guest issuer, or to another; ``roles`` by node id."""
    async with product.database.writing(owner) as work:
        return await create(
            work,
            issuer=issuer or product.guest.provider.issuer,
            client_id=client_id,
            title="Own",
            role_ids=roles,
            provisioning=provisioning,
        )


async def list_domain(product: Product, owner: Authority, domain: str) -> EmailDomain:
    """A domain in the tenant's list, its record published and not looked at yet."""
    async with product.database.writing(owner) as work:
        row = await add_domain(work, domain, clock=product.clock)
    product.names[record_name(row.domain)] = ["v=spf1 -all", record_value(row.token)]
    return row


async def own_domain(product: Product, owner: Authority, domain: str) -> EmailDomain:
    """A domain that is the tenant's."""
    row = await list_domain(product, owner, domain)
    async with product.database.writing(owner) as work:
        return await verify_domain(
            work, row.node_id, product.names[record_name(row.domain)], clock=product.clock
        )
