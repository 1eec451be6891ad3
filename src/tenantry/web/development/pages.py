"""The development pages' common frame: one stylesheet, named by its hash, no script but files of ours."""

import base64
import hashlib
from html import escape
from pathlib import Path

from starlette.responses import HTMLResponse

from tenantry.web.pages import page_headers

_STYLE = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


def page(
    title: str,
    body: str,
    *,
    form_action: str = "'none'",
    refresh: int | None = None,
    script: str | None = None,
    status: int = 200,
) -> HTMLResponse:
    """A whole page; ``title`` is escaped here, ``body`` by its author; ``refresh`` in seconds.

    ``script`` is the path of a module of ours; a page that names none can run none.
    """
    reload = "" if refresh is None else f'<meta http-equiv="refresh" content="{refresh}">'
    module = "" if script is None else f'<script type="module" src="{escape(script)}"></script>'
    scripts = "" if script is None else "script-src 'self'; connect-src 'self'; "
    document = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="robots" content="noindex">'
        f"{reload}{module}<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main>{body}</main></body></html>"
    )
    policy = (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; {scripts}base-uri 'none'; "
        f"form-action {form_action}; frame-ancestors 'none'"
    )
    return HTMLResponse(document, status_code=status, headers=page_headers(policy))
