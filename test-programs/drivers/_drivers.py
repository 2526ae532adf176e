"""The database drivers, each behind the same few methods, and the servers that they are tried against (scripts/servers)."""

import os
import uuid

HOST = "127.0.0.1"
CA = os.environ.get("TEST_TLS_CA", "")


def port_of(name):
    return int(os.environ[f"TEST_{name}_PORT"])


class Driver:
    """One open connection. Where a driver has no TLS, or its server none, `tls` is False."""

    tls = True
    # Which errors say that the server went away, where it is a matter of luck which of them it is.
    gone = ()
    # The variable TEST_*_PORT of its server.
    server = "MYSQL"
    # The server's own answer takes that long. Without it, what answers slowly is a proxy before the server.
    sleeps = True

    def __init__(self, port=None, tls=False, timeout=None):
        """`timeout`: seconds after which a query that has had no answer is given up."""

    def sleep(self, seconds):
        """A query that takes so long."""

    def ask(self, value):
        """The server gives the value back."""

    def big(self, size):
        """The length of a result of so many bytes."""

    def prepared(self, values):
        """As ask(), of each of the values, with a statement prepared once."""
        return [self.ask(value) for value in values]

    def close(self):
        pass


class Dbapi(Driver):
    """What the drivers of PEP 249 have in common; they differ in how they connect."""

    mark = "%s"
    slept = 0
    sleep_query = "SELECT SLEEP(%s)"
    big_query = "SELECT REPEAT('x', 1000000) FROM seq_1_to_%d"
    prepare = "PREPARE s FROM 'SELECT ?'", "EXECUTE s USING "
    cast = ""

    def run(self, query, *args):
        cursor = self.connection.cursor()
        cursor.execute(query.replace("%s", self.mark), args) if args else cursor.execute(query)
        rows = cursor.fetchall()
        cursor.close()
        return rows

    def sleep(self, seconds):
        return self.run(self.sleep_query, seconds)[0][0]

    def ask(self, value):
        return self.run("SELECT %s" + self.cast, value)[0][0]

    def big(self, size):
        rows = self.run(self.big_query % (size // 1000000))
        return sum(len(row[0]) for row in rows)

    def prepared(self, values):
        cursor = self.connection.cursor()
        cursor.execute(self.prepare[0])
        got = []
        for value in values:
            if self.prepare[1].endswith("("):
                cursor.execute(f"{self.prepare[1]}'{value}')")
            else:
                cursor.execute(f"SET @v = '{value}'")
                cursor.execute(self.prepare[1] + "@v")
            got.append(cursor.fetchone()[0])
        cursor.close()
        return got

    def close(self):
        self.connection.close()


class MySQLdb(Dbapi):
    """mysqlclient, on libmariadb."""

    def __init__(self, port=None, tls=False, timeout=None):
        import MySQLdb as driver
        options = {"read_timeout": timeout} if timeout else {}
        if tls:
            options["ssl"] = {"ca": CA}
        self.connection = driver.connect(host=HOST, port=port or port_of(self.server), user="root", database="mysql",
                                         connect_timeout=20, **options)


class MariaDB(Dbapi):
    """MariaDB Connector/Python, on libmariadb."""

    def __init__(self, port=None, tls=False, timeout=None):
        import mariadb
        options = {"read_timeout": timeout} if timeout else {}
        if tls:
            options.update(ssl_ca=CA)
        self.connection = mariadb.connect(host=HOST, port=port or port_of(self.server), user="root", database="mysql",
                                         connect_timeout=20, **options)

    mark = "?"

    def prepared(self, values):
        cursor = self.connection.cursor(prepared=True)
        got = []
        for value in values:
            cursor.execute("SELECT ?", (value,))
            got.append(cursor.fetchone()[0])
        cursor.close()
        return got


class PyMySQL(Dbapi):
    """The driver in pure Python."""

    def __init__(self, port=None, tls=False, timeout=None):
        import pymysql
        options = {"read_timeout": timeout} if timeout else {}
        if tls:
            options["ssl"] = {"ca": CA}
        self.connection = pymysql.connect(host=HOST, port=port or port_of(self.server), user="root", database="mysql",
                                         connect_timeout=20, **options)


class Postgres(Dbapi):
    server = "PG"
    slept = ""
    sleep_query = "SELECT pg_sleep(%s)"
    big_query = "SELECT repeat('x', 1000000) FROM generate_series(1, %d)"
    prepare = "PREPARE s (text) AS SELECT $1", "EXECUTE s ("
    cast = "::text"

    def words(self, port, tls, timeout):
        words = f"host={HOST} port={port or port_of(self.server)} user=tester dbname=postgres connect_timeout=20 "
        words += f"sslmode=verify-ca sslrootcert={CA} " if tls else "sslmode=disable "
        if timeout:
            words += f"options='-c statement_timeout={int(timeout * 1000)}'"
        return words


class Psycopg2(Postgres):
    def __init__(self, port=None, tls=False, timeout=None):
        import psycopg2
        self.connection = psycopg2.connect(self.words(port, tls, timeout))


class Psycopg3(Postgres):
    """psycopg 3 with its C part. It waits for libpq's descriptor itself, with poll() in C or by Python's select."""

    def __init__(self, port=None, tls=False, timeout=None):
        import psycopg
        self.connection = psycopg.connect(self.words(port, tls, timeout))

    def prepared(self, values):
        return [self.connection.execute("SELECT %s::text", (value,), prepare=True).fetchone()[0] for value in values]


class Odbc(Driver):
    mark = "?"
    library = "/usr/lib/x86_64-linux-gnu/odbc"

    def open(self, words):
        import pyodbc
        pyodbc.pooling = False
        self.connection = pyodbc.connect(words, autocommit=True)


class OdbcMariaDB(Odbc, Dbapi):
    def __init__(self, port=None, tls=False, timeout=None):
        words = f"DRIVER={self.library}/libmaodbc.so;SERVER={HOST};PORT={port or port_of(self.server)};UID=root;DATABASE=mysql;"
        # This driver ignores pyodbc's timeout for queries.
        words += f"INITSTMT={{SET max_statement_time={timeout}}};" if timeout else ""
        self.open(words + (f"SSLCA={CA};" if tls else ""))

    def prepared(self, values):
        return [self.ask(value) for value in values]


class OdbcPostgres(Odbc, Postgres):
    mark = "?"
    gone = "pyodbc.Error HY000", "pyodbc.OperationalError 08S01"

    def __init__(self, port=None, tls=False, timeout=None):
        words = f"DRIVER={self.library}/psqlodbcw.so;SERVER={HOST};PORT={port or port_of(self.server)};UID=tester;DATABASE=postgres;"
        words += "SSLMODE=require;" if tls else "SSLMODE=disable;"
        self.open(words + (f"ConnSettings=SET statement_timeout={int(timeout * 1000)};" if timeout else ""))

    # As varchar, a text is cut after the length that the driver has been told.
    big_query = "SELECT repeat('x', 8000) FROM generate_series(1, %d * 125)"

    def prepared(self, values):
        return [self.ask(value) for value in values]


class Redis(Driver):
    """redis-py, whose answers hiredis parses."""

    server = "REDIS"
    slept = None

    def __init__(self, port=None, tls=False, timeout=None):
        import redis
        if tls:
            port = port or port_of("REDIS_TLS")
        options = {"ssl": True, "ssl_ca_certs": CA} if tls else {}
        if timeout:
            options["socket_timeout"] = timeout
        retry = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
        self.connection = redis.Redis(HOST, port or port_of(self.server), single_connection_client=True, retry=retry,
                                      decode_responses=True, protocol=2, **options)
        self.connection.ping()

    def sleep(self, seconds):
        return self.connection.blpop("never", seconds)

    def ask(self, value):
        return self.connection.echo(value)

    def big(self, size):
        name = uuid.uuid4().hex
        self.connection.setrange(name, size - 1, "x")
        length = len(self.connection.get(name))
        self.connection.delete(name)
        return length

    def prepared(self, values):
        script = self.connection.script_load("return ARGV[1]")
        return [self.connection.evalsha(script, 0, value) for value in values]

    def close(self):
        self.connection.close()


class Pylibmc(Driver):
    """On libmemcached. memcached has nothing that takes long."""

    server = "MEMCACHED"
    tls = False
    sleeps = False
    slept = "slept"

    def __init__(self, port=None, tls=False, timeout=None):
        import pylibmc
        milliseconds = int((timeout or 20) * 1000)
        self.connection = pylibmc.Client([f"{HOST}:{port or port_of(self.server)}"], binary=True, behaviors={
            "connect_timeout": milliseconds, "receive_timeout": milliseconds * 1000, "send_timeout": milliseconds * 1000,
            "_poll_timeout": milliseconds, "retry_timeout": 1})
        self.name = uuid.uuid4().hex
        self.connection.get_stats()

    def sleep(self, seconds):
        return "slept" if self.connection.get(self.name) is None else None

    def ask(self, value):
        self.connection.set(self.name, value)
        return self.connection.get(self.name)

    def big(self, size):
        self.connection.set(self.name, b"x" * size)
        value = self.connection.get(self.name)
        self.connection.delete(self.name)
        return len(value)

    def prepared(self, values):
        self.connection.set_multi({f"{self.name}{i}": value for i, value in enumerate(values)})
        got = self.connection.get_multi([f"{self.name}{i}" for i in range(len(values))])
        return [got[f"{self.name}{i}"] for i in range(len(values))]

    def close(self):
        self.connection.disconnect_all()


class Pycurl(Driver):
    """On libcurl, whose resolver may be a thread."""

    server = "WEB"
    slept = "slept"
    # With an end of file in place of a reset, libcurl connects once more.
    gone = "pycurl.error 56", "pycurl.error 7"

    def __init__(self, port=None, tls=False, timeout=None):
        import pycurl
        self.driver = pycurl
        self.connection = pycurl.Curl()
        port = port or port_of("WEB_TLS" if tls else "WEB")
        self.base = f"http{'s' if tls else ''}://localhost:{port}"
        self.connection.setopt(pycurl.NOSIGNAL, 1)
        self.connection.setopt(pycurl.PROXY, "")
        if tls:
            self.connection.setopt(pycurl.CAINFO, CA)
        if timeout:
            self.connection.setopt(pycurl.TIMEOUT_MS, int(timeout * 1000))
        self.ask("hello")

    def get(self, path):
        self.connection.setopt(self.driver.URL, self.base + path)
        return self.connection.perform_rb()

    def sleep(self, seconds):
        return self.get(f"/sleep/{seconds}").decode()

    def ask(self, value):
        self.connection.setopt(self.driver.POSTFIELDS, value)
        answer = self.get("/echo").decode()
        self.connection.setopt(self.driver.HTTPGET, 1)
        return answer

    def big(self, size):
        return len(self.get(f"/big/{size}"))

    def prepared(self, values):
        """No statements here; several transfers at once in one call of select()."""
        multi, curls, got = self.driver.CurlMulti(), [], {}
        for i, value in enumerate(values):
            curl = self.driver.Curl()
            curl.setopt(self.driver.URL, self.base + "/echo")
            curl.setopt(self.driver.POSTFIELDS, value)
            if self.base.startswith("https"):
                curl.setopt(self.driver.CAINFO, CA)
            got[i] = b""

            def more(data, i=i):
                got[i] += data

            curl.setopt(self.driver.WRITEFUNCTION, more)
            multi.add_handle(curl)
            curls.append(curl)
        running = 1
        while running:
            _, running = multi.perform()
            if running:
                multi.select(1.0)
        for curl in curls:
            multi.remove_handle(curl)
            curl.close()
        return [got[i].decode() for i in range(len(values))]

    def close(self):
        self.connection.close()


DRIVERS = {
    "mysqlclient": MySQLdb, "mariadb": MariaDB, "psycopg2": Psycopg2, "psycopg3": Psycopg3, "redis": Redis, "pylibmc": Pylibmc,
    "pycurl": Pycurl, "pyodbc-mariadb": OdbcMariaDB, "pyodbc-postgres": OdbcPostgres, "pymysql": PyMySQL,
}
