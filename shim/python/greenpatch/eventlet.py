"""Guest of eventlet: `import greenpatch.eventlet`, the first import of the program, before or after eventlet.monkey_patch().

From then on, C code that blocks lets the other green threads of its hub run. Patching by eventlet is still needed for what
is not a system call: threading.local, locks and queues that green threads share.

Importing serves the thread that imports, usually the main thread. Another thread that runs a hub of its own calls install().
"""

from __future__ import annotations

import os
from typing import Any, Callable, List, Optional

import eventlet
from eventlet import hubs
from greenlet import getcurrent

from greenpatch._guest import READY, TIMED_OUT, pass_descriptor, register
from greenpatch._guest import unregister as uninstall

__all__ = ["install", "uninstall"]

_POLLIN, _POLLOUT = 1, 4


def _is_hub() -> bool:
    return getcurrent() is hubs.get_hub().greenlet


def _wait(fd: int, events: int, timeout: Optional[float]) -> int:
    if fd < 0:
        eventlet.sleep(3600.0 if timeout is None else timeout)
        return TIMED_OUT if timeout is not None else READY
    hub = hubs.get_hub()
    current = getcurrent()
    over = False

    def switch(answer: int) -> None:
        # The hub calls what it has found ready before the first of it ended this wait.
        if not over:
            current.switch(answer)

    def ready(_fd: int) -> None:
        switch(READY)

    timer: Any = None
    listeners: List[Any] = []
    copies: List[int] = []
    try:
        if timeout is not None:
            timer = hub.schedule_call_global(timeout, switch, TIMED_OUT)
        for kind, asked in ((hub.READ, events & _POLLIN), (hub.WRITE, events & _POLLOUT)):
            if asked:
                number = fd
                if fd in hub.listeners[kind]:
                    # A descriptor can have one listener for each direction.
                    number = os.dup(fd)
                    copies.append(number)
                listeners.append(hub.add(kind, number, ready, current.throw, None))
        answer: int = hub.switch()
        return answer
    finally:
        over = True
        for listener in listeners:
            hub.remove(listener)
        for number in copies:
            os.close(number)
        if timer is not None:
            timer.cancel()


def _later(function: Callable[[], None]) -> None:
    hubs.get_hub().schedule_call_global(0, function)


def _descriptor(hub: Any) -> Optional[int]:
    """What the hub waits on, if that is a descriptor."""
    poll = getattr(hub, "poll", None) or getattr(getattr(hub, "loop", None), "_selector", None)
    fileno = getattr(poll, "fileno", None)
    return fileno() if fileno is not None else None


def install() -> None:
    """Makes the calling thread's eventlet hub the one that waits.

    Raises greenpatch.NotLoadedError if the library is not preloaded, or cannot serve this thread.
    """
    register(_wait, _is_hub, _later)
    fd = _descriptor(hubs.get_hub())
    if fd is not None:
        pass_descriptor(fd)


install()
