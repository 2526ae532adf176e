"""C code that waits lets the other greenlets of eventlet run."""
import _waits

_waits.run("eventlet")
