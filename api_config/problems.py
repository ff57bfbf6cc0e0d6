"""Errors -> problem+json (RFC 9457) that still carries OGC's `code` and `description`, in the client's language."""

import logging
import uuid
from http import HTTPStatus

import orjson
from starlette.requests import Request
from starlette.responses import Response

from twin_model.errors import (
    AccessRefused,
    CalledWrongly,
    NotFound,
    SourceRefused,
    StoreError,
    TwinError,
    VersionConflict,
)

__all__ = ["problem", "problem_of", "unforeseen"]

LOGGER = logging.getLogger("twin")

_STATUS: tuple[tuple[type[TwinError], HTTPStatus, str], ...] = (
    (NotFound, HTTPStatus.NOT_FOUND, "NotFound"),
    (AccessRefused, HTTPStatus.NOT_FOUND, "NotFound"),
    (CalledWrongly, HTTPStatus.BAD_REQUEST, "InvalidParameterValue"),
    (SourceRefused, HTTPStatus.UNPROCESSABLE_ENTITY, "InvalidParameterValue"),
    (VersionConflict, HTTPStatus.CONFLICT, "Conflict"),
    (StoreError, HTTPStatus.SERVICE_UNAVAILABLE, "NoApplicableCode"),
)
"""The one table from class of error to status; the first that fits counts."""


def problem_of(error: TwinError, lang: str, instance: str) -> Response:
    """Return the answer for one of our errors."""
    status, code = next(
        ((s, c) for kind, s, c in _STATUS if isinstance(error, kind)),
        (HTTPStatus.INTERNAL_SERVER_ERROR, "NoApplicableCode"),
    )
    if isinstance(error, AccessRefused):
        LOGGER.info("%s: %s", instance, error)
    return problem(status, code, error.text(lang), instance, rule=error.rule_id)


def problem(
    status: int,
    code: str,
    detail: str,
    instance: str,
    *,
    rule: str = "",
    headers: dict[str, str] | None = None,
) -> Response:
    """Return a problem document; `rule` is the id of the message, stable across languages."""
    title = HTTPStatus(status).phrase
    body = {
        "type": "about:blank",
        "title": title,
        "status": int(status),
        "detail": detail,
        "instance": instance,
        "code": code,
        "description": detail,
    }
    return Response(
        orjson.dumps(body | ({"rule": rule} if rule else {})),
        status,
        headers,
        media_type="application/problem+json",
    )


async def unforeseen(request: Request, error: Exception) -> Response:
    """Log the cause under an id and tell the client only the id: never a stack trace or a database's sentence."""
    mark = uuid.uuid4().hex[:12]
    LOGGER.exception("error %s at %s", mark, request.url.path, exc_info=error)
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "NoApplicableCode",
        f"Something went wrong here. It is logged as {mark}.",
        request.url.path,
    )
