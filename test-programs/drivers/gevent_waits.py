"""C code that waits lets the other greenlets of gevent run."""
import _waits

_waits.run("gevent")
