"""Printing what functions hand back, by the selections on it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import orjson

from tenantry.api.errors import Failure
from tenantry.api.outcomes import Outcome
from tenantry.api.planner.findings import Details
from tenantry.api.planner.plans import Payload
from tenantry.api.planning import Planned, Planning, unmet
from tenantry.api.results import not_found, told
from tenantry.api.scalars import print_time
from tenantry.kernel.clock import Clock
from tenantry.kernel.errors import NotFound, Unauthenticated
from tenantry.kernel.principal import Authority
from tenantry.storage.connections import Connection
from tenantry.storage.database import Database

Path = tuple[str, ...]


class Denied(Exception):
    """Nothing of an answer may be seen, so that what was done for it is to be undone."""

    def __init__(self, failures: list[Failure]) -> None:
        super().__init__("the answer is refused")
        self.failures = failures


class Printer:
    """Prints outcomes; rows that they name are read in their transaction, where there is one."""

    def __init__(self, planning: Planning, database: Database, clock: Clock) -> None:
        self._planning = planning
        self._database = database
        self._clock = clock

    async def value(
        self,
        planned: Planned,
        outcome: Outcome,
        details: Details,
        path: Path,
        authority: Authority | None,
        connection: Connection | None = None,
    ) -> dict[str, Any]:
        """One object as the client selected it; what is null in it has its error in ``planned.failures``.

        Raises ``Denied`` where a rule forbids what may not be null; outside of a transaction also
        ``Unauthenticated`` and ``NotFound``, for what does not hold or is not there any more.
        """
        authority = outcome.authority or authority
        payload = await self.payload(planned, outcome, details, path, authority)
        refused = told(payload.findings.problems, authority)
        if payload.denied:
            raise Denied(refused)
        read = await self._read(payload, planned, outcome, authority, connection)
        refused += not_found(read, payload.findings.lookups, refused, below=len(path))
        planned.failures.extend(each for each in refused if each not in planned.failures)
        printed: dict[str, Any] = {}
        for key in payload.keys:
            if key in payload.attributes:
                name, inner = payload.attributes[key]
                found = outcome.type_name if name == "__typename" else outcome.values.get(name)
                printed[key] = await self.whatever(planned, found, inner, (*path, key), authority, connection)
            else:
                printed[key] = read[key]
        return printed

    async def payload(
        self, planned: Planned, outcome: Outcome, details: Details, path: Path, authority: Authority | None
    ) -> Payload:
        """How to print ``outcome``, its rules decided for whom it is read as."""
        maker, shaped = self._planning.maker, planned.shaped
        payload = maker.payload(
            planned.plan, outcome.type_name, details, path, shaped=shaped, refused=planned.refused
        )
        if outcome.authority is None:
            return payload
        refused = unmet(payload.findings.rules, authority, self._clock)
        if payload.findings.reaches:
            shaped = shaped._replace(reach=await self._planning.reach(authority, shaped.environment))
        return maker.payload(planned.plan, outcome.type_name, details, path, shaped=shaped, refused=refused)

    async def whatever(
        self,
        planned: Planned,
        found: Any,
        details: Details,
        path: Path,
        authority: Authority | None,
        connection: Connection | None = None,
    ) -> Any:
        """An outcome, a list of them, or a plain value. Raises what ``value`` does."""
        if isinstance(found, Outcome):
            return await self.value(planned, found, details, path, authority, connection)
        if isinstance(found, (list, tuple)):
            return [
                await self.whatever(planned, each, details, path, authority, connection)
                for each in cast("Sequence[Any]", found)
            ]
        return print_time(found) if isinstance(found, datetime) else found

    async def _read(
        self,
        payload: Payload,
        planned: Planned,
        outcome: Outcome,
        authority: Authority | None,
        connection: Connection | None,
    ) -> Mapping[str, Any]:
        if payload.statement is None:
            return {}
        sql = payload.statement.sql
        arguments = payload.statement.arguments(planned.shaped.values(authority, outcome.values))
        if connection is not None:
            return orjson.loads(await connection.fetchval(sql, *arguments))
        row = await self._database.fetch(sql, arguments)
        if row is None:
            raise Unauthenticated("REVOKED", "The session has ended or its rights have changed.")
        read: Mapping[str, Any] = orjson.loads(row[0])
        if any(read[key] is None for key in payload.needed):
            # Deleted since the function has looked.
            raise NotFound
        return read
