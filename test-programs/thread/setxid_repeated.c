// A setuid that gives back rights acts once for the process, although libc has every thread make the call: real and saved ids stay as one call leaves them.
#include "check.h"

enum { OTHER = 54321 };
static pthread_barrier_t before, after;

static void expect(uid_t real, uid_t effective, uid_t saved) {
    uid_t r, e, s;
    CHECK_OK(getresuid(&r, &e, &s));
    CHECK_EQ(r, real);
    CHECK_EQ(e, effective);
    CHECK_EQ(s, saved);
}

static void *look(void *arg) {
    expect(OTHER, OTHER, 0);
    pthread_barrier_wait(&before);
    pthread_barrier_wait(&after);
    expect(OTHER, 0, 0);
    return arg;
}

int main(void) {
    if (geteuid() != 0)
        SKIP("only root may become another user");
    CHECK_RC(pthread_barrier_init(&before, NULL, 4), 0);
    CHECK_RC(pthread_barrier_init(&after, NULL, 4), 0);
    CHECK_OK(setresuid(OTHER, OTHER, 0));
    pthread_t t[3];
    for (int i = 0; i < 3; i++)
        t[i] = spawn(look, NULL);
    pthread_barrier_wait(&before);
    // Not privileged, so only the effective id changes; a second call, as root, would change all.
    CHECK_OK(setuid(0));
    expect(OTHER, 0, 0);
    pthread_barrier_wait(&after);
    for (int i = 0; i < 3; i++)
        join_thread(t[i]);
    // The same call again is another one.
    CHECK_OK(setuid(0));
    expect(0, 0, 0);
    CHECK_OK(setuid(OTHER));
    expect(OTHER, OTHER, OTHER);
    CHECK_ERR(setuid(0), EPERM);
    return 0;
}
