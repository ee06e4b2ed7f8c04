/* A disk that fails: below one folder the n-th change to a file fails with an error, or it and every later one, or the
 * process is killed there.
 *
 * Preloaded (LD_PRELOAD), so that it stands before the C library for everything in a process: Python, Arrow and DuckDB.
 * Counted is what needs room or a healthy disk: writing, growing, syncing, creating and renaming. A full disk lets files be
 * removed and read; one that is read-only (EROFS) neither removes nor opens for writing.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char folder[PATH_MAX];
static size_t folder_length;
static atomic_long count, fails_at;
static atomic_int with_error, from_then_on;

/* From now on the change number `at` (none if 0) below `below` fails with `error`; the process is killed if that is 0. */
void failing_disk(const char *below, long at, int error, int lasting) {
    atomic_store(&fails_at, 0);
    snprintf(folder, sizeof folder, "%s", below);
    folder_length = strlen(folder);
    atomic_store(&with_error, error);
    atomic_store(&from_then_on, lasting);
    atomic_store(&count, 0);
    atomic_store(&fails_at, at);
}

long failing_disk_count(void) { return atomic_load(&count); }

__attribute__((constructor)) static void armed_by_environment(void) {
    const char *below = getenv("FAILING_DISK_BELOW"), *at = getenv("FAILING_DISK_AT");
    const char *error = getenv("FAILING_DISK_ERROR"), *lasting = getenv("FAILING_DISK_LASTING");
    if (below && at && error)
        failing_disk(below, atol(at), atoi(error), lasting != NULL);
}

static int is_below(const char *path) {
    return atomic_load(&fails_at) && !strncmp(path, folder, folder_length) &&
           (path[folder_length] == '/' || !path[folder_length]);
}

static int fails_for(const char *path) {
    if (!is_below(path))
        return 0;
    long now = atomic_fetch_add(&count, 1) + 1, at = atomic_load(&fails_at);
    if (now != at && !(now > at && atomic_load(&from_then_on)))
        return 0;
    if (!atomic_load(&with_error))
        kill(getpid(), SIGKILL);
    errno = atomic_load(&with_error);
    return 1;
}

static int fails(int file) {
    if (!atomic_load(&fails_at))
        return 0;
    char link[64], path[PATH_MAX];
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = before;
    if (length < 0)
        return 0;
    path[length] = 0;
    return fails_for(path);
}

static int is_read_only(const char *path) {
    if (atomic_load(&with_error) != EROFS || !is_below(path))
        return 0;
    errno = EROFS;
    return 1;
}

#define CHANGE(type, name, failing, given, ...) \
    type name given { \
        static type(*next) given; \
        if (!next) \
            next = (type(*) given)dlsym(RTLD_NEXT, #name); \
        return (failing) ? -1 : next(__VA_ARGS__); \
    }

CHANGE(ssize_t, write, fails(file), (int file, const void *data, size_t size), file, data, size)
CHANGE(ssize_t, writev, fails(file), (int file, const struct iovec *parts, int number), file, parts, number)
CHANGE(ssize_t, pwrite, fails(file), (int file, const void *data, size_t size, off_t at), file, data, size, at)
CHANGE(ssize_t, pwrite64, fails(file), (int file, const void *data, size_t size, off64_t at), file, data, size, at)
CHANGE(ssize_t, sendfile, fails(to), (int to, int from, off_t *at, size_t size), to, from, at, size)
CHANGE(ssize_t, sendfile64, fails(to), (int to, int from, off64_t *at, size_t size), to, from, at, size)
CHANGE(ssize_t, copy_file_range, fails(to),
       (int from, off64_t *at, int to, off64_t *there, size_t size, unsigned flags), from, at, to, there, size, flags)
CHANGE(int, ftruncate, fails(file), (int file, off_t size), file, size)
CHANGE(int, ftruncate64, fails(file), (int file, off64_t size), file, size)
CHANGE(int, fallocate, fails(file), (int file, int mode, off_t at, off_t size), file, mode, at, size)
CHANGE(int, fsync, fails(file), (int file), file)
CHANGE(int, fdatasync, fails(file), (int file), file)
CHANGE(int, mkdir, access(path, F_OK) && fails_for(path), (const char *path, mode_t mode), path, mode)
CHANGE(int, rename, fails_for(to), (const char *from, const char *to), from, to)
CHANGE(int, unlink, is_read_only(path), (const char *path), path)
CHANGE(int, rmdir, is_read_only(path), (const char *path), path)

/* Opening: the mode is there only where a file may be made. */
#define OPENING(name, folder_declared, folder_given) \
    int name(folder_declared const char *path, int flags, ...) { \
        static int (*next)(folder_declared const char *, int, ...); \
        if (!next) \
            next = (int (*)(folder_declared const char *, int, ...))dlsym(RTLD_NEXT, #name); \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, mode_t) : 0; \
        va_end(more); \
        int changes = flags & (O_CREAT | O_TRUNC | __O_TMPFILE); \
        if ((changes && fails_for(path)) || ((flags & O_ACCMODE) != O_RDONLY && is_read_only(path))) \
            return -1; \
        return next(folder_given path, flags, mode); \
    }
#define NO_FOLDER
#define FOLDER_DECLARED int at,
#define FOLDER_GIVEN at,
OPENING(open, NO_FOLDER, NO_FOLDER)
OPENING(open64, NO_FOLDER, NO_FOLDER)
OPENING(openat, FOLDER_DECLARED, FOLDER_GIVEN)
OPENING(openat64, FOLDER_DECLARED, FOLDER_GIVEN)
