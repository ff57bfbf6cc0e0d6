"""What nobody foresaw, written down for whoever mends it: a user sees a sentence that names the file."""

import os
import tempfile
import traceback

__all__ = ["write_error_log"]


def write_error_log(error: BaseException) -> str:
    """Return the path of a new file with the traceback of an error, which only its owner may read: it may name data."""
    descriptor, path = tempfile.mkstemp(prefix="twin-error-", suffix=".log")
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(traceback.format_exception(error))
    return path
