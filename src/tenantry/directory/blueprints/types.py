"""The types of resources that blueprints name, kept by what they say: one reading for each digest."""

from collections import OrderedDict

from tenantry.access.resource_types import NO_TYPES, ResourceTypes, read_types
from tenantry.directory.blueprints import repository
from tenantry.storage.database import Database

KEPT = 100


class TypesInForce:
    """Finds them by the digest that an authority carries; ``load_authority`` makes it the same way."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[str, ResourceTypes] = OrderedDict()

    async def of(self, digest: str | None) -> ResourceTypes:
        """The types of that digest.

        None at all where no blueprint says so any more: applying one ends what was decided by the
        last, so whoever still names it is told to sign in again by their next statement.
        """
        if digest is None:
            return NO_TYPES
        found = self._known.get(digest)
        if found is None:
            entries = await repository.resources_of(self._database, digest)
            if entries is None:
                return NO_TYPES
            found = self._known[digest] = read_types(digest, entries)
            if len(self._known) > KEPT:
                self._known.popitem(last=False)
        return found
