"""Drivers in C under somebody else's hub: queries at the same time, and a timeout in the middle of one."""

import _greenlets

COUNT, SECONDS = 50, 0.5


def run(name):
    green = _greenlets.use(name)
    import os
    import time
    from _check import check, check_eq, kernel_threads, skip

    def mysql():
        import MySQLdb
        return MySQLdb.connect(host=os.environ["TEST_MYSQL_HOST"], port=int(os.environ["TEST_MYSQL_PORT"]), user="root",
                               connect_timeout=20), "SLEEP", 0, MySQLdb.Error

    def postgres():
        import psycopg2
        return psycopg2.connect(host=os.environ["TEST_PG_HOST"], port=int(os.environ["TEST_PG_PORT"]), user=os.environ["TEST_PG_USER"],
                                dbname="postgres", connect_timeout=20), "pg_sleep", "", psycopg2.Error

    tried = 0
    for connect, variable in (mysql, "TEST_MYSQL_PORT"), (postgres, "TEST_PG_PORT"):
        if variable not in os.environ:
            continue
        try:
            connect()[0].close()
        except ImportError as error:
            print(error)
            continue
        tried += 1
        got = {}

        def query(i):
            connection, sleep, slept, _ = connect()
            cursor = connection.cursor()
            cursor.execute(f"SELECT {sleep}({SECONDS}), %s, REPEAT('x', 100000)", (i * 7919,))
            row = cursor.fetchone()
            check_eq((row[0], row[1], len(row[2])), (slept, i * 7919, 100000), "the row")
            got[i] = True
            connection.close()

        # One after another they take COUNT * SECONDS. A machine that is busy elsewhere gets three tries to be quick.
        for _ in range(3):
            got.clear()
            begin = time.monotonic()
            green.join([green.spawn(query, i) for i in range(COUNT)], 60)
            took = time.monotonic() - begin
            check_eq(sorted(got), list(range(COUNT)), "queries with an answer")
            if took < COUNT * SECONDS / 2:
                break
        check(took < COUNT * SECONDS / 2, f"{COUNT} sleeps of {SECONDS} s took {took:.2f} s")
        # gevent and eventlet have a few threads for looking names up.
        check(kernel_threads() < COUNT / 2, f"{kernel_threads()} kernel threads")

        def timed_out():
            connection, sleep, _, error = connect()
            try:
                with green.Timeout(0.1):
                    try:
                        connection.cursor().execute(f"SELECT {sleep}(30)")
                    except error as said:
                        return f"took it for {said!r}"
            except green.Timeout:
                try:
                    connection.close()
                except error:
                    pass
                return "timeout"

        for _ in range(3):
            check_eq(green.result(timed_out), "timeout")
        # The others' connections are none the worse for it.
        query(1)
    if not tried:
        skip("needs servers: scripts/servers run …, and python3-mysqldb or python3-psycopg2")
    print("ok")
