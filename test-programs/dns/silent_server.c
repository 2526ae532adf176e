// A name that nobody answers delays only who asked for it, who gets EAI_AGAIN in the end, without computing meanwhile.
#include "dns/name_server.h"
#include <sys/resource.h>

static int silent_done;

static void *ask_silent(void *arg) {
    char name[32];
    struct addrinfo *list;
    snprintf(name, sizeof name, "silent%d.test", (int)(intptr_t)arg);
    CHECK_EQ(getaddrinfo(name, "80", NULL, &list), EAI_AGAIN);
    __atomic_add_fetch(&silent_done, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

int main(void) {
    enter_namespace("nameserver 127.0.0.1\noptions timeout:2 attempts:1\n");
    spawn(serve_names, NULL);
    pthread_t t[20];
    for (int i = 0; i < 20; i++)
        t[i] = spawn(ask_silent, (void *)(intptr_t)i);
    nap();
    for (int i = 1; i <= 20; i++)
        check_lookup(i, AF_UNSPEC);
    int before_the_end = silent_done < 20;
    for (int i = 0; i < 20; i++)
        join_thread(t[i]);
    CHECK(before_the_end);
    struct rusage use;
    CHECK_OK(getrusage(RUSAGE_SELF, &use));
    CHECK_EQ(use.ru_utime.tv_sec + use.ru_stime.tv_sec, 0); // it waited for two seconds
    return 0;
}
