"""Flask and MySQLdb under gunicorn's gevent worker, with greenpatch as its guest: requests wait at the same time."""
import os

import _services
from _check import check, check_eq

_services.need("flask", "gunicorn", "gevent", "MySQLdb")
guest = "TEST_GUEST" in os.environ
with _services.Service("-m", "gunicorn", "-w", "1", "-k", "gevent", "-b", "unix:SOCKET", "--log-level", "warning", "--graceful-timeout", "10",
                       f"_flask_app:{'guest' if guest else 'threads'}()") as service:
    if guest:
        threads = service.check_serves_at_once()
        # gevent has a few for looking names up.
        check(threads < _services.COUNT, f"{threads} kernel threads")
    else:
        took, _ = service.ask_at_once(0.1)
        check(took >= _services.COUNT * 0.1, f"MySQLdb lets others run natively: {took:.1f} s; what is tested here?")
    service.check_keeps_no_descriptors()
check_eq(service.status, 0, "exit status")
print("ok")
