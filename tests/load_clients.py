"""Clients that ask a service for a while, and what they were answered: a script, for its work is not to share a processor's time.

    python tests/load_clients.py ADDRESS SECONDS CLIENTS PAUSE [--slow NUMBER]   < paths

Each line of the input is a path. Each client asks one path after the other on a connection that stays, with a pause of about PAUSE seconds
between, and looks whether the answer is whole and of its kind. Printed is JSON: answers by status, those that were wrong, times in
milliseconds. `--slow` clients ask for the first path and read a byte a second; their answers are not counted.
"""

import asyncio
import gzip
import json
import random
import sys
import time
from urllib.parse import urlsplit

WRONG_AT_MOST = 20
"""So many wrong answers are shown, of any number."""


class Results:
    def __init__(self) -> None:
        self.statuses: dict[str, int] = {}
        self.wrong: list[str] = []
        self.milliseconds: dict[str, list[float]] = {}

    def add(self, path: str, status: str, headers: dict[str, str], body: bytes, seconds: float) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.milliseconds.setdefault(kind_of(path), []).append(seconds * 1000)
        if not is_sound(status, headers, body):
            self.wrong.append(f"{status} {path} {headers.get('content-type')} {body[:100]!r}")

    def document(self) -> dict[str, object]:
        every = [time for times in self.milliseconds.values() for time in times]
        return {
            "statuses": self.statuses,
            "wrong": len(self.wrong),
            "examples": self.wrong[:WRONG_AT_MOST],
            **percentiles(every),
            "kinds": {kind: percentiles(times) for kind, times in sorted(self.milliseconds.items())},
        }


def kind_of(path: str) -> str:
    """Return which kind of answer a path asks for: what takes long in one is short in another."""
    address, _, query = path.partition("?")
    if "f=html" in query:
        return "page"
    if "filter=" in query or "q=" in query or "bbox=" in query:
        return "search"
    last = address.split("/")[-1]
    return "tile" if "/tiles/" in address else last if "." in last and "json" in last else "items" if query else "item"


def percentiles(milliseconds: list[float]) -> dict[str, float]:
    """Return how many times there are, the middle one and the one that 99 of 100 keep below."""
    ordered = sorted(milliseconds) or [0.0]
    return {"count": len(milliseconds), "p50": ordered[len(ordered) // 2], "p99": ordered[int(len(ordered) * 0.99)]}


def is_sound(status: str, headers: dict[str, str], body: bytes) -> bool:
    """Say whether an answer is whole and what its type says."""
    if status in ("204", "304"):
        return not body
    if status != "200":
        return False
    kind = headers.get("content-type", "")
    content = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
    if "json" in kind:
        return isinstance(json.loads(content), dict)
    if "gltf" in kind:
        return content[:4] == b"glTF" and int.from_bytes(content[8:12], "little") == len(content)
    return b"</html>" in content[-20:] if "html" in kind else len(content) > 0


async def answer_of(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes]:
    """Return status, headers and body of the next answer on a connection."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    status, body = head[0].split()[1], b""
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readexactly(2)
    elif "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    return status, headers, body


async def ask(address: str, paths: list[str], ends: float, pause: float, results: Results) -> None:
    """Be one client until the time is over; a connection that is lost is an answer that is wrong."""
    parts, chance = urlsplit(address), random.Random()
    writer = None
    while time.monotonic() < ends:
        path, begins = chance.choice(paths), time.monotonic()
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept-Encoding: gzip\r\n\r\n".encode())
            status, headers, body = await answer_of(reader)
            results.add(path, status, headers, body, time.monotonic() - begins)
            if headers.get("connection") == "close":
                writer = None
        except (OSError, EOFError) as error:
            writer = None
            results.wrong.append(f"{type(error).__name__} {path}")
        await asyncio.sleep(chance.uniform(0.5, 1.5) * pause)


async def read_slowly(address: str, path: str, ends: float) -> None:
    parts = urlsplit(address)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=64)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
    while time.monotonic() < ends and await reader.read(1):
        await asyncio.sleep(1)


async def main(address: str, seconds: float, clients: int, pause: float, slow: int, paths: list[str]) -> Results:
    ends, results = time.monotonic() + seconds, Results()
    slow_ones = [asyncio.ensure_future(read_slowly(address, paths[0], ends)) for _ in range(slow)]
    await asyncio.gather(asyncio.sleep(seconds), *(ask(address, paths, ends, pause, results) for _ in range(clients)))
    for each in slow_ones:
        each.cancel()
    return results


if __name__ == "__main__":
    SLOW = int(sys.argv[sys.argv.index("--slow") + 1]) if "--slow" in sys.argv else 0
    ASKED = [line.strip() for line in sys.stdin if line.strip()]
    DONE = asyncio.run(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), SLOW, ASKED))
    json.dump(DONE.document(), sys.stdout)
