"""GraphiQL's files: our own host, the right types, a strict policy, a clear page when not built."""

from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from tenantry.web.graphiql import graphiql_routes

FILES = {
    "index.html": "<!doctype html><title>Tenantry</title>",
    "callback.html": "<!doctype html>",
    "callback.js": "1;",
    "icon.svg": "<svg/>",
    "assets/index-Ab12.js": "2;",
    "assets/index-Ab12.css": "a{}",
    "assets/codicon-Cd34.ttf": "x",
}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        file = tmp_path / "graphiql" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    return tmp_path / "graphiql"


def client(static: Path) -> httpx.AsyncClient:
    app = Starlette(routes=graphiql_routes(static))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


async def test_the_short_address_leads_to_the_page(bundle: Path) -> None:
    async with client(bundle) as http:
        answer = await http.get("/graphiql", follow_redirects=True)
    assert (answer.url.path, answer.text) == ("/graphiql/", FILES["index.html"])


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("", "text/html; charset=utf-8"),
        ("callback.html", "text/html; charset=utf-8"),
        ("callback.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
        ("assets/index-Ab12.js", "text/javascript; charset=utf-8"),
        ("assets/index-Ab12.css", "text/css; charset=utf-8"),
        ("assets/codicon-Cd34.ttf", "font/ttf"),
    ],
)
async def test_each_file_has_its_type_and_the_strict_headers(
    bundle: Path, path: str, media_type: str
) -> None:
    async with client(bundle) as http:
        answer = await http.get(f"/graphiql/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"


async def test_only_hashed_files_are_kept_for_long(bundle: Path) -> None:
    async with client(bundle) as http:
        kept = await http.get("/graphiql/assets/index-Ab12.js")
        others = [await http.get(f"/graphiql/{path}") for path in ("", "callback.js")]
    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert [answer.headers["cache-control"] for answer in others] == ["no-cache"] * 2


async def test_an_unchanged_page_is_not_sent_again(bundle: Path) -> None:
    async with client(bundle) as http:
        first = await http.get("/graphiql/")
        again = await http.get("/graphiql/", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.text) == (304, "")


@pytest.mark.parametrize("path", ["../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", "missing.js"])
async def test_nothing_outside_the_folder_is_served(bundle: Path, path: str) -> None:
    async with client(bundle) as http:
        answer = await http.get(f"/graphiql/{path}")
    assert answer.status_code == 404
    assert "secret" not in answer.text


async def test_without_a_bundle_the_page_says_what_to_run(tmp_path: Path) -> None:
    async with client(tmp_path / "nothing") as http:
        answer = await http.get("/graphiql/")
    assert answer.status_code == 503
    assert "make graphiql" in answer.text
    assert answer.headers["content-type"].startswith("text/plain")
