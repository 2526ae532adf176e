// select takes no notice of numbers beyond the process's table of descriptors, whatever it is told of how many there are: it waits for the others or the time, and leaves those bits as they were.
#include "check.h"
#include <limits.h>
#include <semaphore.h>
#include <sys/syscall.h>

enum { BEYOND = 5000, WORDS = 8192 / 64 };

static unsigned long readable[WORDS], writable[WORDS];
static int data[2];
static sem_t asked;

static void set(unsigned long *words, int number) { words[number / 64] |= 1ul << number % 64; }
static int has(const unsigned long *words, int number) { return words[number / 64] >> number % 64 & 1; }

static long ask(int n, int ms) {
    memset(readable, 0, sizeof readable);
    memset(writable, 0, sizeof writable);
    set(readable, data[0]);
    set(readable, BEYOND);
    set(writable, BEYOND + 100);
    return syscall(SYS_select, n, readable, writable, NULL, &(struct timeval){ms / 1000, ms % 1000 * 1000});
}

static void *post_later(void *unused) {
    CHECK_OK(sem_wait(&asked));
    usleep(20000); // the other waits by then, mostly
    CHECK_EQ(write(data[1], "x", 1), 1);
    return unused;
}

int main(void) {
    CHECK_OK(pipe(data));
    CHECK_OK(sem_init(&asked, 0, 0));
    int told[] = {BEYOND + 200, INT_MAX};
    for (int i = 0; i < 2; i++) {
        pthread_t other = spawn(post_later, NULL);
        CHECK_EQ(ask(told[i], 1), 0);
        CHECK_OK(sem_post(&asked));
        CHECK(!has(readable, data[0]));
        CHECK(has(readable, BEYOND) && has(writable, BEYOND + 100));
        CHECK_EQ(ask(told[i], 60000), 1);
        CHECK(has(readable, data[0]));
        CHECK(has(readable, BEYOND) && has(writable, BEYOND + 100));
        join_thread(other);
        char c;
        CHECK_EQ(read(data[0], &c, 1), 1);
    }
    return 0;
}
