"""The FastAPI application: offline docs, one error shape, the desk and the controls."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from host.api import problems, routes
from host.api.control import Control
from host.desk import Desk


def make_app(desk: Desk, control: Control) -> FastAPI:
    """Build the application over a desk (reads) and a control (everything that changes something)."""
    app: FastAPI = FastAPIOffline(
        title="Closeout acquirer host", version=str(control.version()["version"]), redoc_url=None
    )
    app.state.desk = desk
    app.state.control = control
    problems.install(app)
    app.include_router(routes.root)
    app.include_router(routes.api)
    return app
