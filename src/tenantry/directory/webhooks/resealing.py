"""Sealing the secrets of webhooks anew under the active key, for the operator."""

from uuid import UUID

from tenantry.directory.webhooks import repository
from tenantry.directory.webhooks.service import context_of
from tenantry.storage.database import Database
from tenantry.tokens.encryption import EncryptionKeys

BATCH = 500


async def reseal(database: Database, keys: EncryptionKeys) -> int:
    """Seal every secret that another key has sealed under the active one; returns how many.

    In small transactions, so that it may be stopped and run again; a secret that is replaced meanwhile is
    left. Raises ``SealBroken`` for one whose key is not there, which is left with all that come after.
    """
    done, after = 0, UUID(int=0)
    while True:
        async with database.writing(None) as work:
            boxes = await repository.sealed_otherwise(work, keys.active.kid, after=after, most=BATCH)
            for each in boxes:
                context = context_of(each.tenant_id, each.endpoint_id)
                sealed = keys.seal(keys.open(each.key_id, each.box, context=context), context=context)
                await work.enter(each.tenant_id)
                done += await repository.replace_box(work, each, sealed)
        if not boxes:
            return done
        after = boxes[-1].id


async def sealed_under(database: Database, key_id: str) -> int:
    """How many secrets only this key opens."""
    async with database.writing(None) as work:
        return await repository.count_sealed(work, key_id)
