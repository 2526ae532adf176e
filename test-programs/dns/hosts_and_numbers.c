// getaddrinfo and getnameinfo of what needs no server, from many threads at once: /etc/hosts, numbers, services, errors.
#include "os/channel.h"
#include <netdb.h>

enum { THREADS = 50, ROUNDS = 10 };

static void check_address(const char *name, const char *service, int family, const char *want, int port) {
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM}, *list;
    int rc = getaddrinfo(name, service, &hints, &list);
    if (rc != 0)
        CHECK_FAIL("%s: %s", name, gai_strerror(rc));
    int found = 0;
    for (struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next) {
        char text[NI_MAXHOST];
        CHECK_EQ(getnameinfo(ai->ai_addr, ai->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST), 0);
        if (strcmp(text, want) == 0 && ntohs(((struct sockaddr_in *)ai->ai_addr)->sin_port) == port)
            found = 1;
    }
    if (!found)
        CHECK_FAIL("%s is not %s port %d", name, want, port);
    freeaddrinfo(list);
}

static void *look_up(void *arg) {
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *list;
        check_address("localhost", "80", AF_INET, "127.0.0.1", 80);
        check_address("192.0.2.77", "4711", AF_UNSPEC, "192.0.2.77", 4711);
        check_address("2001:db8::5", "1", AF_INET6, "2001:db8::5", 1);
        CHECK_EQ(getaddrinfo("not.a.number", "1", &hints, &list), EAI_NONAME);
        CHECK_EQ(getaddrinfo(NULL, NULL, NULL, &list), EAI_NONAME);
        hints = (struct addrinfo){.ai_family = 12345};
        CHECK_EQ(getaddrinfo("127.0.0.1", "1", &hints, &list), EAI_FAMILY);
        struct hostent *host, host_buffer;
        char buffer[2048];
        int error;
        CHECK_EQ(gethostbyname_r("localhost", &host_buffer, buffer, sizeof buffer, &host, &error), 0);
        CHECK(host != NULL);
        CHECK_EQ(host->h_addrtype, AF_INET);
    }
    return NULL;
}

int main(void) {
    pthread_t t[THREADS];
    for (int i = 0; i < THREADS; i++)
        t[i] = spawn(look_up, NULL);
    for (int i = 0; i < THREADS; i++)
        join_thread(t[i]);
    CHECK_ONE_KERNEL_THREAD();
    return 0;
}
