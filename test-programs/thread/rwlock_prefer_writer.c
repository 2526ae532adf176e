// With PREFER_WRITER_NONRECURSIVE a waiting writer goes before readers that come later.
#include "check.h"

static pthread_rwlock_t lock;
static int written, late_readers;

static void *writer(void *arg) {
    CHECK_RC(pthread_rwlock_wrlock(&lock), 0);
    CHECK_EQ(late_readers, 0);
    written = 1;
    CHECK_RC(pthread_rwlock_unlock(&lock), 0);
    return arg;
}

static void *late_reader(void *arg) {
    CHECK_RC(pthread_rwlock_rdlock(&lock), 0);
    CHECK_EQ(written, 1);
    __atomic_add_fetch(&late_readers, 1, __ATOMIC_SEQ_CST);
    CHECK_RC(pthread_rwlock_unlock(&lock), 0);
    return arg;
}

static void *is_writer_waiting(void *arg) {
    (void)arg;
    int rc = pthread_rwlock_tryrdlock(&lock);
    if (rc == 0)
        CHECK_RC(pthread_rwlock_unlock(&lock), 0);
    return (void *)(long)rc;
}

int main(void) {
    pthread_rwlockattr_t attr;
    CHECK_RC(pthread_rwlockattr_init(&attr), 0);
    CHECK_RC(pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP), 0);
    CHECK_RC(pthread_rwlock_init(&lock, &attr), 0);
    CHECK_RC(pthread_rwlock_rdlock(&lock), 0);
    pthread_t w = spawn(writer, NULL), readers[10];
    EVENTUALLY((long)join_thread(spawn(is_writer_waiting, NULL)) == EBUSY);
    for (int i = 0; i < 10; i++)
        readers[i] = spawn(late_reader, NULL);
    sleep_ms(10);
    CHECK_EQ(written, 0);
    CHECK_EQ(late_readers, 0);
    CHECK_RC(pthread_rwlock_unlock(&lock), 0);
    join_thread(w);
    for (int i = 0; i < 10; i++)
        join_thread(readers[i]);
    CHECK_EQ(late_readers, 10);
    return 0;
}
