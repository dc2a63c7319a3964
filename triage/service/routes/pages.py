"""The console and the docs, none of which loads anything from another host."""

from importlib import resources
from pathlib import Path

import fastapi_offline
from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

CONSOLE = Path(str(resources.files("triage.service"))) / "console"
DOCS_ASSETS = Path(fastapi_offline.__file__).parent / "static"


def add_pages(app: FastAPI) -> None:
    """Add `/`, `/docs` and the files that they need."""

    @app.get("/", include_in_schema=False)
    async def console() -> FileResponse:
        return FileResponse(CONSOLE / "index.html")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(CONSOLE / "docs.html")

    app.mount("/console", StaticFiles(directory=CONSOLE), name="console")
    app.mount("/docs-assets", StaticFiles(directory=DOCS_ASSETS), name="docs-assets")
