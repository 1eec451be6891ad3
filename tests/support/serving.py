"""Any ASGI application on a free port of loopback, served as in production."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

from tenantry.web.server import server_config

START_SECONDS = 30


@asynccontextmanager
async def serving(app: ASGIApp, *, port: int = 0) -> AsyncGenerator[str]:
    """Serves ``app`` until the block ends, on a free port unless one is given; yields its base URL.

    The URL ends without a slash.
    """
    server = _Server(server_config(app, host="127.0.0.1", port=port))
    running = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(START_SECONDS):
            while not server.started:
                if running.done():
                    running.result()
                    raise RuntimeError("the application did not start; its lifespan says why in the log")
                await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await running


class _Server(uvicorn.Server):
    """Leaves the signals to pytest."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield
