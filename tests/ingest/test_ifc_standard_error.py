"""What the geometry kernel writes to the terminal past Python is dropped, what others write is not."""

import os
import sys

import pytest

from ingest.ifc.standard_error import quiet_standard_error


def test_what_is_written_past_python_is_dropped_while_the_kernel_works(capfd: pytest.CaptureFixture[str]) -> None:
    print("before", file=sys.stderr)
    with quiet_standard_error():
        os.write(2, b"local z: -8.3e-17,-3e-17,1\n")
    with pytest.raises(ZeroDivisionError), quiet_standard_error():
        raise ZeroDivisionError
    os.write(2, b"after\n")

    assert capfd.readouterr().err == "before\nafter\n"
