"""Flask and MySQLdb under gunicorn with threads (gthread): requests wait at the same time, with green threads on one kernel thread."""
import os

import _services
from _check import check, check_eq

_services.need("flask", "gunicorn", "MySQLdb")
with _services.Service("-m", "gunicorn", "-w", "1", "-k", "gthread", "--threads", "30", "-b", "unix:SOCKET", "--log-level", "warning",
                       "--graceful-timeout", "10", "_flask_app:threads()") as service:
    threads = service.check_serves_at_once()
    check(threads == 1 if "TEST_GREEN" in os.environ else threads >= _services.COUNT, f"{threads} kernel threads")
    service.check_keeps_no_descriptors()
check_eq(service.status, 0, "exit status")
print("ok")
