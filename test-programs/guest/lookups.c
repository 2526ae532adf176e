// Tasks of another hub look names up, side by side with others; numbers ask nobody; errors are as ever.
#include "hub.h"
#include <netdb.h>
#include <netinet/in.h>

static int ended, beside;

static void looker(void *arg) {
    int me = (int)(intptr_t)arg;
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = NULL;
    char name[32], service[16], back[NI_MAXHOST], back_service[NI_MAXSERV];
    strcpy(name, "localhost");
    snprintf(service, sizeof service, "%d", 1000 + me);
    CHECK_EQ(getaddrinfo(name, service, &hints, &found), 0);
    CHECK(found != NULL && found->ai_next == NULL);
    struct sockaddr_in *at = (struct sockaddr_in *)found->ai_addr;
    CHECK_EQ(ntohl(at->sin_addr.s_addr), INADDR_LOOPBACK);
    CHECK_EQ(ntohs(at->sin_port), 1000 + me);
    CHECK_EQ(getnameinfo(found->ai_addr, found->ai_addrlen, back, sizeof back, back_service, sizeof back_service, NI_NUMERICSERV), 0);
    CHECK_STR(back_service, service);
    CHECK(strstr(back, "localhost") != NULL);
    char tiny[2];
    CHECK_EQ(getnameinfo(found->ai_addr, found->ai_addrlen, tiny, sizeof tiny, NULL, 0, 0), EAI_OVERFLOW);
    freeaddrinfo(found);
    hints.ai_flags = AI_NUMERICHOST;
    CHECK_EQ(getaddrinfo("localhost", NULL, &hints, &found), EAI_NONAME);
    CHECK_EQ(getaddrinfo("127.0.0.1", "80", &hints, &found), 0);
    freeaddrinfo(found);
    CHECK_EQ(getaddrinfo(NULL, NULL, &hints, &found), EAI_NONAME);
    hints.ai_flags = 0x40000000;
    CHECK_EQ(getaddrinfo("localhost", NULL, &hints, &found), EAI_BADFLAGS);
    __atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
}

static void counter(void *arg) {
    (void)arg;
    while (ended < 10) {
        beside++;
        hub_pause();
    }
}

int main(void) {
    hub_init();
    for (intptr_t i = 0; i < 10; i++)
        hub_spawn(looker, (void *)i);
    hub_spawn(counter, NULL);
    hub_run();
    CHECK(!hub_is_guest || beside > 0);
    EVENTUALLY(!hub_is_guest || kernel_threads() == 1);
    printf("%d waits\n", hub_waits);
}
