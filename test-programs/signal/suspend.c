// sigsuspend and pause return EINTR after the handler, for signals that are pending already and that come; sigsuspend opens exactly its mask and restores the old.
#include "check.h"

static volatile int usr1, usr2;
static volatile pthread_t by;

static void on_signal(int sig) {
    if (sig == SIGUSR1)
        usr1++;
    else
        usr2++;
    by = pthread_self();
}

static int blocked(int sig) {
    sigset_t set;
    CHECK_RC(pthread_sigmask(SIG_BLOCK, NULL, &set), 0);
    return sigismember(&set, sig);
}

static pthread_t main_thread;
static int sent;

static void *send(void *arg) {
    sleep_ms(3);
    __atomic_store_n(&sent, 1, __ATOMIC_SEQ_CST);
    CHECK_RC(pthread_kill(main_thread, (int)(long)arg), 0);
    return NULL;
}

static void *suspend_all(void *arg) {
    sigset_t both, only_1;
    sigemptyset(&both);
    sigaddset(&both, SIGUSR1);
    sigaddset(&both, SIGUSR2);
    sigfillset(&only_1);
    sigdelset(&only_1, SIGUSR1);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &both, NULL), 0);
    usr1 = usr2 = 0;
    for (int i = 1; i <= 20; i++) {
        // Pending before.
        CHECK_OK(raise(SIGUSR2));
        CHECK_OK(raise(SIGUSR1));
        CHECK_ERR(sigsuspend(&only_1), EINTR);
        CHECK_EQ(usr1, 2 * i - 1);
        CHECK_EQ(usr2, 0);
        CHECK(blocked(SIGUSR1) && blocked(SIGUSR2));
        CHECK(pthread_equal(by, pthread_self()));
        // Coming later.
        main_thread = pthread_self();
        pthread_t t = spawn(send, (void *)SIGUSR1);
        CHECK_ERR(sigsuspend(&only_1), EINTR);
        CHECK_EQ(sent, 1);
        CHECK_EQ(usr1, 2 * i);
        join_thread(t);
        sent = 0;
    }
    CHECK_RC(pthread_sigmask(SIG_UNBLOCK, &both, NULL), 0);
    CHECK_EQ(usr2, 1);
    return arg;
}

static void *pauses(void *arg) {
    CHECK_ERR(pause(), EINTR);
    return arg;
}

int main(void) {
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
    CHECK_OK(sigaction(SIGUSR2, &sa, NULL));
    suspend_all(NULL);
    join_thread(spawn(suspend_all, NULL));
    pthread_t t = spawn(pauses, NULL);
    while (pthread_tryjoin_np(t, NULL) == EBUSY) {
        sleep_ms(1);
        pthread_kill(t, SIGUSR1);
    }
    return 0;
}
