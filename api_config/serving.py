"""Running the app in worker processes, and what is checked before it starts."""

import os
from typing import Any

from api_config.settings import Settings
from api_config.web.bounded_protocol import BoundedProtocol
from api_config.web.reach import is_loopback
from twin_model.errors import CalledWrongly
from twin_model.store.freshness import holds_features
from twin_model.town import Town

__all__ = ["ensure_publishable", "run_workers"]

_BEGINNING_SECONDS = 30
"""How long a new worker may take to be ready, and a busy one to give a sign of life, before it is given up: on a machine
under load five seconds, uvicorn's own limit, are too few, and workers were never renewed."""


def ensure_publishable(town: Town, host: str) -> None:
    """Refuse to publish pipelines on an address that is not loopback unless `town.toml` says so."""
    if is_loopback(host) or town.settings.publish_underground:
        return
    open_layers = [
        layer.id
        for layer in town.catalogue
        if layer.underground and layer.id not in town.settings.closed and holds_features(town.store, layer.id)
    ]
    if open_layers:
        raise CalledWrongly("serve.underground", host=host, layers=open_layers, path=str(town.path / "town.toml"))


def run_workers(settings: Settings, host: str, port: int, workers: int, uvicorn: Any) -> None:
    """Run uvicorn until it is interrupted; each worker opens the town for itself."""
    os.environ["TWIN_TOWN"] = str(settings.town.resolve())
    for name, value in (
        ("TWIN_HOST", host),
        ("TWIN_PROXIES", ",".join(settings.proxies)),
        ("TWIN_HOSTS", ",".join(settings.hosts)),
        ("TWIN_ORIGINS", ",".join(settings.origins)),
        ("TWIN_URL", settings.url),
        ("TWIN_LANG", settings.lang),
        ("TWIN_VIEWER", str(settings.viewer)),
    ):
        if value:
            os.environ[name] = value
    uvicorn.run(
        "api_config.app:app_from_environment",
        factory=True,
        host=host,
        port=port,
        workers=workers if workers > 1 else None,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
        timeout_worker_healthcheck=_BEGINNING_SECONDS,
        http=BoundedProtocol,
        limit_concurrency=1_000,
    )
