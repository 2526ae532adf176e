// What the servers answer: the same bytes, or a small page over HTTP/1.1 with keep-alive. All three servers use it, so
// that only the way in which they wait differs.
#ifndef PROTOCOL_H
#define PROTOCOL_H

#include "bench.h"
#include <netinet/in.h>
#include <sys/socket.h>

enum protocol { ECHO_BYTES, HTTP };
enum { CHUNK = 4096, ANSWERS = 16384 };

static inline enum protocol protocol_named(const char *name) {
    if (strcmp(name, "echo") == 0)
        return ECHO_BYTES;
    if (strcmp(name, "http") == 0)
        return HTTP;
    CHECK_FAIL("%s is neither echo nor http", name);
}

// What to send for the bytes that came.
struct answer {
    const char *data;
    size_t length;
    size_t used; // of the bytes that came; the rest is the beginning of a request
    int close;   // after sending it
};

#define HTTP_PAGE                                                                                        \
    "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\nHello, world!\n"
#define HTTP_NOT_FOUND "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
#define HTTP_BAD "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

static inline int header_says_close(const char *head, size_t length) {
    static const char name[] = "\nConnection:";
    const char *at = memmem(head, length, name, sizeof name - 1);
    if (at == NULL)
        return 0;
    const char *value = at + sizeof name - 1, *end = head + length;
    while (value < end && *value == ' ')
        value++;
    return end - value >= 5 && strncasecmp(value, "close", 5) == 0;
}

// Answers all whole requests at the start of `in`. `out` has room for ANSWERS bytes.
static inline struct answer answer(enum protocol protocol, const char *in, size_t length, char *out) {
    if (protocol == ECHO_BYTES)
        return (struct answer){in, length, length, 0};
    struct answer result = {out, 0, 0, 0};
    while (!result.close && result.length + sizeof HTTP_PAGE < ANSWERS) {
        const char *request = in + result.used;
        size_t left = length - result.used;
        const char *end = memmem(request, left, "\r\n\r\n", 4);
        if (end == NULL)
            break;
        size_t head = end + 4 - request;
        const char *text = HTTP_BAD;
        if (head > 6 && memcmp(request, "GET /", 5) == 0)
            text = request[5] == ' ' ? HTTP_PAGE : HTTP_NOT_FOUND;
        result.close = text[9] == '4' && text[11] == '0' ? 1 : header_says_close(request, head);
        size_t size = strlen(text);
        memcpy(out + result.length, text, size);
        result.length += size;
        result.used += head;
    }
    if (result.used == 0 && length == CHUNK) { // a head that is longer than a page
        result = (struct answer){HTTP_BAD, sizeof HTTP_BAD - 1, length, 1};
    }
    return result;
}

// A listening socket on a free port, which is printed.
static inline int listen_and_print(int flags) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    CHECK(listener >= 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    CHECK_OK(bind(listener, (struct sockaddr *)&address, length));
    CHECK_OK(listen(listener, SOMAXCONN));
    CHECK_OK(getsockname(listener, (struct sockaddr *)&address, &length));
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

#endif
