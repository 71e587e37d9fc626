"""The page at `/docs`: Swagger UI over the OpenAPI document, from files that are installed: it works offline."""

import base64
import hashlib
import re
from importlib.resources import files
from typing import Final

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

_ASSETS: Final = "/docs/assets"


def install(app: FastAPI) -> None:
    """Serve the page. Only its own script runs there, and it reaches this service alone."""
    folder = files("fastapi_offline") / "static"
    page = bytes(
        get_swagger_ui_html(
            openapi_url=str(app.openapi_url),
            title=f"{app.title}: the API",
            swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{_ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{_ASSETS}/favicon.png",
        ).body
    )
    scripts = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'" for script in scripts)
    policy = (
        f"default-src 'none'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:  # pyright: ignore[reportUnusedFunction] - the decorator keeps it
        return HTMLResponse(page, headers={"Content-Security-Policy": policy})

    app.mount(_ASSETS, StaticFiles(directory=str(folder)), name="docs-assets")
