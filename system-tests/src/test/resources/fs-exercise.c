/*
 * Does random things to a file, in two open files and by mappings, and compares all of it with a copy in memory.
 * Arguments: file, seed, number of operations. Prints the last operations where something is wrong.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_SIZE (256 * 1024)
#define MAX_LENGTH (48 * 1024)
#define HISTORY 20

static unsigned char shadow[MAX_SIZE], buffer[MAX_SIZE];
static long size;
static int fd, other;
static const char *name;
static unsigned long state;
static char history[HISTORY][80];
static long operation;

static unsigned long next(unsigned long below) {
    state = state * 6364136223846793005UL + 1442695040888963407UL;
    return (state >> 33) % below;
}

static void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(history[operation % HISTORY], sizeof history[0], format, arguments);
    va_end(arguments);
}

static void fail(const char *what, long at) {
    printf("operation %ld: %s at %ld, size %ld (%s)\n", operation, what, at, size, strerror(errno));
    for (long i = operation < HISTORY ? 0 : operation - HISTORY + 1; i <= operation; i++) {
        printf("%ld %s\n", i, history[i % HISTORY]);
    }
    exit(1);
}

static int pick(void) { return next(2) ? fd : other; }

static void compare(const unsigned char *found, long at, long count, const char *what) {
    for (long i = 0; i < count; i++) {
        if (found[i] != shadow[at + i]) {
            fail(what, at + i);
        }
    }
}

static void fill(long at, long count) {
    for (long i = 0; i < count; i++) {
        shadow[at + i] = (unsigned char)next(256);
    }
    if (at + count > size) {
        size = at + count;
    }
}

static void do_read(long at, long count) {
    say("read %ld %ld", at, count);
    long expected = at >= size ? 0 : (at + count > size ? size - at : count);
    if (pread(pick(), buffer, count, at) != expected) {
        fail("read another length", at);
    }
    compare(buffer, at, expected, "read");
}

static void do_write(long at, long count) {
    say("write %ld %ld", at, count);
    fill(at, count);
    if (pwrite(pick(), shadow + at, count, at) != count) {
        fail("write", at);
    }
}

static void do_truncate(long to) {
    say("truncate %ld", to);
    if (to < size) {
        memset(shadow + to, 0, size - to);
    }
    size = to;
    if (next(2) ? ftruncate(pick(), to) : truncate(name, to)) {
        fail("truncate", to);
    }
}

static void do_zero(long at, long count, int mode, const char *what) {
    say("%s %ld %ld", what, at, count);
    if (fallocate(pick(), mode, at, count)) {
        fail(what, at);
    }
    if (mode == 0) {
        size = at + count > size ? at + count : size;
    } else {
        memset(shadow + at, 0, at >= size ? 0 : (at + count > size ? size - at : count));
    }
}

static void do_allocate(long at, long count) {
    if (next(2)) {
        do_zero(at, count, 0, "allocate");
    } else {
        do_zero(at, count, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, "zero");
    }
}

static void do_copy(long from, long to, long count) {
    if (from + count > size) {
        count = size - from;
    }
    if (count <= 0 || (from < to + count && to < from + count)) {
        return;
    }
    say("copy %ld to %ld %ld", from, to, count);
    loff_t in = from, out = to;
    while (in < from + count) {
        ssize_t done = copy_file_range(fd, &in, other, &out, from + count - in, 0);
        if (done <= 0) {
            fail("copy_file_range", from);
        }
    }
    memmove(shadow + to, shadow + from, count);
    size = to + count > size ? to + count : size;
}

static void do_map(long at, long count, int write) {
    if (at + count > size) {
        count = size - at;
    }
    if (count <= 0) {
        return;
    }
    say("map %s %ld %ld", write ? "write" : "read", at, count);
    long start = at & ~4095L;
    unsigned char *map =
        mmap(NULL, at - start + count, PROT_READ | (write ? PROT_WRITE : 0), MAP_SHARED, pick(), start);
    if (map == MAP_FAILED) {
        fail("mmap", at);
    }
    if (write) {
        fill(at, count);
        memcpy(map + at - start, shadow + at, count);
        if (msync(map, at - start + count, MS_SYNC)) {
            fail("msync", at);
        }
    } else {
        compare(map + at - start, at, count, "mapped");
    }
    munmap(map, at - start + count);
}

static void do_open(int again) {
    say(again ? "open again" : "sync");
    if (again) {
        close(fd);
        fd = open(name, O_RDWR);
    } else if (next(2) ? fsync(fd) : fdatasync(other)) {
        fail("sync", 0);
    }
    struct stat st;
    if (fd < 0 || fstat(fd, &st) || st.st_size != size) {
        fail("another size", (long)st.st_size);
    }
}

int main(int argc, char **argv) {
    name = argv[1];
    state = strtoul(argv[2], NULL, 10);
    long count = argc > 3 ? atol(argv[3]) : 1000;
    fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
    other = open(name, O_RDWR);
    if (fd < 0 || other < 0) {
        fail("open", 0);
    }
    for (operation = 0; operation < count; operation++) {
        long at = next(MAX_SIZE - MAX_LENGTH), length = 1 + next(MAX_LENGTH);
        switch (next(16)) {
            case 0: case 1: case 2: case 3: do_read(at, length); break;
            case 4: case 5: case 6: case 7: do_write(at, length); break;
            case 8: do_truncate(next(MAX_SIZE)); break;
            case 9: do_zero(at, length, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, "punch"); break;
            case 10: do_allocate(at, length); break;
            case 11: do_copy(next(MAX_SIZE - MAX_LENGTH), at, length); break;
            case 12: do_map(at, length, 0); break;
            case 13: do_map(at, length, 1); break;
            case 14: do_open(1); break;
            default: do_open(0); break;
        }
    }
    do_read(0, MAX_SIZE);
    printf("right after %ld operations, size %ld\n", count, size);
    return 0;
}
