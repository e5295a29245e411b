/* Counts the calls by which a process touches files below one folder, and at the n-th of them fails or kills it.

   Preloaded (LD_PRELOAD) into a process of the tests, which arms it after each fork. Calls that touch anything else,
   sockets included, pass through. It can also set the clock of its process. */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* What a call can meet: a full disk, a missing permission, a failing device; being cut off within its bytes; or a kill
   that leaves something else on the disk than a kill before it. */
enum { SPACE = 1, PERMISSION = 2, DEVICE = 4, BYTES = 8, CHANGE = 16 };

enum { LOG_SIZE = 1 << 20 };
enum mode { OFF, FAIL_ONCE, FAIL_FROM_HERE_ON, FILL_UP, KILL_BEFORE, KILL_AFTER, KILL_WITHIN };
enum fate { PASS, FAIL, HALF, KILL, KILL_HALF };

struct report {
    atomic_long calls; /* that the plan counts */
    char hit[PATH_MAX + 64]; /* the n-th of them */
    double at; /* and its time, in seconds of the monotonic clock */
    atomic_long used;
    char log[LOG_SIZE]; /* all of them, one on each line, as far as they fit */
};

static struct report *report; /* shared with the parent, which reads it after a kill */
static char folder[PATH_MAX];
static size_t length;
static long nth;
static int plan, number, counted;
static long shift; /* of the clock, in seconds: responses of another day are made within a second */

__attribute__((constructor)) static void prepare(void) {
    report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

void system_calls_arm(const char *below, long n, int mode, int error, int kinds) {
    length = strlen(below);
    memcpy(folder, below, length + 1);
    nth = n, number = error, counted = kinds;
    plan = mode;
}

void system_calls_disarm(void) { plan = OFF; }
void system_calls_clear(void) {
    report->calls = 0;
    report->hit[0] = 0;
    report->at = 0;
    memset(report->log, 0, report->used < LOG_SIZE ? report->used : LOG_SIZE);
    report->used = 0;
}
long system_calls_count(void) { return report->calls; }
void system_calls_shift_clock(long seconds) { shift = seconds; }
const char *system_calls_hit(void) { return report->hit; }
const char *system_calls_log(void) { return report->log; }
double system_calls_at(void) { return report->at; }

static int is_below(const char *path) {
    return !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
}

/* Where a call points: to an absolute path, or to one that begins at an open folder or file. */
static int place(int at, const char *path, char *where) {
    if (path && path[0] == '/') {
        snprintf(where, PATH_MAX, "%s", path);
        return is_below(where);
    }
    char link[64] = "/proc/self/cwd";
    if (at != AT_FDCWD)
        snprintf(link, sizeof link, "/proc/self/fd/%d", at);
    ssize_t size = readlink(link, where, PATH_MAX - 1);
    if (size < 0)
        return 0;
    where[size] = 0;
    if (!is_below(where))
        return 0;
    if (path && path[0])
        snprintf(where + size, PATH_MAX - size, "/%s", path);
    return 1;
}

static void note(const char *call, const char *where) {
    char line[PATH_MAX + 64];
    int size = snprintf(line, sizeof line, "%s %s\n", call, where);
    long from = atomic_fetch_add(&report->used, size);
    if (from + size < LOG_SIZE)
        memcpy(report->log + from, line, size);
}

static enum fate fate_of(const char *call, int kinds, int at, const char *path) {
    char where[PATH_MAX];
    if (plan == OFF || !(kinds & counted))
        return PASS;
    int before = errno;
    int is_ours = place(at, path, where);
    errno = before;
    if (!is_ours)
        return PASS;
    long n = atomic_fetch_add(&report->calls, 1) + 1;
    note(call, where);
    if (n == nth) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        report->at = now.tv_sec + now.tv_nsec / 1e9;
        snprintf(report->hit, sizeof report->hit, "%s %s", call, where);
    }
    if (n < nth || (n > nth && plan != FAIL_FROM_HERE_ON && plan != FILL_UP))
        return PASS;
    switch (plan) {
        case KILL_BEFORE: raise(SIGKILL); return PASS;
        case KILL_AFTER: return KILL;
        case KILL_WITHIN: return KILL_HALF;
        case FILL_UP:
            if (n == nth && (kinds & BYTES))
                return HALF;
    }
    errno = number;
    return FAIL;
}

#define WRAP(type, name, parameters, arguments, kinds, at, path, failure) \
    type name parameters { \
        static type(*next) parameters; \
        if (!next) \
            next = (type(*) parameters)dlsym(RTLD_NEXT, #name); \
        enum fate fate = fate_of(#name, kinds, at, path); \
        if (fate == FAIL) \
            return failure; \
        type result = next arguments; \
        if (fate == KILL || fate == KILL_HALF) \
            raise(SIGKILL); \
        return result; \
    }

#define WRAP_OPEN(name, before, given, at, path) \
    int name(before const char *path, int flags, ...) { \
        static int (*next)(before const char *, int, ...); \
        if (!next) \
            next = (int (*)(before const char *, int, ...))dlsym(RTLD_NEXT, #name); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        enum fate fate = fate_of(#name, PERMISSION | DEVICE | (flags & (O_CREAT | O_TRUNC) ? SPACE | CHANGE : 0), at, path); \
        if (fate == FAIL) \
            return -1; \
        int result = next(given path, flags, mode); \
        if (fate == KILL) \
            raise(SIGKILL); \
        return result; \
    }

/* A write that the plan cuts off: half of the bytes arrive, then the disk is full or the process dies. */
#define WRAP_WRITE(name, more, given) \
    ssize_t name(int fd, const void *bytes, size_t size more) { \
        static ssize_t (*next)(int, const void *, size_t more); \
        if (!next) \
            next = (ssize_t(*)(int, const void *, size_t more))dlsym(RTLD_NEXT, #name); \
        enum fate fate = fate_of(#name, SPACE | DEVICE | BYTES | CHANGE, fd, NULL); \
        if (fate == FAIL || (fate == HALF && size < 2)) { \
            errno = number; \
            return -1; \
        } \
        ssize_t result = next(fd, bytes, fate == HALF || fate == KILL_HALF ? size / 2 : size given); \
        if (fate == KILL || fate == KILL_HALF) \
            raise(SIGKILL); \
        return result; \
    }

#define NOTHING
#define COMMA ,

WRAP_OPEN(open, NOTHING, NOTHING, AT_FDCWD, path)
WRAP_OPEN(open64, NOTHING, NOTHING, AT_FDCWD, path)
WRAP_OPEN(openat, int at COMMA, at COMMA, at, path)
WRAP_OPEN(openat64, int at COMMA, at COMMA, at, path)
WRAP(DIR *, opendir, (const char *path), (path), PERMISSION | DEVICE, AT_FDCWD, path, NULL)

WRAP_WRITE(write, NOTHING, NOTHING)
WRAP_WRITE(pwrite, COMMA off_t offset, COMMA offset)
WRAP_WRITE(pwrite64, COMMA off64_t offset, COMMA offset)
WRAP(ssize_t, writev, (int fd, const struct iovec *parts, int n), (fd, parts, n), SPACE | DEVICE | CHANGE, fd, NULL, -1)
WRAP(ssize_t, sendfile64, (int out, int in, off64_t *offset, size_t size), (out, in, offset, size), SPACE | DEVICE | CHANGE, out, NULL, -1)
WRAP(ssize_t, copy_file_range, (int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags),
     (in, from, out, to, size, flags), SPACE | DEVICE | CHANGE, out, NULL, -1)

WRAP(ssize_t, read, (int fd, void *bytes, size_t size), (fd, bytes, size), DEVICE, fd, NULL, -1)
WRAP(ssize_t, pread, (int fd, void *bytes, size_t size, off_t offset), (fd, bytes, size, offset), DEVICE, fd, NULL, -1)
WRAP(ssize_t, pread64, (int fd, void *bytes, size_t size, off64_t offset), (fd, bytes, size, offset), DEVICE, fd, NULL, -1)

WRAP(int, fsync, (int fd), (fd), SPACE | DEVICE, fd, NULL, -1)
WRAP(int, fdatasync, (int fd), (fd), SPACE | DEVICE, fd, NULL, -1)
WRAP(int, ftruncate, (int fd, off_t size), (fd, size), SPACE | DEVICE | CHANGE, fd, NULL, -1)
WRAP(int, ftruncate64, (int fd, off64_t size), (fd, size), SPACE | DEVICE | CHANGE, fd, NULL, -1)
WRAP(int, truncate64, (const char *path, off64_t size), (path, size), SPACE | PERMISSION | DEVICE | CHANGE, AT_FDCWD, path, -1)
WRAP(int, posix_fallocate64, (int fd, off64_t from, off64_t size), (fd, from, size), SPACE | DEVICE | CHANGE, fd, NULL, number)
WRAP(void *, mmap64, (void *at, size_t size, int access, int flags, int fd, off64_t offset),
     (at, size, access, flags, fd, offset), flags & MAP_ANONYMOUS ? 0 : DEVICE, fd, NULL, MAP_FAILED)
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode), PERMISSION | DEVICE | CHANGE, fd, NULL, -1)

WRAP(int, chmod, (const char *path, mode_t mode), (path, mode), PERMISSION | DEVICE | CHANGE, AT_FDCWD, path, -1)
WRAP(int, fchmodat, (int at, const char *path, mode_t mode, int flags), (at, path, mode, flags), PERMISSION | DEVICE | CHANGE, at, path, -1)
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode), SPACE | PERMISSION | DEVICE | CHANGE, AT_FDCWD, path, -1)
WRAP(int, mkdirat, (int at, const char *path, mode_t mode), (at, path, mode), SPACE | PERMISSION | DEVICE | CHANGE, at, path, -1)
WRAP(int, rmdir, (const char *path), (path), PERMISSION | DEVICE | CHANGE, AT_FDCWD, path, -1)
WRAP(int, unlink, (const char *path), (path), PERMISSION | DEVICE | CHANGE, AT_FDCWD, path, -1)
WRAP(int, unlinkat, (int at, const char *path, int flags), (at, path, flags), PERMISSION | DEVICE | CHANGE, at, path, -1)
WRAP(int, rename, (const char *from, const char *to), (from, to), SPACE | PERMISSION | DEVICE | CHANGE, AT_FDCWD, to, -1)
WRAP(int, renameat, (int at, const char *from, int there, const char *to), (at, from, there, to),
     SPACE | PERMISSION | DEVICE | CHANGE, there, to, -1)
WRAP(int, link, (const char *from, const char *to), (from, to), SPACE | PERMISSION | DEVICE | CHANGE, AT_FDCWD, to, -1)
WRAP(int, linkat, (int at, const char *from, int there, const char *to, int flags), (at, from, there, to, flags),
     SPACE | PERMISSION | DEVICE | CHANGE, there, to, -1)
WRAP(int, symlink, (const char *target, const char *path), (target, path), SPACE | PERMISSION | DEVICE | CHANGE, AT_FDCWD, path, -1)

WRAP(int, stat64, (const char *path, struct stat64 *found), (path, found), PERMISSION | DEVICE, AT_FDCWD, path, -1)
WRAP(int, lstat64, (const char *path, struct stat64 *found), (path, found), PERMISSION | DEVICE, AT_FDCWD, path, -1)
WRAP(int, fstatat64, (int at, const char *path, struct stat64 *found, int flags), (at, path, found, flags),
     PERMISSION | DEVICE, at, path, -1)
WRAP(int, fstat64, (int fd, struct stat64 *found), (fd, found), DEVICE, fd, NULL, -1)

/* The bytes of a file that fails to close may be lost, but its number is free all the same. */
static int is_written(int fd) {
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

int close(int fd) {
    static int (*next)(int);
    if (!next)
        next = (int (*)(int))dlsym(RTLD_NEXT, "close");
    enum fate fate = fate_of("close", is_written(fd) ? SPACE | DEVICE : 0, fd, NULL);
    int result = next(fd);
    if (fate == KILL)
        raise(SIGKILL);
    if (fate == FAIL || fate == HALF) {
        errno = number;
        return -1;
    }
    return result;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*next)(clockid_t, struct timespec *);
    if (!next)
        next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = next(clock, now);
    if (!result && clock == CLOCK_REALTIME)
        now->tv_sec += shift;
    return result;
}
