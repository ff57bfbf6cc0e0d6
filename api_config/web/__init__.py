"""What every route stands on: the request as a `Call`, answers with ETag and coding, problems, cursors, cached features.

Not here: the routes (`api_config/routes/`), pages for people (`api_config/pages/`), pygeoapi (`api_config/ogc/`).

    call = Call(request)                                # language, parameters, view of this request
    return await answer_json(request, content, max_age=60)
"""

__all__ = ["answer", "call", "cursor", "feature_cache", "problems", "properties", "schema"]
