// Threads with a connection each wait in SELECT SLEEP, at the same time, through the C driver.
//   sleep_queries host port|socket user threads seconds
// LIBS: -lmariadb
#include "check.h"
#include <mariadb/mysql.h>

static const char *host, *socket_path, *user;
static unsigned port;
static double seconds;
static pthread_barrier_t connected, counted;

static MYSQL_RES *query(MYSQL *db, const char *text) {
    if (mysql_real_query(db, text, strlen(text)) != 0)
        CHECK_FAIL("%s: %s", text, mysql_error(db));
    MYSQL_RES *result = mysql_store_result(db);
    if (result == NULL)
        CHECK_FAIL("%s: %s", text, mysql_error(db));
    return result;
}

static void *run(void *arg) {
    long id = (long)(intptr_t)arg;
    CHECK_EQ(mysql_thread_init(), 0);
    MYSQL *db = mysql_init(NULL);
    CHECK(db != NULL);
    if (mysql_real_connect(db, host, user, "", NULL, port, socket_path, 0) == NULL)
        CHECK_FAIL("connect: %s", mysql_error(db));
    pthread_barrier_wait(&connected);
    pthread_barrier_wait(&counted);

    char text[80], want[40];
    snprintf(text, sizeof text, "SELECT SLEEP(%f)", seconds);
    MYSQL_RES *result = query(db, text);
    CHECK_STR(mysql_fetch_row(result)[0], "0"); // 1: interrupted
    mysql_free_result(result);

    long number = id * 7919 + 12345;
    snprintf(text, sizeof text, "SELECT %ld, REPEAT('x', %ld)", number, id);
    snprintf(want, sizeof want, "%ld", number);
    result = query(db, text);
    CHECK_EQ(mysql_num_rows(result), 1);
    MYSQL_ROW row = mysql_fetch_row(result);
    CHECK_STR(row[0], want);
    CHECK_EQ(strlen(row[1]), id);
    mysql_free_result(result);
    mysql_close(db);
    mysql_thread_end();
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 6)
        SKIP("needs a server: sleep_queries host port|socket user threads seconds");
    host = argv[1];
    if (strchr(argv[2], '/') != NULL)
        socket_path = argv[2];
    else
        port = atoi(argv[2]);
    user = argv[3];
    int threads = atoi(argv[4]);
    seconds = atof(argv[5]);
    CHECK_EQ(mysql_library_init(0, NULL, NULL), 0);
    CHECK_RC(pthread_barrier_init(&connected, NULL, threads + 1), 0);
    CHECK_RC(pthread_barrier_init(&counted, NULL, threads + 1), 0);
    pthread_t *t = calloc(threads, sizeof *t);
    CHECK(t != NULL);

    int64_t begin = now_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < threads; i++)
        t[i] = spawn(run, (void *)(intptr_t)i);
    pthread_barrier_wait(&connected);
    int64_t all_connected = now_ns(CLOCK_MONOTONIC);
    int seen = kernel_threads();
    CHECK_ONE_KERNEL_THREAD();
    int64_t querying = now_ns(CLOCK_MONOTONIC);
    pthread_barrier_wait(&counted);
    for (int i = 0; i < threads; i++)
        join_thread(t[i]);
    int64_t end = now_ns(CLOCK_MONOTONIC);
    mysql_library_end();
    printf("threads=%d sleep_s=%.2f kernel_threads=%d connect_s=%.2f query_s=%.2f wall_s=%.2f\n", threads, seconds, seen,
           (all_connected - begin) / 1e9, (end - querying) / 1e9, (end - begin) / 1e9);
    return 0;
}
