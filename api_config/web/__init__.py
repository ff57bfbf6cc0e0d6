"""What every route stands on: the request as a `Call`, answers with ETag and coding, problems, cursors, cached features.

Not here: the routes (`api_config/routes/`), pages for people (`api_config/pages/`), pygeoapi (`api_config/ogc/`).

    call = Call(request)                                # language, parameters, view of this request
    raise QueryRefused("query.refused")                 # problems: a status, a sentence, never a path of ours
"""

__all__ = [
    "answer",
    "call",
    "change_days",
    "cursor",
    "family",
    "feature_cache",
    "openapi",
    "problems",
    "properties",
    "schema",
]
