// A task that waits inside gethostbyname holds a lock of libc's own: others that want it wait, and those that don't go on. The same with a stream.
#include "hub.h"
#include "dns/name_server.h"

static int ended, fds[2];
static FILE *shared;

static void check_host(const char *name, int number) {
    char buffer[1024];
    struct hostent own, *host = NULL;
    int error;
    // Natively these are kernel threads, which share what gethostbyname returns.
    if (hub_is_guest)
        host = gethostbyname(name);
    else
        CHECK_RC(gethostbyname_r(name, &own, buffer, sizeof buffer, &host, &error), 0);
    CHECK(host != NULL);
    unsigned char want[4] = {10, 0, 0, (unsigned char)number};
    CHECK(memcmp(host->h_addr_list[0], want, 4) == 0);
}

static void first(void *arg) {
    (void)arg;
    check_host("1.test", 1);
    __atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
}

static void second(void *arg) {
    (void)arg;
    hub_pause();
    hub_pause();
    check_host("3.test", 3);
    __atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
}

// The server keeps its answers back until this one asks as well.
static void third(void *arg) {
    (void)arg;
    for (int i = 0; i < 10; i++)
        hub_pause();
    check_lookup(2, AF_INET);
    __atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
}

static void line_reader(void *arg) {
    (void)arg;
    char line[32];
    CHECK(fgets(line, sizeof line, shared) != NULL);
    CHECK_STR(line, "a line\n");
    __atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
}

static void line_writer(void *arg) {
    (void)arg;
    hub_pause();
    CHECK_EQ(write(fds[1], "a li", 4), 4);
    hub_pause();
    CHECK_EQ(write(fds[1], "ne\n", 3), 3);
    __atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
}

int main(void) {
    enter_namespace("nameserver 127.0.0.1\noptions timeout:20 attempts:2\n");
    hub_init();
    name_server_patience = 2;
    spawn(serve_names, NULL);
    CHECK_OK(pipe(fds));
    CHECK((shared = fdopen(fds[0], "r")) != NULL);
    hub_spawn(first, NULL);
    hub_spawn(second, NULL);
    hub_spawn(third, NULL);
    hub_spawn(line_reader, NULL);
    hub_spawn(line_writer, NULL);
    hub_run();
    CHECK_EQ(ended, 5);
    printf("%d waits\n", hub_waits);
    return 0;
}
