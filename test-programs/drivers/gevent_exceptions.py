"""An exception thrown into a greenlet of gevent that waits in C code reaches its Python code, whatever the C code makes of it."""
import _exceptions

_exceptions.run("gevent")
