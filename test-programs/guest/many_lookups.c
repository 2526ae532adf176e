// Tasks of another hub look names up all at once: the server answers only when all have asked. One that gives up has no answer, and the others have theirs.
#include "hub.h"
#include "dns/name_server.h"

enum { LOOKUPS = 30 };

static int ended, given_up;

static void looker(void *arg) {
    int number = (int)(intptr_t)arg;
    check_lookup(number, AF_INET);
    __atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
}

static void one_that_gives_up(void *arg) {
    (void)arg;
    struct addrinfo *list;
    errno = 0;
    CHECK_EQ(getaddrinfo("silent.test", "80", NULL, &list), EAI_SYSTEM);
    CHECK_EQ(errno, ECANCELED);
    given_up = 1;
}

static void killer(void *arg) {
    while (ended < LOOKUPS)
        hub_pause();
    hub_give_up((struct task *)arg);
}

int main(void) {
    enter_namespace("nameserver 127.0.0.1\noptions timeout:20 attempts:2\n");
    hub_init();
    name_server_patience = LOOKUPS;
    spawn(serve_names, NULL);
    for (intptr_t i = 1; i <= LOOKUPS; i++)
        hub_spawn(looker, (void *)i);
    if (hub_is_guest)
        hub_spawn(killer, hub_spawn(one_that_gives_up, NULL));
    hub_run();
    CHECK_EQ(ended, LOOKUPS);
    CHECK_EQ(given_up, hub_is_guest);
    printf("%d waits\n", hub_waits);
    return 0;
}
