// A thread sees in /proc that main sleeps, and in /proc/self/stat how many threads there are; who waits until /proc/self/task has one entry finds the other thread ended, and may send it signals.
#include "check.h"
#include <signal.h>

static int go;

static char state_in(const char *path, const char *format) {
    char text[4096], state = 0;
    FILE *f = fopen(path, "re");
    CHECK(f != NULL);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    const char *at = strstr(text, format);
    CHECK(at != NULL);
    CHECK_EQ(sscanf(at + strlen(format), " %c", &state), 1);
    return state;
}

static int threads_in_stat(void) {
    char text[1024];
    int n = 0;
    FILE *f = fopen("/proc/self/stat", "re");
    CHECK(f != NULL && fgets(text, sizeof text, f) != NULL);
    fclose(f);
    CHECK_EQ(sscanf(strrchr(text, ')') + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %d", &n), 1);
    return n;
}

static void *watch_main(void *arg) {
    char stat[64], status[64], task[80];
    CHECK_EQ(threads_in_stat(), 2);
    snprintf(stat, sizeof stat, "/proc/%d/stat", getpid());
    snprintf(status, sizeof status, "/proc/%d/status", getpid());
    snprintf(task, sizeof task, "/proc/self/task/%d/stat", getpid());
    EVENTUALLY(state_in(stat, ")") == 'S');
    CHECK_EQ(state_in(status, "State:\t"), 'S');
    CHECK_EQ(state_in(task, ")"), 'S');
    CHECK_EQ(state_in("/proc/thread-self/stat", ")"), 'R');
    __atomic_store_n(&go, 1, __ATOMIC_SEQ_CST);
    return arg;
}

static void *nothing(void *arg) { return arg; }

static void *asleep(void *arg) {
    *(int *)arg = gettid();
    pause();
    return NULL;
}

int main(void) {
    pthread_t t = spawn(watch_main, NULL);
    join_thread(t);
    CHECK_EQ(go, 1);
    CHECK_EQ(state_in("/proc/self/stat", ")"), 'R');

    t = spawn(nothing, NULL);
    while (count_directory("/proc/self/task") > 1)
        usleep(1000);
    // It has ended, but not been joined: no error, and nobody is hit.
    CHECK_RC(pthread_kill(t, SIGUSR1), 0);
    join_thread(t);

    int tid = 0;
    t = spawn(asleep, &tid);
    EVENTUALLY(__atomic_load_n(&tid, __ATOMIC_SEQ_CST) != 0);
    char path[80], text[256];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    EVENTUALLY(state_in(path, ")") == 'S');
    CHECK_EQ(threads_in_stat(), 2);
    FILE *f = fopen(path, "re");
    CHECK(f != NULL && fgets(text, sizeof text, f) != NULL);
    fclose(f);
    CHECK_EQ(atoi(text), tid);
    CHECK_RC(pthread_cancel(t), 0);
    CHECK(join_thread(t) == PTHREAD_CANCELED);
    return 0;
}
