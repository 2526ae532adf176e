// A file system that takes its time: while one thread waits in a read, an fsync or a copy of a file of it, the others go
// on; it is one of them that lets the file system answer.
// shows yields: pread64 pwrite64 preadv pwritev fsync fdatasync msync fallocate
#include "check.h"
#include <linux/fuse.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

enum { SIZE = 100000, FILE_NODE = 2 };

static int device, asked[2], answer[2];

static char byte_at(size_t at) { return (char)(at * 31 + at / 4096); }

static void reply(uint64_t unique, int error, const void *data, size_t length) {
    struct fuse_out_header head = {.len = (uint32_t)(sizeof head + length), .error = -error, .unique = unique};
    struct iovec parts[2] = {{&head, sizeof head}, {(void *)data, length}};
    CHECK_EQ(writev(device, parts, 2), sizeof head + length);
}

// Tells that it was asked, and answers when it may.
static void dawdle(char what) {
    char go;
    CHECK_EQ(write(asked[1], &what, 1), 1);
    CHECK_EQ(read(answer[0], &go, 1), 1);
}

static struct fuse_attr attributes(uint64_t node) {
    struct fuse_attr attr = {.ino = node, .nlink = 1, .blksize = 4096};
    attr.mode = node == FILE_NODE ? S_IFREG | 0644 : S_IFDIR | 0755;
    attr.size = node == FILE_NODE ? SIZE : 0;
    return attr;
}

static void serve(void) {
    static char request[1 << 18], data[SIZE];
    for (size_t i = 0; i < SIZE; i++)
        data[i] = byte_at(i);
    for (;;) {
        ssize_t length = read(device, request, sizeof request);
        if (length < 0 && (errno == EINTR || errno == ENOENT))
            continue;
        if (length < 0)
            _exit(errno == ENODEV ? 0 : 1);
        struct fuse_in_header *head = (void *)request;
        void *body = head + 1;
        switch (head->opcode) {
        case FUSE_INIT: {
            struct fuse_init_in *in = body;
            struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION, .minor = in->minor, .max_write = 65536};
            reply(head->unique, 0, &out, sizeof out);
            break;
        }
        case FUSE_LOOKUP: {
            struct fuse_entry_out out = {.nodeid = FILE_NODE, .attr = attributes(FILE_NODE)};
            int known = strcmp(body, "file") == 0;
            reply(head->unique, known ? 0 : ENOENT, &out, known ? sizeof out : 0);
            break;
        }
        case FUSE_GETATTR: {
            struct fuse_attr_out out = {.attr = attributes(head->nodeid)};
            reply(head->unique, 0, &out, sizeof out);
            break;
        }
        case FUSE_OPEN: {
            struct fuse_open_out out = {.fh = 1};
            reply(head->unique, 0, &out, sizeof out);
            break;
        }
        case FUSE_READ: {
            struct fuse_read_in *in = body;
            size_t end = in->offset + in->size < SIZE ? in->offset + in->size : SIZE;
            dawdle('r');
            reply(head->unique, 0, data + in->offset, in->offset < end ? end - in->offset : 0);
            break;
        }
        case FUSE_WRITE: {
            struct fuse_write_in *in = body;
            struct fuse_write_out out = {.size = in->size};
            dawdle('w');
            reply(head->unique, 0, &out, sizeof out);
            break;
        }
        case FUSE_FSYNC:
            dawdle('s');
            reply(head->unique, 0, NULL, 0);
            break;
        case FUSE_FALLOCATE:
            dawdle('a');
            reply(head->unique, 0, NULL, 0);
            break;
        case FUSE_FLUSH:
        case FUSE_RELEASE:
            reply(head->unique, 0, NULL, 0);
            break;
        case FUSE_FORGET:
        case FUSE_BATCH_FORGET:
        case FUSE_INTERRUPT:
            break;
        default:
            reply(head->unique, ENOSYS, NULL, 0);
        }
    }
}

static char path[300];
static int done;

static void check_bytes(const char *data, size_t at, ssize_t length) {
    for (ssize_t i = 0; i < length; i++)
        CHECK_EQ(data[i], byte_at(at + (size_t)i));
}

static void *use(void *arg) {
    char data[9000];
    int fd = open(path, O_RDWR);
    CHECK_OK(fd);
    switch (*(const char *)arg) {
    case 'r':
        CHECK_EQ(read(fd, data, sizeof data), sizeof data);
        check_bytes(data, 0, sizeof data);
        break;
    case 'p':
        CHECK_EQ(pread(fd, data, sizeof data, 50000), sizeof data);
        check_bytes(data, 50000, sizeof data);
        break;
    case 'v': {
        struct iovec parts[2] = {{data, 100}, {data + 100, 4000}};
        CHECK_EQ(preadv(fd, parts, 2, SIZE - 1000), 1000);
        check_bytes(data, SIZE - 1000, 1000);
        break;
    }
    case 'w':
        CHECK_EQ(pwrite(fd, "written", 7, 100), 7);
        break;
    case 'W': {
        struct iovec parts[2] = {{(void *)"wri", 3}, {(void *)"tten", 4}};
        CHECK_EQ(pwritev(fd, parts, 2, 9000), 7);
        break;
    }
    case 's':
        CHECK_OK(fsync(fd));
        break;
    case 'd':
        CHECK_OK(fdatasync(fd));
        break;
    case 'm': {
        void *mapped = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
        CHECK(mapped != MAP_FAILED);
        CHECK_OK(msync(mapped, 4096, MS_SYNC));
        CHECK_OK(munmap(mapped, 4096));
        break;
    }
    case 'a':
        CHECK_OK(posix_fallocate(fd, 0, SIZE));
        break;
    case 'f': {
        int ends[2];
        CHECK_OK(pipe(ends));
        off_t at = 10;
        CHECK_EQ(sendfile(ends[1], fd, &at, 5000), 5000);
        CHECK_EQ(read(ends[0], data, sizeof data), 5000);
        check_bytes(data, 10, 5000);
        CHECK_OK(close(ends[0]));
        CHECK_OK(close(ends[1]));
        break;
    }
    case 'l': {
        FILE *file = fdopen(dup(fd), "r");
        CHECK(file != NULL);
        CHECK_OK(fseek(file, 20000, SEEK_SET));
        CHECK_EQ(fgetc(file), (unsigned char)byte_at(20000));
        CHECK_OK(fclose(file));
        break;
    }
    }
    CHECK_OK(close(fd));
    __atomic_store_n(&done, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

// Main lets the file system answer as often as it is asked: it runs while the other waits.
static void watch(const char *call) {
    int answered = 0;
    done = 0;
    pthread_t thread = spawn(use, (void *)call);
    while (!__atomic_load_n(&done, __ATOMIC_SEQ_CST)) {
        char what;
        if (read(asked[0], &what, 1) == 1) {
            CHECK_EQ(what, strchr("dm", *call) != NULL ? 's' : *call == 'W' ? 'w' : strchr("swa", *call) != NULL ? *call : 'r');
            CHECK(!done);
            CHECK_EQ(write(answer[1], "g", 1), 1);
            answered++;
        } else {
            CHECK_EQ(errno, EAGAIN);
            sleep_ms(1);
        }
    }
    join_thread(thread);
    CHECK(answered > 0);
}

int main(void) {
    char options[100], folder[] = "/tmp/slow_file_system.XXXXXX";
    device = open("/dev/fuse", O_RDWR);
    if (device < 0 || unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        SKIP("no /dev/fuse, or no right to mount");
    CHECK(mkdtemp(folder) != NULL);
    CHECK_OK(pipe(asked));
    CHECK_OK(pipe(answer));
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%d,group_id=%d,allow_other", device, getuid(), getgid());
    if (mount("slow", folder, "fuse", 0, options) != 0) {
        rmdir(folder);
        SKIP("fuse can't be mounted");
    }
    pid_t server = fork();
    CHECK_OK(server);
    if (server == 0)
        serve();
    CHECK_OK(close(device));
    CHECK_OK(fcntl(asked[0], F_SETFL, O_NONBLOCK));
    snprintf(path, sizeof path, "%s/file", folder);
    static const char *const calls[] = {"r", "p", "v", "f", "l", "w", "W", "s", "d", "m", "a"};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        watch(calls[i]);
    CHECK_OK(umount2(folder, MNT_DETACH));
    CHECK_EQ(wait_child(server), 0);
    CHECK_OK(rmdir(folder));
    return 0;
}
