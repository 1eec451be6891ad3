"""Sealing secrets anew under the active key, so that an old key can be retired.

For the operator. The database hands out boxes across people here, which are nothing without keys.
"""

from uuid import UUID

from tenantry.authentication.factors import repository
from tenantry.storage.database import Database
from tenantry.tokens.encryption import EncryptionKeys

BATCH = 500


async def reseal(database: Database, keys: EncryptionKeys) -> int:
    """Seal every secret that another key has sealed under the active one; returns how many.

    In small transactions, so that it may be stopped and run again; a secret that its person
    replaces meanwhile is left as they made it. Raises ``SealBroken`` for one whose key is not
    there, which is left as it is with all that come after.
    """
    done, after = 0, UUID(int=0)
    while True:
        async with database.writing(None) as work:
            boxes = await repository.sealed_otherwise(work, keys.active.kid, after=after, most=BATCH)
            for each in boxes:
                secret = keys.open(each.key_id, each.box, context=each.user_id.bytes)
                sealed = keys.seal(secret, context=each.user_id.bytes)
                done += await repository.replace_box(work, each, sealed)
        if not boxes:
            return done
        after = boxes[-1].user_id


async def sealed_under(database: Database, key_id: str) -> int:
    """How many secrets only this key opens."""
    async with database.writing(None) as work:
        return await repository.count_sealed(work, key_id)
