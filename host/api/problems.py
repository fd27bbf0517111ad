"""Errors of the API: RFC 9457 application/problem+json, with `code` and `where`, validation errors too."""

from __future__ import annotations

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from host.errors import StoreUnavailable
from specs.masking import mask_text

log = structlog.get_logger("host.api")

_TITLES = {400: "Bad request", 404: "Not found", 405: "Method not allowed", 409: "Conflict", 422: "Not valid"}


class Problem(Exception):
    """An answer that says what is wrong. code: one word for programs; where: JSON pointer or parameter name."""

    def __init__(self, status: int, code: str, detail: str, where: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.where = where


def _answer(status: int, code: str, detail: str, where: str) -> JSONResponse:
    body = {"type": "about:blank", "title": _TITLES.get(status, "Error"), "status": status}
    # What the caller sent is told back, and may be a card number in a path, a query or a journal.
    body |= {"detail": mask_text(detail), "code": code, "where": mask_text(where)}
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Make every error of the app one shape."""

    @app.exception_handler(Problem)
    async def _problem(_request: Request, error: Problem) -> JSONResponse:
        return _answer(error.status, error.code, error.detail, error.where)

    @app.exception_handler(StoreUnavailable)
    async def _store(_request: Request, error: StoreUnavailable) -> JSONResponse:
        return _answer(503, "store-unavailable", str(error), "")

    @app.exception_handler(RequestValidationError)
    async def _validation(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = "/".join(str(part) for part in first["loc"])
        return _answer(422, "validation", str(first["msg"]), where)

    @app.exception_handler(Exception)
    async def _ours(request: Request, error: Exception) -> JSONResponse:
        # Our own mistake: the log has the place, the answer has none of the values.
        log.error("a request failed", path=mask_text(request.url.path), error=type(error).__name__)
        return _answer(500, "internal", "the host made a mistake; its log says where", "")

    @app.exception_handler(HTTPException)
    async def _http(_request: Request, error: HTTPException) -> JSONResponse:
        code = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "http")
        return _answer(error.status_code, code, str(error.detail), "")
