"""A file replaced all at once: after a crash it is the old one or the new one."""

from __future__ import annotations

import os


def replace_file(path: str, data: bytes, mode: int) -> None:
    """Put `data` in place of the file at `path`, with these permissions; raises OSError.

    It is written beside it, synced, and renamed; `path` is no symbolic link.
    """
    import tempfile  # with all that it brings, for the few who ever write such a file

    folder, name = os.path.split(path)
    descriptor, temporary = tempfile.mkstemp(
        prefix=".headwater-", suffix=os.path.splitext(name)[1], dir=folder
    )
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
