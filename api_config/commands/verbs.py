"""The verbs of `twin`, an entry each: its module is imported when the verb is first asked for.

Who brings in a file need not wait for the server's libraries. What a verb does stands in the module of its name.
"""

from collections.abc import Callable
from dataclasses import dataclass

import click

__all__ = ["VERBS", "Verb"]

Make = Callable[[str], click.Command]
"""Returns the command with its help in a language ("zh" or "en")."""


@dataclass(frozen=True)
class Verb:
    """One verb: its name, and what imports the function that makes its command."""

    name: str
    load: Callable[[], Make]


def _init() -> Make:
    from api_config.commands.town import init_command

    return init_command


def _ingest() -> Make:
    from api_config.commands.ingest import ingest_command

    return ingest_command


def _check() -> Make:
    from api_config.commands.ingest import check_command

    return check_command


def _georeference() -> Make:
    from api_config.commands.georeference import georeference_command

    return georeference_command


def _status() -> Make:
    from api_config.commands.town import status_command

    return status_command


def _findings() -> Make:
    from api_config.commands.findings import findings_command

    return findings_command


def _export() -> Make:
    from api_config.commands.town import export_command

    return export_command


def _history() -> Make:
    from api_config.commands.history import history_command

    return history_command


def _show() -> Make:
    from api_config.commands.history import show_command

    return show_command


def _diff() -> Make:
    from api_config.commands.history import diff_command

    return diff_command


def _revert() -> Make:
    from api_config.commands.history import revert_command

    return revert_command


def _doctor() -> Make:
    from api_config.commands.doctor import doctor_command

    return doctor_command


def _place() -> Make:
    from api_config.commands.place import place_command

    return place_command


def _audit() -> Make:
    from api_config.commands.history import audit_group

    return audit_group


def _backup() -> Make:
    from api_config.commands.backup import backup_command

    return backup_command


def _restore() -> Make:
    from api_config.commands.backup import restore_command

    return restore_command


def _copy() -> Make:
    from api_config.commands.backup import copy_command

    return copy_command


def _mapping() -> Make:
    from api_config.commands.mapping import mapping_group

    return mapping_group


def _tiles() -> Make:
    from api_config.commands.tiles import tiles_group

    return tiles_group


def _config() -> Make:
    from api_config.commands.serve import config_group

    return config_group


def _serve() -> Make:
    from api_config.commands.serve import serve_command

    return serve_command


def _demo() -> Make:
    from api_config.commands.demo import demo_command

    return demo_command


VERBS: tuple[Verb, ...] = (
    Verb("init", _init),
    Verb("ingest", _ingest),
    Verb("check", _check),
    Verb("georeference", _georeference),
    Verb("mapping", _mapping),
    Verb("status", _status),
    Verb("findings", _findings),
    Verb("export", _export),
    Verb("history", _history),
    Verb("show", _show),
    Verb("diff", _diff),
    Verb("revert", _revert),
    Verb("doctor", _doctor),
    Verb("place", _place),
    Verb("audit", _audit),
    Verb("backup", _backup),
    Verb("restore", _restore),
    Verb("copy", _copy),
    Verb("tiles", _tiles),
    Verb("config", _config),
    Verb("serve", _serve),
    Verb("demo", _demo),
)
"""In the order of the help."""
