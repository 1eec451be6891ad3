"""GraphiQL, from our own host: the built bundle's files under ``/graphiql/``, no other host asked."""

from pathlib import Path, PurePosixPath

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from tenantry.web.pages import page_headers

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; "
    "img-src 'self' data:; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""Monaco writes style elements while it runs, hence the one 'unsafe-inline'; scripts have none."""

FOR_EVER = "public, max-age=31536000, immutable"
"""For files whose name holds a hash of their content."""

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".woff2": "font/woff2",
}
"""Said here, since the machine's own table may differ and ``nosniff`` makes a wrong one fatal."""

NOT_BUILT = "GraphiQL is not built yet. Run `make graphiql`, then reload this page.\n"


def graphiql_routes(static: Path) -> list[BaseRoute]:
    """The routes of the bundle in the folder ``static``, which may be built later."""
    return [
        Route("/graphiql", _to_the_page, methods=["GET", "HEAD"]),
        Mount("/graphiql", _Bundle(static)),
    ]


async def _to_the_page(request: Request) -> Response:
    return RedirectResponse(f"{request.scope.get('root_path', '')}/graphiql/", status_code=307)


class _Bundle(StaticFiles):
    """Starlette's files (paths are confined to the folder, ETags compared) with our headers."""

    def __init__(self, static: Path) -> None:
        super().__init__(directory=static, html=True, check_dir=False)
        self._static = static

    async def check_config(self) -> None:
        # A missing folder is answered with a page, not an exception.
        return

    async def get_response(self, path: str, scope: Scope) -> Response:
        if not (self._static / "index.html").is_file():
            return PlainTextResponse(NOT_BUILT, status_code=503, headers=page_headers("default-src 'none'"))
        response = await super().get_response(path, scope)
        hashed = PurePosixPath(path).parts[:1] == ("assets",) and response.status_code < 400
        response.headers.update(page_headers(POLICY, cache_control=FOR_EVER if hashed else "no-cache"))
        suffix = PurePosixPath(path).suffix
        if "content-type" in response.headers and suffix in MEDIA_TYPES:
            response.headers["content-type"] = MEDIA_TYPES[suffix]
        return response
