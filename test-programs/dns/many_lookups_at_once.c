// Two hundred look-ups at once: the server, a thread of the same process, answers only when all have been asked.
#include "dns/name_server.h"

enum { LOOKUPS = 200 };

static void *look_up(void *arg) {
    int number = (int)(intptr_t)arg;
    check_lookup(number, number % 3 == 0 ? AF_INET : number % 3 == 1 ? AF_INET6 : AF_UNSPEC);
    return NULL;
}

int main(void) {
    enter_namespace("nameserver 127.0.0.1\noptions timeout:20 attempts:2\n");
    name_server_patience = LOOKUPS;
    spawn(serve_names, NULL);
    pthread_t t[LOOKUPS];
    for (int i = 0; i < LOOKUPS; i++)
        t[i] = spawn(look_up, (void *)(intptr_t)(i + 1));
    for (int i = 0; i < LOOKUPS; i++)
        join_thread(t[i]);
    CHECK_ONE_KERNEL_THREAD();
    name_server_patience = 0;
    join_thread(spawn(look_up, (void *)5));
    struct addrinfo *list;
    CHECK_EQ(getaddrinfo("unknown.test", "80", NULL, &list), EAI_NONAME);
    CHECK_STR(gai_strerror(EAI_NONAME), "Name or service not known");
    return 0;
}
