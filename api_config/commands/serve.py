"""`twin serve` and `twin config`: publish the town."""

import click
import uvicorn

from api_config.commands.context import CommandContext, command, help_text
from api_config.commands.localized import verb, verb_group
from api_config.environment import old_libraries
from api_config.ogc.stock import stock_configuration
from api_config.serving import ensure_publishable, run_workers

__all__ = ["config_group", "serve_command"]


def serve_command(lang: str) -> click.Command:
    @verb("serve", lang)
    @click.option("--host", help=help_text("serve_host", lang))
    @click.option("--port", type=int, help=help_text("serve_port", lang))
    @click.option("--workers", type=click.IntRange(1), help=help_text("serve_workers", lang))
    @command
    def serve(context: CommandContext, host: str | None, port: int | None, workers: int | None) -> None:
        serve_town(context, host, port, workers)

    return serve


def serve_town(
    context: CommandContext, host: str | None = None, port: int | None = None, workers: int | None = None
) -> None:
    """Serve the town until interrupted; addresses are printed first."""
    settings = context.settings
    host, port, workers = host or settings.host, port or settings.port, workers or settings.workers
    ensure_publishable(context.town, host)
    shown = f"http://{'127.0.0.1' if host in {'0.0.0.0', '::'} else host}:{port}"
    labels = (context.say(f"cli.serve_{name}") for name in ("home", "viewer", "query"))
    addresses = (
        f"{shown}/",
        f"{shown}/viewer/",
        f"{shown}/collections/building/items?limit=3&filter=storeys%20%3E%2020",
    )
    has_viewer = (settings.viewer / "index.html").is_file()
    for label, address in zip(labels, addresses, strict=True):
        if has_viewer or not address.endswith("/viewer/"):
            context.out.print(
                f"  {context.say('cli.pair', name=label, value=address)}", highlight=False, soft_wrap=True
            )
    if not has_viewer:
        context.warn("cli.serve_no_viewer", path=str(settings.viewer))
    for check in old_libraries():
        context.err.print(check.text(context.lang), style="yellow", highlight=False, markup=False, soft_wrap=True)
    run_workers(settings, host, port, workers, uvicorn)


def config_group(lang: str) -> click.Group:
    @verb_group("config", lang)
    def config() -> None: ...

    @config.command("pygeoapi", help=help_text("config_pygeoapi", lang))
    @click.option("--url", default="http://localhost:5000", show_default=True)
    @command
    def pygeoapi(context: CommandContext, url: str) -> None:
        click.echo(stock_configuration(context.town, url))

    return config
