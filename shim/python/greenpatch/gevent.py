"""Guest of gevent: `import greenpatch.gevent`, the first import of the program, before or after gevent's monkey patching.

From then on, C code that blocks lets the other greenlets of its hub run. Patching by gevent is still needed for what is not
a system call: threading.local, locks and queues that greenlets share, and subprocesses.

Importing serves the thread that imports, usually the main thread. Another thread that runs a hub of its own calls install().
"""

from __future__ import annotations

from typing import Callable, Optional

import gevent
import gevent.hub
from gevent._hub_local import get_hub_if_exists
from gevent._waiter import Waiter
from greenlet import getcurrent

from greenpatch._guest import READY, TIMED_OUT, pass_descriptor, register
from greenpatch._guest import unregister as uninstall

__all__ = ["install", "uninstall"]

_POLLIN, _POLLOUT = 1, 4
_READ, _WRITE = 1, 2


def _is_hub() -> bool:
    # Without a hub there is nobody to switch to. None is made for this: where gevent has one, it does other things as well
    # in its own way, as closing descriptors.
    hub = get_hub_if_exists()
    if hub is None:
        return True
    if getcurrent() is not hub:
        return False
    fileno = getattr(hub.loop, "fileno", lambda: None)()
    if fileno is not None:
        pass_descriptor(fileno)
    return True


def _wait(fd: int, events: int, timeout: Optional[float]) -> int:
    if fd < 0:
        # A loop without an end has no other event to wait for; woken early, the sleep is asked for again.
        gevent.sleep(3600.0 if timeout is None else timeout)
        return TIMED_OUT if timeout is not None else READY
    hub = gevent.get_hub()
    waiter = Waiter(hub)
    mask = (_READ if events & _POLLIN else 0) | (_WRITE if events & _POLLOUT else 0)
    ready = hub.loop.io(fd, mask or _READ)
    timer = None
    try:
        if timeout is not None:
            timer = hub.loop.timer(timeout)
            timer.start(waiter.switch, TIMED_OUT)
        ready.start(waiter.switch, READY)
        answer: int = waiter.get()
        return answer
    finally:
        ready.stop()
        ready.close()
        if timer is not None:
            timer.stop()
            timer.close()


def _later(function: Callable[[], None]) -> None:
    gevent.get_hub().loop.run_callback(function)


def install() -> None:
    """Makes the calling thread's gevent hub the one that waits.

    Raises greenpatch.NotLoadedError if the library is not preloaded, or cannot serve this thread.
    """
    register(_wait, _is_hub, _later)


install()
