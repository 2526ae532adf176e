"""Blocking C drivers, cooperative: the Python side of libgreenpatch.so.

The library must be preloaded, which `python -m greenpatch app.py` does. Then there are two ways:

- Nothing to import: the threads of the program are green threads on one kernel thread.
- Under gevent or eventlet, as the first line of the program: `import greenpatch.gevent` or `import greenpatch.eventlet`.
  Where C code would block the kernel thread, the other greenlets run.

For other hubs there is `register()`.
"""

from greenpatch._guest import GIVE_UP, PASS, READY, TIMED_OUT, pass_descriptor, register, unregister
from greenpatch._library import VERSION as __version__
from greenpatch._library import NotLoadedError, find_library, is_loaded, is_patched, version

__all__ = [
    "GIVE_UP",
    "PASS",
    "READY",
    "TIMED_OUT",
    "NotLoadedError",
    "find_library",
    "is_loaded",
    "is_patched",
    "pass_descriptor",
    "register",
    "unregister",
    "version",
]
