// A name server inside the test process, on 127.0.0.1 port 53 of a network and a mount namespace of its own, with a
// resolv.conf that names it. It answers A and AAAA of `<number>.test` with 10.0.x.y and fd00::xxxx, NXDOMAIN for others,
// and never for names that begin with "silent".
#ifndef NAME_SERVER_H
#define NAME_SERVER_H
#include "os/channel.h"
#include <net/if.h>
#include <netdb.h>
#include <sched.h>
#include <sys/mount.h>

static int name_server_socket;
// Answers are kept back until so many different names have been asked.
static int name_server_patience;

// `path` reads as `text` from now on, in this process.
static void replace_file(const char *path, const char *text) {
    char with[64] = "/tmp/greenpatch-test-XXXXXX";
    int fd = mkostemp(with, O_CLOEXEC);
    CHECK(fd >= 0);
    write_whole(fd, text, strlen(text));
    CHECK_OK(fchmod(fd, 0644));
    CHECK_OK(close(fd));
    if (access(path, F_OK) == -1)
        SKIP("this system has no such file to cover");
    char *real = realpath(path, NULL);
    CHECK(real != NULL);
    CHECK_OK(mount(with, real, NULL, MS_BIND, NULL));
    CHECK_OK(unlink(with));
    free(real);
}

// Before any thread.
CHECK_UNUSED static void enter_namespace(const char *resolv_conf) {
    if (unshare(CLONE_NEWNS | CLONE_NEWNET) == -1)
        SKIP("no namespaces allowed here");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1)
        SKIP("no mounts allowed here");
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(fd >= 0);
    struct ifreq request = {.ifr_name = "lo"};
    CHECK_OK(ioctl(fd, SIOCGIFFLAGS, &request));
    request.ifr_flags |= IFF_UP;
    CHECK_OK(ioctl(fd, SIOCSIFFLAGS, &request));
    CHECK_OK(close(fd));
    replace_file("/etc/resolv.conf", resolv_conf);
    replace_file("/etc/nsswitch.conf", "hosts: files dns\n");

    CHECK_OK(name_server_socket = socket(AF_INET, SOCK_DGRAM, 0));
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK_OK(bind(name_server_socket, (struct sockaddr *)&addr, sizeof addr));
    CHECK_OK(setsockopt(name_server_socket, SOL_SOCKET, SO_RCVBUF, &(int){1 << 20}, sizeof(int)));
}

struct question {
    unsigned char packet[512];
    ssize_t len;
    struct sockaddr_in from;
};

static void answer_question(struct question *q) {
    unsigned char out[600];
    char label[64] = "";
    int label_len = q->packet[12];
    memcpy(label, q->packet + 13, label_len < 63 ? label_len : 63);
    size_t end = 12;
    while (q->packet[end] != 0)
        end += q->packet[end] + 1;
    int type = q->packet[end + 1] << 8 | q->packet[end + 2], known = label[0] >= '0' && label[0] <= '9';
    if (strncmp(label, "silent", 6) == 0)
        return;
    size_t len = end + 5;
    memcpy(out, q->packet, len);
    out[2] = 0x84 | (q->packet[2] & 1);
    out[3] = known ? 0x80 : 0x83;
    memset(out + 6, 0, 6);
    if (known && (type == 1 || type == 28)) {
        int number = atoi(label), size = type == 1 ? 4 : 16;
        out[7] = 1;
        unsigned char record[12] = {0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, size};
        memcpy(out + len, record, 12);
        memset(out + len + 12, 0, size);
        out[len + 12] = type == 1 ? 10 : 0xfd;
        out[len + 12 + size - 2] = number >> 8;
        out[len + 12 + size - 1] = number;
        len += 12 + size;
    }
    CHECK_EQ(sendto(name_server_socket, out, len, 0, (struct sockaddr *)&q->from, sizeof q->from), len);
}

// A thread that answers for ever.
CHECK_UNUSED static void *serve_names(void *arg) {
    (void)arg;
    static struct question kept[2000];
    static unsigned char asked[1 << 16];
    int waiting = 0, different = 0;
    for (;;) {
        struct question *q = &kept[waiting];
        socklen_t from_len = sizeof q->from;
        q->len = recvfrom(name_server_socket, q->packet, sizeof q->packet, 0, (struct sockaddr *)&q->from, &from_len);
        CHECK(q->len > 16);
        int number = atoi((char *)q->packet + 13);
        different += asked[number & 0xffff]++ == 0;
        waiting++;
        if (different >= name_server_patience || waiting == 2000) {
            for (int i = 0; i < waiting; i++)
                answer_question(&kept[i]);
            waiting = 0;
        }
    }
    return NULL;
}

CHECK_UNUSED static void check_lookup(int number, int family) {
    char name[32], want[64], text[64];
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM}, *list;
    snprintf(name, sizeof name, "%d.test", number);
    int rc = getaddrinfo(name, "80", &hints, &list);
    if (rc != 0)
        CHECK_FAIL("%s: %s", name, gai_strerror(rc));
    int v4 = 0, v6 = 0;
    for (struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next) {
        CHECK_EQ(getnameinfo(ai->ai_addr, ai->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST), 0);
        if (ai->ai_family == AF_INET)
            snprintf(want, sizeof want, "10.0.%d.%d", number >> 8, number & 0xff), v4++;
        else
            snprintf(want, sizeof want, "fd00::%x", number), v6++;
        CHECK_STR(text, want);
    }
    CHECK_EQ(v4, family != AF_INET6);
    CHECK_EQ(v6, family != AF_INET);
    freeaddrinfo(list);
}

#endif
