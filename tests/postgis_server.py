"""A private PostgreSQL with PostGIS for the tests: its own cluster in a temporary folder, gone when they end.

No service of the system is relied on. PostgreSQL refuses to run as root, so root hands the cluster to an account
without rights; its folder lies directly under the temporary folder, because pytest's own is closed to others.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

__all__ = ["DATABASE", "PostgisServer", "binaries", "running_server"]

DATABASE, _PATTERN = "town", "pattern"
"""The database of a town that asks for none of its own, and the one that all are copied from: nobody connects to it."""
_LIBRARIES = Path("/usr/lib/postgresql")
_ACCOUNTS = ("postgres", "nobody")
_QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""What a cluster that need not outlive a crash does without."""
_SMALL = {
    "shared_buffers": "64MB",
    "max_connections": "60",
    "max_wal_size": "256MB",
    "max_locks_per_transaction": "1024",
    "autovacuum": "off",
}
"""What suits a test that keeps some thousand rows; a measure is made with what PostgreSQL comes with."""

_MEMORY, _ROOM = Path("/dev/shm"), 2 << 30
"""Where a cluster lies that need not outlive a crash, and how many bytes must be free there: containers often have few."""


def binaries() -> Path | None:
    """Return the folder of the newest PostgreSQL that has PostGIS, None where there is none."""
    for folder in sorted(_LIBRARIES.glob("*/bin"), key=lambda one: int(one.parent.name), reverse=True):
        version = folder.parent.name
        control = Path(f"/usr/share/postgresql/{version}/extension/postgis.control")
        if (folder / "initdb").is_file() and control.is_file():
            return folder
    return None


class PostgisServer:
    """A cluster on a unix socket of its own. `durable` writes to the disk as a real one does, for tests that kill it;
    `small` takes little memory; a `port` is listened to on 127.0.0.1 too, for clients that know no sockets."""

    def __init__(
        self,
        folder: Path,
        programs: Path,
        *,
        durable: bool = False,
        small: bool = True,
        port: int | None = None,
    ) -> None:
        self.folder, self._programs, self._port = folder, programs, port
        self._durable, self._small = durable, small

    def url(self, schema: str = "twin", database: str = DATABASE) -> str:
        """Return the address of a town's schema in this server."""
        port = "" if self._port is None else f"&port={self._port}"
        return f"postgresql://twin@/{database}?host={self.folder}{port}&schema={schema}"

    def add_database(self, name: str) -> None:
        """Make a further database with PostGIS: looking into one takes longer with every schema it has."""
        strategy = " STRATEGY file_copy" if self._version >= 15 else ""
        with psycopg.connect(self._plain("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {_PATTERN}{strategy}")

    def start(self) -> None:
        settings = {"listen_addresses": "", "unix_socket_directories": str(self.folder)}
        settings |= (_SMALL if self._small else {}) | ({} if self._durable else _QUICK)
        if self._port is not None:
            settings |= {"listen_addresses": "127.0.0.1", "port": str(self._port)}
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self._cluster), "-o", options, "-l", log, "-w", "-t", "60", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop the server; mode "immediate" leaves it as a power cut would."""
        self._run("pg_ctl", "-D", str(self._cluster), "-m", mode, "-w", "-t", "60", "stop")

    def initialise(self) -> None:
        """Make the cluster, and in it a database with PostGIS that orders texts as a dictionary does, not by code point."""
        options = ("--username=twin", "--encoding=UTF8", "--locale=C.UTF-8", "--auth=trust")
        self._run("initdb", "-D", str(self._cluster), *options, *(() if self._durable else ("--no-sync",)))
        self.start()
        with psycopg.connect(self._plain("postgres"), autocommit=True) as connection:
            dictionary = " LOCALE_PROVIDER icu ICU_LOCALE 'en-US'" if self._version >= 15 else ""
            connection.execute(f"CREATE DATABASE {_PATTERN} TEMPLATE template0{dictionary}")
        with psycopg.connect(self._plain(_PATTERN), autocommit=True) as connection:
            connection.execute("CREATE EXTENSION postgis")
        self.add_database(DATABASE)

    def _plain(self, database: str) -> str:
        return self.url(database=database).partition("&schema=")[0]

    @property
    def _version(self) -> int:
        return int(self._programs.parent.name)

    @property
    def _cluster(self) -> Path:
        return self.folder / "cluster"

    def _run(self, program: str, *arguments: str) -> None:
        # Output goes to a file: a server that inherits a pipe would keep it open for ever.
        with tempfile.TemporaryFile() as told:
            command = [*_as_somebody_else(), str(self._programs / program), *arguments]
            done = subprocess.run(command, stdout=told, stderr=told, stdin=subprocess.DEVNULL, cwd="/", check=False)
            told.seek(0)
            assert done.returncode == 0, f"{program}: {told.read().decode(errors='replace')}"


def _account() -> str | None:
    """Return an account without rights for a cluster that root starts, None where we are not root."""
    if os.geteuid() != 0:
        return None
    known = {one.pw_name for one in pwd.getpwall()}
    return next(name for name in _ACCOUNTS if name in known)


def _as_somebody_else() -> list[str]:
    account = _account()
    return (
        []
        if account is None
        else ["setpriv", f"--reuid={account}", "--clear-groups", f"--regid={pwd.getpwnam(account).pw_gid}"]
    )


@contextmanager
def running_server(*, durable: bool = False, small: bool = True, port: int | None = None) -> Iterator[PostgisServer]:
    """Run a cluster in a temporary folder, in memory where it may; it is stopped and removed whatever happens."""
    programs = binaries()
    assert programs is not None
    in_memory = not durable and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM
    folder = Path(tempfile.mkdtemp(prefix="twin_pg_", dir=_MEMORY if in_memory else "/tmp"))
    account = _account()
    if account is not None:
        shutil.chown(folder, account)
    folder.chmod(0o755)
    server = PostgisServer(folder, programs, durable=durable, small=small, port=port)
    try:
        server.initialise()
        yield server
    finally:
        if (folder / "cluster" / "postmaster.pid").exists():
            server.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)
