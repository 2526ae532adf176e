"""gevent and eventlet behind the same few names, with greenpatch as their guest where it is preloaded (TEST_GUEST set).

use(name) is called first, before anything else is imported: it patches Python and returns what the programs use."""

import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(FOLDER))
sys.path[:0] = [os.path.join(ROOT, "test-programs", "python"), os.path.join(ROOT, "shim", "python")]
GUEST = "TEST_GUEST" in os.environ


class Greenlets:
    """spawn(function, *args) has dead, kill(); join(greenlets) waits; Timeout is a context manager that raises itself."""

    def result(self, function, *args, patience=20):
        """What a function returns, in a greenlet of its own."""
        got = []
        self.join([self.spawn(lambda: got.append(function(*args)))], patience)
        return got[0] if got else None


class Gevent(Greenlets):
    def __init__(self):
        import gevent
        import gevent.monkey
        gevent.monkey.patch_all()
        self.spawn, self.sleep, self.Timeout, self.Killed = gevent.spawn, gevent.sleep, gevent.Timeout, gevent.GreenletExit
        self.original = gevent.monkey.get_original

    def join(self, greenlets, patience=20):
        import gevent
        gevent.joinall(greenlets, timeout=patience)

    def kill(self, greenlet):
        greenlet.kill(block=False)

    def install(self):
        import greenpatch.gevent


class Eventlet(Greenlets):
    def __init__(self):
        import eventlet
        import greenlet
        eventlet.monkey_patch()
        self.spawn, self.sleep, self.Timeout, self.Killed = eventlet.spawn, eventlet.sleep, eventlet.Timeout, greenlet.GreenletExit
        self.original = lambda module, name: getattr(eventlet.patcher.original(module), name)

    def join(self, greenlets, patience=20):
        import eventlet
        with eventlet.Timeout(patience, False):
            for greenlet in greenlets:
                try:
                    greenlet.wait()
                except self.Killed:
                    pass

    def kill(self, greenlet):
        greenlet.kill()

    def install(self):
        import greenpatch.eventlet


def use(name):
    from _check import check, check_eq, skip
    try:
        greenlets = {"gevent": Gevent, "eventlet": Eventlet}[name]()
    except ImportError as error:
        skip(f"{error}: install python3-{name}")
    import greenpatch
    if not GUEST:
        # Everything else here needs the library: how to get it is what a program without it must say.
        try:
            greenlets.install()
        except greenpatch.NotLoadedError as error:
            check("python -m greenpatch --guest" in str(error), str(error))
            check(isinstance(error, ImportError), "not an ImportError")
        else:
            check(False, f"greenpatch.{name} does not miss the library")
        check_eq((greenpatch.is_loaded(), greenpatch.version(), greenpatch.is_patched("socket")), (False, "", False))
        sys.exit(0)
    greenlets.install()
    check(greenpatch.is_patched("socket"), "the module socket is off")
    check(not greenpatch.is_patched("thread"), "the module thread is on")
    return greenlets
