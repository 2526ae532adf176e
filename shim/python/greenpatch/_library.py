"""The preloaded library: whether it is there, what it says, and where its file may be."""

from __future__ import annotations

import ctypes
import os
from typing import Any, Iterator, Optional

#: Of this package. A library of the same first two numbers has all that it calls.
VERSION = "0.1.0"
NAME = "libgreenpatch.so"

# Of PyDLL, not CDLL: the GIL is kept, since none of the calls waits.
_process: Any = ctypes.PyDLL(None, use_errno=True)

WaitFunction = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_longlong, ctypes.c_void_p)


class NotLoadedError(ImportError):
    """The library is not preloaded in this process, or not one that can do what was asked."""

    # As users know it: tracebacks print it.
    __module__ = "greenpatch"


def is_loaded() -> bool:
    """Whether the library is preloaded in this process, even if it is switched off by GREENPATCH=off."""
    return hasattr(_process, "greenpatch_version")


def version() -> str:
    """The version of the preloaded library, "" without one."""
    if not is_loaded():
        return ""
    function = _process.greenpatch_version
    function.restype = ctypes.c_char_p
    said: Optional[bytes] = function()
    return (said or b"").decode()


def is_patched(module: str) -> bool:
    """Whether the calls of a module ("socket", "select", "time", … or a name of gevent's, as "ssl") let others run, for the
    thread that asks. False without the library.

    Raises ValueError for a name that the library does not know.
    """
    if not is_loaded():
        return False
    function = _process.greenpatch_is_patched
    function.argtypes, function.restype = [ctypes.c_char_p], ctypes.c_int
    answer: int = function(module.encode())
    if answer < 0:
        raise ValueError(f"greenpatch has no module {module!r}")
    return answer == 1


def guest_function(name: str) -> Any:
    """One of the library's functions for guest mode."""
    if not is_loaded():
        raise NotLoadedError(how_to_start())
    loaded = version()
    if loaded.split(".")[:2] != VERSION.split(".")[:2] or not hasattr(_process, name):
        raise NotLoadedError(
            f"the preloaded {_preloaded()} is version {loaded or 'unknown'}, the Python package greenpatch is {VERSION}: "
            "take both from one checkout (cargo build --release; pip install ./shim/python)"
        )
    return getattr(_process, name)


def _preloaded() -> str:
    """What LD_PRELOAD names, which need not have been loaded."""
    for path in os.environ.get("LD_PRELOAD", "").replace(":", " ").split():
        if NAME in os.path.basename(path):
            return path
    return ""


def how_to_start() -> str:
    if _preloaded():
        return (
            f"LD_PRELOAD names {_preloaded()}, but the dynamic linker has not loaded it: the line that it printed at the start of the "
            "program says why. Without it, C code would block all greenlets."
        )
    return (
        "greenpatch is not loaded in this process, so C code would block all greenlets. Start the program with\n"
        "    python -m greenpatch --guest app.py      (or: -m module)\n"
        "which is short for\n"
        f"    LD_PRELOAD={find_library() or '/path/to/' + NAME} GREENPATCH_GUEST=1 python app.py"
    )


def _candidates() -> Iterator[str]:
    package = os.path.dirname(os.path.abspath(__file__))
    # As pip installs it, and as it lies in a checkout: shim/python/greenpatch.
    yield os.path.join(package, NAME)
    checkout = os.path.dirname(os.path.dirname(os.path.dirname(package)))
    if os.path.exists(os.path.join(checkout, "shim", "include", "greenpatch.h")):
        target = os.environ.get("CARGO_TARGET_DIR") or os.path.join(checkout, "target")
        yield os.path.join(target, "release", NAME)


def find_library() -> Optional[str]:
    """The path of libgreenpatch.so: what GREENPATCH_LIBRARY names, else the one next to this package, else the one that has
    been built in the checkout that this package lies in. None if there is none.

    Raises FileNotFoundError if GREENPATCH_LIBRARY names a file that does not exist.
    """
    named = os.environ.get("GREENPATCH_LIBRARY")
    if named:
        if not os.path.isfile(named):
            raise FileNotFoundError(f"GREENPATCH_LIBRARY names {named}, which does not exist")
        return os.path.abspath(named)
    for path in _candidates():
        if os.path.isfile(path):
            return path
    return None
