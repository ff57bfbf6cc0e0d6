"""What the geometry kernel writes to the terminal past Python is dropped, what others write is not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.ifc.terminal import quiet_terminal

ROOT = Path(__file__).resolve().parents[2]


def test_what_is_written_past_python_is_dropped_while_the_kernel_works(capfd: pytest.CaptureFixture[str]) -> None:
    print("before", file=sys.stderr)
    with quiet_terminal():
        os.write(2, b"local z: -8.3e-17,-3e-17,1\n")
    with pytest.raises(ZeroDivisionError), quiet_terminal():
        raise ZeroDivisionError
    os.write(2, b"after\n")

    assert capfd.readouterr().err == "before\nafter\n"


def test_what_python_writes_meanwhile_reaches_the_terminal() -> None:
    """In a process of its own: pytest puts a stream of its own in the place of `sys.stderr`."""
    script = """
import ctypes, os, sys
from ingest.ifc.terminal import quiet_terminal
with quiet_terminal():
    print("进度 1", file=sys.stderr)
    os.write(2, b"local z")
    os.write(1, b"local z")
    ctypes.CDLL(None).puts(b"kept in a buffer of C")
    with quiet_terminal():
        print("进度 2", file=sys.stderr)
print("进度 3", file=sys.stderr)
print("结果")
"""

    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)

    assert done.stdout == "结果\n"
    assert done.stderr == "进度 1\n进度 2\n进度 3\n"
