"""All servers must say the same before any is measured."""

import httpx

from benchmarks.operations import UNIQUE, Target, cursor
from benchmarks.servers import Running
from benchmarks.targets import body

FIRST, LAST = "2026-06-01", "2026-07-14"
"""Between these days lie all records of the data (see ``dataset.AUDIT``)."""
KNOWN_RECORDS = 150
READS = ("Viewer", "List", "One", "Trail")


async def collect(server: Running, targets: list[Target]) -> dict[str, object]:
    """What a server answers, in the common form: every read for each target, and one invitation."""
    answers: dict[str, object] = {}
    documents, forms = server.server.documents, server.server.forms
    async with httpx.AsyncClient() as client:
        for place, target in enumerate(targets):
            for name in READS:
                answer = await server.post(client, target.token, body(documents[name], name, target))
                answers[f"{name} {place}"] = forms[name](answer["data"])
                if name == "Trail":
                    second = body(documents[name], name, target, cursor(answer))
                    later = forms[name]((await server.post(client, target.token, second))["data"])
                    answers[f"{name} {place}"] = _of_the_data(answers[f"{name} {place}"], later)
        content = body(documents["Invite"], "Invite", targets[0]).replace(UNIQUE.encode(), b"sameness")
        answers["Invite"] = forms["Invite"]((await server.post(client, targets[0].token, content))["data"])
    return answers


def _of_the_data(*pages: dict) -> dict[str, object]:
    """Two pages without what a server has itself recorded since it started."""
    nodes = [node for page in pages for node in page["nodes"] if FIRST <= node["at"] <= LAST]
    return {"nodes": nodes[:KNOWN_RECORDS], "more": pages[-1]["more"]}


def compare(first: dict[str, object], other: dict[str, object], title: str) -> None:
    """Raise where two servers say different things."""
    for name, answer in first.items():
        if other[name] != answer:
            raise SystemExit(
                f"{title} answers {name} differently:\n{str(answer)[:600]}\n{str(other[name])[:600]}"
            )
