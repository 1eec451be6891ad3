"""A blueprint's permissions, in its own order, and which built-in ones they cover."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tenantry.access.permissions import OWNER_BUILT_INS, WILDCARD, BuiltIn


class Risk(StrEnum):
    """How much harm a permission can do, for whoever grants it to see."""

    HIGH = "high"
    LOW = "low"
    NORMAL = "normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionInfo:
    """One permission as its blueprint describes it; ``freshness`` in seconds."""

    name: str
    title: str
    group: str = ""
    description: str = ""
    risk: Risk = Risk.NORMAL
    covers: tuple[str, ...] = ()
    freshness: int | None = None


class Catalogue(Mapping[str, PermissionInfo]):
    """The permissions that the roles of one blueprint may grant, in the document's order.

    The caller has checked that names are unique and valid; a later duplicate would win.
    """

    def __init__(self, infos: Iterable[PermissionInfo] = ()) -> None:
        self._infos = {info.name: info for info in infos}
        self._places = {name: place for place, name in enumerate(dict.fromkeys([*self._infos, *BuiltIn]))}

    def __getitem__(self, name: str) -> PermissionInfo:
        return self._infos[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._infos)

    def __len__(self) -> int:
        return len(self._infos)

    def ordered(self, names: Iterable[str]) -> tuple[str, ...]:
        """Each name once, in catalogue order; built-in ones after them, unknown ones last."""
        return tuple(sorted(set(names), key=lambda name: (self._places.get(name, len(self._places)), name)))

    def effective(self, grants: Iterable[str], *, owner: bool = False) -> frozenset[str]:
        """Close a set of grants over ``covers``: all that a holder of them may do.

        ``*`` stays ``*``. With ``owner``, what only an owner's role may do is added. A grant
        that is neither in the catalogue nor built-in (left over from an older blueprint) is
        dropped, so that it cannot come back to life under another meaning.
        """
        closed: set[str] = set(OWNER_BUILT_INS) if owner else set()
        waiting = [grant for grant in grants if grant == WILDCARD or grant in self._places]
        while waiting:
            grant = waiting.pop()
            if grant not in closed:
                closed.add(str(grant))
                waiting.extend(self._infos[grant].covers if grant in self._infos else ())
        return frozenset(closed)
