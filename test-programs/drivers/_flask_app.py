"""A Flask application whose requests wait in MySQLdb: threads() as it is, guest() as the guest of gevent, whose worker has patched Python by then."""

import os


def create():
    import MySQLdb
    from flask import Flask
    from _check import kernel_threads

    app = Flask(__name__)

    @app.route("/slow/<int:value>/<seconds>")
    def slow(value, seconds):
        connection = MySQLdb.connect(host=os.environ["TEST_MYSQL_HOST"], port=int(os.environ["TEST_MYSQL_PORT"]), user="root", connect_timeout=20)
        cursor = connection.cursor()
        cursor.execute("SELECT %s + SLEEP(%s)", (value, float(seconds)))
        row = cursor.fetchone()
        connection.close()
        return {"value": int(row[0]), "kernel_threads": kernel_threads()}

    @app.route("/open")
    def descriptors():
        return {"descriptors": len(os.listdir("/proc/self/fd"))}

    return app


def threads():
    return create()


def guest():
    import greenpatch.gevent
    return create()
