"""Signals and forks while greenlets of gevent wait in C code: handlers run, what they raise ends the wait, a child waits for itself."""
import _signals

_signals.run("gevent")
