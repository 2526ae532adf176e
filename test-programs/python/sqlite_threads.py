"""sqlite3: a C library whose locks are on files, and which waits by sleeping."""
import sqlite3
import tempfile
from _check import *

COUNT = 10
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "db")
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE t (thread INTEGER, n INTEGER)")
    db.close()

    def member(i):
        db = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
        for n in range(10):
            db.execute("BEGIN IMMEDIATE")
            db.execute("INSERT INTO t VALUES (?, ?)", (i, n))
            time.sleep(0.0005)
            db.execute("COMMIT")
        check_eq(db.execute("SELECT count(*) FROM t WHERE thread = ?", (i,)).fetchone(), (10,))
        db.close()

    run_all(COUNT, member)
    db = sqlite3.connect(path)
    check_eq(db.execute("SELECT thread, n FROM t ORDER BY 1, 2").fetchall(), [(i, n) for i in range(COUNT) for n in range(10)])
    check_eq(db.execute("PRAGMA integrity_check").fetchone(), ("ok",))
    db.close()
