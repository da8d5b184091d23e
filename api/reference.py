"""`/docs`: the API's reference as a page, from files of our own wheels and no other host."""

from __future__ import annotations

import base64
import hashlib
import re

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

PAGE = "/docs"
#: Where the page finds Swagger UI.
FILES = "/docs/files"
#: Browsers ask again after so long; the files change with a release only. Seconds.
FILES_AGE_S = 3600

_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


class _Files(StaticFiles):
    """The files of Swagger UI, which a browser may keep for a while."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        answer.headers["Cache-Control"] = f"public, max-age={FILES_AGE_S}"
        return answer


def add_reference(app: FastAPI) -> None:
    """Serve the page and what it needs. All addresses are relative: a prefix does no harm."""
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=f"{app.title}: the API",
        swagger_js_url="docs/files/swagger-ui-bundle.js",
        swagger_css_url="docs/files/swagger-ui.css",
        swagger_favicon_url="docs/files/favicon-32x32.png",
        swagger_ui_parameters={"displayRequestDuration": True},
    )
    page.headers["Content-Security-Policy"] = _policy(bytes(page.body))

    async def reference() -> HTMLResponse:
        return page

    app.add_api_route(PAGE, reference, include_in_schema=False)
    app.mount(FILES, _Files(packages=[("fastapi_swagger", "resources")]), name="reference files")


def _policy(page: bytes) -> str:
    """Scripts: our file and the one that the page itself holds, named by its digest."""
    digests = [
        base64.b64encode(hashlib.sha256(script).digest()).decode()
        for script in _SCRIPT.findall(page)
    ]
    scripts = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; connect-src 'self'; script-src 'self' {scripts}; "
        # Swagger UI sets styles on its elements and draws its icons from data addresses
        "style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
    )
