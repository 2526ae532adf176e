// Long reads of /dev/zero and /dev/urandom and a long getrandom are whole where no handler runs, whoever else computes meanwhile, and others have their turns; a handler may cut them, and nothing is lost.
#include "check.h"
#include <sys/random.h>
#include <sys/time.h>

enum { LENGTH = 4 << 20, ROUNDS = 40 };

static _Atomic int stop, handled;
static _Atomic long wakes;
static unsigned char bytes[LENGTH];

static void *compute(void *arg) {
    uintptr_t number = (uintptr_t)arg;
    while (!stop)
        number = number * 6364136223846793005u + 1;
    return (void *)number;
}

static void *spin(void *arg) {
    while (!stop)
        __builtin_ia32_pause();
    return arg;
}

static void *wake_often(void *arg) {
    while (!stop) {
        usleep(1000);
        wakes++;
    }
    return arg;
}

// Others have their turns in the middle of a call.
static void others_go_on(int random) {
    enum { LONG = 256 << 20 };
    unsigned char *many = malloc(LONG);
    CHECK(many != NULL);
    long before = wakes;
    CHECK_EQ(getrandom(many, LONG, 0), LONG);
    CHECK(wakes > before);
    before = wakes;
    CHECK_EQ(read(random, many, LONG), LONG);
    CHECK(wakes > before);
    free(many);
}

static void count(int unused) {
    (void)unused;
    handled++;
}

static void all_there(void) {
    // A part of so many random bytes is never all zero.
    for (int i = 0; i + 64 <= LENGTH; i += LENGTH / 64) {
        int any = 0;
        for (int k = 0; k < 64; k++)
            any |= bytes[i + k];
        CHECK(any != 0);
    }
}

int main(void) {
    pthread_t others[] = {spawn(compute, &stop), spawn(spin, NULL), spawn(wake_often, NULL)};
    int zero = open("/dev/zero", O_RDONLY), random = open("/dev/urandom", O_RDONLY);
    CHECK_OK(zero);
    CHECK_OK(random);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_EQ(getrandom(bytes, LENGTH, 0), LENGTH);
        CHECK_EQ(read(zero, bytes, LENGTH), LENGTH);
        CHECK_EQ(read(random, bytes, LENGTH), LENGTH);
    }
    all_there();
    others_go_on(random);
    void *volatile bad = (void *)8;
    CHECK_ERR(getrandom(bad, LENGTH, 0), EFAULT);
    CHECK_ERR(read(zero, bad, LENGTH), EFAULT);
    CHECK_ERR(getrandom(bytes, LENGTH, 0x100), EINVAL);

    // With a handler each is whole, or as long as it says.
    signal(SIGALRM, count);
    struct itimerval often = {{0, 3000}, {0, 3000}};
    CHECK_OK(setitimer(ITIMER_REAL, &often, NULL));
    while (handled < 5) {
        memset(bytes, 0, LENGTH);
        ssize_t n = getrandom(bytes, LENGTH, 0);
        CHECK(n > 0 && n <= LENGTH);
        for (ssize_t k = n; k < LENGTH; k++)
            CHECK_EQ(bytes[k], 0);
    }
    often = (struct itimerval){0};
    CHECK_OK(setitimer(ITIMER_REAL, &often, NULL));
    stop = 1;
    for (int i = 0; i < 3; i++)
        join_thread(others[i]);
    return 0;
}
