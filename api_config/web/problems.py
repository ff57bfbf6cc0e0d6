"""Errors -> problem+json (RFC 9457) that still carries OGC's `code` and `description`, in the client's language."""

import logging
import uuid
from collections.abc import Mapping
from http import HTTPStatus

import orjson
from starlette.requests import Request
from starlette.responses import Response

from api_config.web.body import BodyNotJson, BodyTooLong, BodyTooSlow
from api_config.web.lanes import LaneFull, TookTooLong
from twin_model.errors import (
    AccessRefused,
    CalledWrongly,
    NotFound,
    SourceRefused,
    StoreError,
    TwinError,
    VersionConflict,
)
from twin_model.messages import messages, render

__all__ = ["problem", "problem_of", "refusal", "refused_host", "unforeseen"]

LOGGER = logging.getLogger("twin")
_VARY = "Accept, Accept-Language"
_AGAIN_SECONDS = 2
_RULES = {404: "http.not_here", 405: "http.no_method"}
_CODES = {404: "NotFound", 405: "NotAllowed"}

_STATUS: tuple[tuple[type[TwinError], HTTPStatus, str], ...] = (
    (NotFound, HTTPStatus.NOT_FOUND, "NotFound"),
    (AccessRefused, HTTPStatus.NOT_FOUND, "NotFound"),
    (CalledWrongly, HTTPStatus.BAD_REQUEST, "InvalidParameterValue"),
    (SourceRefused, HTTPStatus.UNPROCESSABLE_ENTITY, "InvalidParameterValue"),
    (VersionConflict, HTTPStatus.CONFLICT, "Conflict"),
    (BodyTooLong, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "InvalidParameterValue"),
    (BodyNotJson, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "InvalidParameterValue"),
    (BodyTooSlow, HTTPStatus.REQUEST_TIMEOUT, "NoApplicableCode"),
    (LaneFull, HTTPStatus.SERVICE_UNAVAILABLE, "NoApplicableCode"),
    (TookTooLong, HTTPStatus.SERVICE_UNAVAILABLE, "NoApplicableCode"),
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
    detail = error.text(lang, door="http")
    if isinstance(error, StoreError) and not isinstance(error, VersionConflict):
        detail = render("store.error_http", lang, {"mark": _logged(error, instance)})
    again = {"Retry-After": str(_AGAIN_SECONDS)} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return problem(status, code, detail, instance, lang=lang, rule=error.rule_id, headers=again)


def refusal(status: int, lang: str, request: Request, headers: Mapping[str, str] | None = None) -> Response:
    """Return the answer to a request that no route takes: there is nothing there, or not by this method."""
    values = {"path": request.url.path[:200], "method": request.method}
    detail = render(_RULES[status], lang, values) if status in _RULES else _title(status, lang)
    code = _CODES.get(status, "NoApplicableCode")
    return problem(status, code, detail, request.url.path, lang=lang, headers=headers)


def problem(
    status: int,
    code: str,
    detail: str,
    instance: str,
    *,
    lang: str = "en",
    rule: str = "",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem document; `rule` is the id of the message, stable across languages."""
    title = _title(status, lang)
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
        {"Vary": _VARY, "Cache-Control": "no-cache"} | dict(headers or {}),
        media_type="application/problem+json",
    )


def refused_host(request: Request, lang: str) -> Response:
    """Return the answer to a request for a host that is not ours: links of an answer would lead there."""
    detail = render("http.unknown_host", lang, {"host": request.headers.get("host", "")[:100]})
    return problem(HTTPStatus.MISDIRECTED_REQUEST, "NoApplicableCode", detail, request.url.path, lang=lang)


def unforeseen(request: Request, lang: str, error: Exception) -> Response:
    """Log the cause under an id and tell the client only the id: never a stack trace or a database's sentence."""
    mark = _logged(error, request.url.path)
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "NoApplicableCode",
        render("http.unforeseen", lang, {"mark": mark}),
        request.url.path,
        lang=lang,
    )


def _logged(error: Exception, path: str) -> str:
    """Write an error into the log and return the mark by which it is found there: a client is told nothing else of it."""
    mark = uuid.uuid4().hex[:12]
    LOGGER.error("error %s at %s", mark, path, exc_info=error)
    return mark


def _title(status: int, lang: str) -> str:
    """Return the title of a status: the phrase of HTTP in English, its translation in Chinese."""
    rule = f"http_title.{int(status)}"
    return render(rule, lang, {}) if lang == "zh" and rule in messages(lang) else HTTPStatus(status).phrase
