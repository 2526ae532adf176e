"""Guest mode: the hub that this thread has (gevent's, eventlet's, …) waits in place of the kernel.

    driver in C ─▶ libc ─▶ libgreenpatch.so ─▶ a ctypes callback ─▶ wait(fd, events, timeout) ─▶ the hub ─▶ other greenlets

The driver has released the GIL around its call; the callback takes it with PyGILState_Ensure, as ctypes does, on the thread
state that the driver released. greenlet sees the frames of ctypes and of the driver as part of the waiting greenlet's C stack.
Each callback finds and leaves the GIL released, so it doesn't matter in which order the waits of several greenlets end.

Exceptions
----------
While it waits, a greenlet may be thrown an exception: gevent.Timeout, GreenletExit by kill(). It can't be raised through the
C code. So the callback keeps it and answers "given up"; the call fails with ECANCELED, the driver cleans up and comes
back to Python, most likely with an error of its own ("lost connection"). At this very place the kept exception is raised instead:
the callback has set a trace function (sys.settrace, f_trace) for the one Python frame that called the driver. The
interpreter calls it on the driver's exception, before it looks for handlers, or, had the driver come back without an error, at
the frame's next instruction. So nobody can mistake a timeout for a lost connection, and none is missed.

Until then the thread doesn't leave the greenlet: whatever else the driver wants to wait for on its way out is
given up too. A debugger's or a coverage tool's trace function is put back afterwards.

A driver function that is itself the greenlet's function, as in gevent.spawn(connection.query, …), has no Python frame above
it; there the driver's own error is what the greenlet ends with.
"""

from __future__ import annotations

import atexit
import ctypes
import errno
import os
import sys
from types import FrameType
from typing import Any, Callable, Dict, Optional

from greenpatch._library import NotLoadedError, WaitFunction, guest_function

#: Answers of a callback: the descriptor is ready, or just: try again.
READY = 1
#: The time is over.
TIMED_OUT = 0
#: No longer waited for: the call fails with ECANCELED.
GIVE_UP = -1
#: The kernel is to wait, and the whole thread with it. The answer of a hub that is asked to wait for itself.
PASS = -2

Wait = Callable[[int, int, Optional[float]], int]

_KEY = "greenpatch"
_find_thread_dict = ctypes.pythonapi.PyThreadState_GetDict
# A borrowed reference, which ctypes would take for one of its own.
_find_thread_dict.restype = ctypes.c_void_p
# gevent's and eventlet's get_ident() tells greenlets apart.
_current_thread = ctypes.pythonapi.PyThread_get_thread_ident
_current_thread.restype = ctypes.c_ulong


def _thread_dict() -> Dict[str, _Guest]:
    """What the interpreter keeps for the calling kernel thread, whoever has patched threading.local."""
    found: Dict[str, _Guest] = ctypes.cast(_find_thread_dict(), ctypes.py_object).value
    return found


class _Guest:
    """What one kernel thread has registered. It lives in the thread state's own dictionary, since threading.local may be
    patched to be a greenlet's; as that is emptied when the thread ends, the registration ends with it. So nothing that
    this holds may refer to it: the collector runs in any thread."""

    def __init__(self, callback: _Callback) -> None:
        self._thread: Optional[int] = None
        # Must live as long as it may be called.
        self._function = WaitFunction(callback.called)

    def begin(self) -> None:
        function = guest_function("greenpatch_guest")
        function.argtypes, function.restype = [WaitFunction, ctypes.c_void_p], ctypes.c_int
        ctypes.set_errno(0)
        if function(self._function, None) != 0:
            raise NotLoadedError(_refusal(ctypes.get_errno()))
        self._thread = _current_thread()

    def end(self) -> None:
        thread, self._thread = self._thread, None
        if thread == _current_thread():
            function = guest_function("greenpatch_guest")
            function.argtypes, function.restype = [ctypes.c_void_p, ctypes.c_void_p], ctypes.c_int
            function(None, None)
        elif thread is not None:
            # In the child of a fork, or at the interpreter's end: that thread is gone, or may still come to wait. Only it
            # could end its registration.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._function))

    def __del__(self) -> None:
        self.end()


class _Callback:
    """The code of a callback, and what it keeps from one call to the next."""

    def __init__(self, wait: Wait, is_hub: Callable[[], bool], later: Optional[Callable[[Callable[[], None]], None]]) -> None:
        self._wait = wait
        self._is_hub = is_hub
        self._later = later
        # The frame that is to raise an exception as soon as it runs again.
        self._raising: Optional[FrameType] = None

    def called(self, fd: int, events: int, timeout_ns: int, _data: Optional[int]) -> int:
        """The callback. No exception may leave it."""
        # What the hub itself waits for must not fail.
        answer = PASS
        try:
            if self._raising is not None and self._is_still_raising():
                return GIVE_UP
            if self._is_hub():
                return PASS
            answer = GIVE_UP
            return self._wait(fd, events, None if timeout_ns < 0 else timeout_ns / 1e9)
        except BaseException as error:
            caller = sys._getframe().f_back
            if caller is not None:
                self._raise_in(caller, error)
            return answer

    def _is_still_raising(self) -> bool:
        """Whether the frame that is to raise is among the callers of the callback."""
        frame: Optional[FrameType] = sys._getframe(2) if sys._getframe(1).f_back else None
        while frame is not None and frame is not self._raising:
            frame = frame.f_back
        return frame is not None

    def _raise_in(self, frame: FrameType, error: BaseException) -> None:
        """Has `error` raised in `frame` as soon as that runs."""
        before = sys.gettrace()

        def in_frame(_frame: FrameType, _event: str, _arg: Any) -> Any:
            self._raising = None
            frame.f_trace_opcodes = False
            # The interpreter takes a trace function that raises away, and after this function has returned.
            if before is not None and self._later is not None:
                self._later(lambda: sys.settrace(before))
            raise error

        def in_others(_frame: FrameType, _event: str, _arg: Any) -> None:
            return None

        self._raising = frame
        frame.f_trace, frame.f_trace_opcodes = in_frame, True
        sys.settrace(in_others)


def _refusal(number: int) -> str:
    if number == errno.EBUSY:
        return (
            "the program's threads are green threads of greenpatch already, and one kernel thread can have one hub only: "
            "start the program with `python -m greenpatch --guest` (GREENPATCH_GUEST=1), or leave the other hub out"
        )
    if number == errno.EAGAIN:
        return (
            "the program has started threads already, and system calls are not redirected yet: "
            "start it with `python -m greenpatch --guest` (GREENPATCH_GUEST=1)"
        )
    if number == errno.ENOTSUP:
        return "greenpatch is switched off (GREENPATCH=off), or cannot redirect system calls on this system"
    return f"greenpatch_guest: {os.strerror(number)}"


def register(
    wait: Wait,
    is_hub: Callable[[], bool] = lambda: False,
    later: Optional[Callable[[Callable[[], None]], None]] = None,
) -> None:
    """Has the calling kernel thread's blocking calls wait by `wait`, for a hub other than gevent's and eventlet's.

    `wait(fd, events, timeout)` runs on the stack of whoever called the driver. It lets other greenlets run until the
    descriptor is ready for `events` (select.POLLIN, select.POLLOUT, or both), or until `timeout` seconds have passed (None: for ever), and
    returns READY, TIMED_OUT, GIVE_UP or PASS. With `fd` -1 it sleeps; a sleep of 0 lets the others run once. The descriptor may be one of the
    library's own: it is to be polled, not read. An exception that it raises gives the call up, and is raised again where Python code goes on.

    `is_hub()` tells whether the caller is the hub itself, whose calls are the kernel's. `later(function)` has the hub call a
    function soon; with it, a debugger's trace function is put back after an exception.

    Each kernel thread that has a hub registers for itself. Registering again replaces what was there.

    Raises NotLoadedError with the reason if the library can't do it.
    """
    unregister()
    guest = _Guest(_Callback(wait, is_hub, later))
    guest.begin()
    _thread_dict()[_KEY] = guest


def unregister() -> None:
    """Ends what register() began, for the calling kernel thread. Its blocking calls block again."""
    guest = _thread_dict().pop(_KEY, None)
    if guest is not None:
        guest.end()


def pass_descriptor(fd: int) -> None:
    """Leaves this thread's waits on a descriptor to the kernel, until it is closed: the epoll descriptor of the hub. It saves
    asking is_hub() each time."""
    function = guest_function("greenpatch_guest_pass")
    function.argtypes, function.restype = [ctypes.c_int], ctypes.c_int
    if function(fd) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


# After this, the interpreter is not there to be called back.
atexit.register(unregister)
