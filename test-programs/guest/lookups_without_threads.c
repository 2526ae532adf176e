// A task of another hub looks a name up while the user may have no more kernel threads: it waits, and the others run, until there is one; where none ever comes it is answered all the same.
#include "hub.h"
#include <netdb.h>
#include <netinet/in.h>
#include <sys/resource.h>

static int begun, beside, found;

static void allow(rlim_t threads) {
    struct rlimit limit;
    CHECK_OK(getrlimit(RLIMIT_NPROC, &limit));
    limit.rlim_cur = threads < limit.rlim_max ? threads : limit.rlim_max;
    CHECK_OK(setrlimit(RLIMIT_NPROC, &limit));
}

static void look_up(void) {
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list = NULL;
    CHECK_EQ(getaddrinfo("localhost", "80", &hints, &list), 0);
    CHECK_EQ(ntohl(((struct sockaddr_in *)list->ai_addr)->sin_addr.s_addr), INADDR_LOOPBACK);
    freeaddrinfo(list);
}

static void looker(void *arg) {
    (void)arg;
    while (!__atomic_load_n(&begun, __ATOMIC_SEQ_CST))
        hub_pause();
    allow(1);
    look_up();
    CHECK(!hub_is_guest || beside == 5);
    allow(1);
    look_up();
    look_up();
    found = 1;
}

static void lifter(void *arg) {
    (void)arg;
    __atomic_store_n(&begun, 1, __ATOMIC_SEQ_CST);
    hub_pause();
    for (beside = 0; beside < 5; beside++)
        hub_pause();
    allow(RLIM_INFINITY);
}

int main(void) {
    if (getuid() != 0)
        SKIP("only root can take a user's id that nobody else has");
    uid_t nobody = 2000000000u + (uid_t)getpid();
    CHECK_OK(setresuid(nobody, nobody, nobody));
    hub_init();
    hub_spawn(looker, NULL);
    hub_spawn(lifter, NULL);
    hub_run();
    CHECK(found);
    printf("%d waits\n", hub_waits);
}
