# sqlite3's shell.
command -v sqlite3 > /dev/null || { echo "skipped: no sqlite3"; exit 77; }
sqlite3 db 'CREATE TABLE t (n INTEGER PRIMARY KEY, s TEXT); WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 5000) INSERT INTO t SELECT x, hex(x * 7919) FROM c;'
sqlite3 db 'SELECT count(*), sum(n), max(s) FROM t; PRAGMA integrity_check;'
for i in 1 2 3 4; do sqlite3 -cmd '.timeout 20000' db "BEGIN IMMEDIATE; INSERT INTO t (s) VALUES ('w$i'); COMMIT;" & done; wait
sqlite3 db "SELECT s FROM t WHERE s LIKE 'w%' ORDER BY s;"
sqlite3 db .dump | grep -v "'w[0-9]'" | sqlite3 copy && sqlite3 copy 'SELECT count(*) FROM t;'
sqlite3 db 'SELECT * FROM missing;'; echo $?
echo '.quit' | sqlite3 -batch db; echo $?
rm db
