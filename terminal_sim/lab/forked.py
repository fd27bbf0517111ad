"""What a process that was forked from a loaded one does first: its own streams and environment, then the command."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import NoReturn

FRESH = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
GROWING = os.O_WRONLY | os.O_CREAT | os.O_APPEND


def become(
    command: Callable[[], object],
    words: list[str],
    environment: Mapping[str, str],
    out: str,
    err: str,
    *,
    flags: int = FRESH,
    folder: str = "",
) -> NoReturn:
    """Run a command line, words[0] its name, and end with its exit code; out, err: files. Called in the fork, never
    comes back into what the parent was doing."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # as a process of its own has it
        if folder:
            os.chdir(folder)
        for number, path, how in ((0, os.devnull, os.O_RDONLY), (1, out, flags), (2, err, flags)):
            handle = os.open(path, how, 0o600)
            os.dup2(handle, number)
            os.close(handle)
        os.environ.update(environment)
        sys.argv = words
        command()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
