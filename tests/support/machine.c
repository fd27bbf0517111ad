/* What a machine does to a process at its worst: a library that is loaded in front of the C library.
 *
 * The file that MACHINE_ORDERS names holds struct orders; the test writes it, the process reads it at every call.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct orders {
    int64_t clock_ms;      /* what the wall clock is ahead of the machine's */
    int32_t sync_ms;       /* how much longer each fsync and fdatasync takes */
    int32_t sync_errno;    /* not 0: they fail with it */
    int32_t write_errno;   /* not 0: pwrite fails with it */
    int32_t failures;      /* how many calls fail before it is over; -1: all */
    int32_t syncs;         /* counted here: how many were asked for */
    int32_t failed;        /* and how many calls failed */
};

static volatile struct orders *orders;

static volatile struct orders *told(void) {
    static struct orders nothing;
    if (orders == NULL) {
        const char *path = getenv("MACHINE_ORDERS");
        int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
        void *at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *orders, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (fd >= 0) close(fd);
        orders = at == MAP_FAILED ? &nothing : at;
    }
    return orders;
}

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

static int fails(int32_t code) {
    volatile struct orders *o = told();
    if (code == 0 || o->failures == 0) return 0;
    if (o->failures > 0) __sync_sub_and_fetch(&o->failures, 1);
    __sync_add_and_fetch(&o->failed, 1);
    errno = code;
    return 1;
}

static int synced(const char *name, int fd) {
    volatile struct orders *o = told();
    int (*real)(int) = (int (*)(int))next(name);
    __sync_add_and_fetch(&o->syncs, 1);
    if (o->sync_ms > 0) {
        struct timespec pause = {o->sync_ms / 1000, (o->sync_ms % 1000) * 1000000L};
        nanosleep(&pause, NULL);
    }
    if (fails(o->sync_errno)) return -1;
    return real(fd);
}

int fsync(int fd) { return synced("fsync", fd); }
int fdatasync(int fd) { return synced("fdatasync", fd); }

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (real == NULL) real = (ssize_t (*)(int, const void *, size_t, off64_t))next("pwrite64");
    if (fails(told()->write_errno)) return -1;
    return real(fd, data, size, at);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }

static int64_t ahead(void) { return told()->clock_ms; }

int clock_gettime(clockid_t which, struct timespec *out) {
    static int (*real)(clockid_t, struct timespec *);
    if (real == NULL) real = (int (*)(clockid_t, struct timespec *))next("clock_gettime");
    int result = real(which, out);
    if (result == 0 && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) {
        int64_t ns = out->tv_nsec + (ahead() % 1000) * 1000000;
        out->tv_sec += ahead() / 1000;
        if (ns < 0) { ns += 1000000000; out->tv_sec -= 1; }
        if (ns >= 1000000000) { ns -= 1000000000; out->tv_sec += 1; }
        out->tv_nsec = ns;
    }
    return result;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
