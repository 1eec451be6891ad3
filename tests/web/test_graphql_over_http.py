"""All audits of the GraphQL-over-HTTP specification, those that say SHOULD and MAY too."""

from collections import Counter

from tests.support.node_peer import run_node
from tests.support.serving import serving
from tests.support.wires import make_wire

AUDITS = 61


async def test_every_audit_of_the_specification_passes() -> None:
    async with serving(make_wire().app) as base:
        outcomes = await run_node("graphql-http-audit.mjs", f"{base}/graphql", text="")
    failed = {id_: outcome for id_, outcome in outcomes.items() if outcome["status"] != "ok"}
    assert failed == {}
    kinds = Counter(outcome["name"].split()[0] for outcome in outcomes.values())
    assert (len(outcomes), sum(kinds.values())) == (AUDITS, AUDITS)
    assert set(kinds) == {"MUST", "SHOULD", "MAY"}
