"""An eventlet WSGI service with SQLAlchemy and MySQLdb, with greenpatch as eventlet's guest: requests wait at the same time."""
import os

import _services
from _check import check, check_eq

_services.need("eventlet", "sqlalchemy", "MySQLdb")
with _services.Service(os.path.join(_services.FOLDER, "_eventlet_service.py"), "SOCKET") as service:
    if "TEST_GUEST" in os.environ:
        threads = service.check_serves_at_once()
        check(threads < _services.COUNT, f"{threads} kernel threads")
    else:
        took, _ = service.ask_at_once(0.1)
        check(took >= _services.COUNT * 0.1, f"MySQLdb lets others run natively: {took:.1f} s; what is tested here?")
    service.check_keeps_no_descriptors()
    check_eq(_services.get(service.path, "/open")["checked_out"], 0, "connections that are checked out")
check_eq(service.status, 0, "exit status")
print("ok")
