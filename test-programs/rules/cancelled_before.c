// A cancellation that is pending acts in calls on files, which never wait for long, before they do anything.
// shows cancelled: pread64 pwrite64 preadv pwritev fsync fdatasync msync fallocate
#include "rules/points.h"

static int file;
static char data[4];
static struct iovec part = {data, 4};

static void in_pread(void) { (void)!pread(file, data, 4, 0); }
static void in_pwrite(void) { (void)!pwrite(file, "new!", 4, 0); }
static void in_preadv(void) { (void)!preadv(file, &part, 1, 0); }
static void in_pwritev(void) { (void)!pwritev(file, &part, 1, 0); }
static void in_fsync(void) { (void)fsync(file); }
static void in_fdatasync(void) { (void)fdatasync(file); }
static void in_msync(void) { (void)msync(NULL, 0, MS_SYNC); }
static void in_fallocate(void) { (void)fallocate(file, 0, 0, 100); }
static void in_file_write(void) { (void)!write(file, "new!", 4); }
static void in_file_read(void) { (void)!read(file, data, 4); }

static void *calls(void *arg) {
    CHECK_RC(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL), 0);
    CHECK_RC(pthread_cancel(pthread_self()), 0);
    CHECK_RC(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL), 0);
    (*(void (**)(void))arg)();
    return NULL;
}

int main(void) {
    static void (*const all[])(void) = {in_pread, in_pwrite, in_preadv, in_pwritev, in_fsync, in_fdatasync, in_msync, in_fallocate, in_file_write, in_file_read};
    file = temp_file();
    CHECK_EQ(pwrite(file, "old!", 4, 0), 4);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (join_thread(spawn(calls, (void *)&all[i])) != PTHREAD_CANCELED)
            CHECK_FAIL("call %zu was not cancelled", i);
        CHECK_EQ(lseek(file, 0, SEEK_CUR), 0);
        char now[4];
        CHECK_EQ(pread(file, now, 4, 0), 4);
        CHECK(memcmp(now, "old!", 4) == 0);
    }
    return 0;
}
