/* What a POSIX file system does, tried in the current folder. Prints the names of what failed; exits with their number. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static int failures;

static void check(int ok, const char *what) {
    if (!ok) {
        failures++;
        printf("FAIL %s (%s)\n", what, strerror(errno));
    }
}

static int file(const char *name, const char *text) {
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
    check(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), name);
    return fd;
}

static int holds(const char *name, const char *text) {
    char buffer[4096] = {0};
    int fd = open(name, O_RDONLY);
    ssize_t n = read(fd, buffer, sizeof buffer - 1);
    close(fd);
    return n == (ssize_t)strlen(text) && !memcmp(buffer, text, n);
}

static void names(void) {
    struct stat st;
    char target[64] = {0};
    close(file("a", "alpha"));
    close(file("b", "beta"));
    check(symlink("a", "s") == 0 && readlink("s", target, 63) == 1 && target[0] == 'a', "symlink");
    check(holds("s", "alpha"), "through symlink");
    check(link("a", "h") == 0 && stat("a", &st) == 0 && st.st_nlink == 2, "link");
    check(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE) == -1 && errno == EEXIST, "noreplace");
    check(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE) == 0, "exchange");
    check(holds("a", "beta") && holds("b", "alpha") && holds("h", "alpha"), "exchanged");
    check(mkdir("d", 0755) == 0 && mkdir("d/e", 0755) == 0 && rename("a", "d/e/a") == 0, "rename into folder");
    check(holds("d/e/a", "beta") && access("a", F_OK) == -1 && errno == ENOENT, "renamed");
    check(rmdir("d") == -1 && errno == ENOTEMPTY, "rmdir of a full folder");
    check(rename("d", "d/e/x") == -1 && errno == EINVAL, "rename into itself");
    check(mkfifo("fifo", 0600) == 0 && stat("fifo", &st) == 0 && S_ISFIFO(st.st_mode), "mkfifo");
    check(mknod("dev", S_IFBLK | 0600, 0x800) == -1 && errno == EPERM, "device file is refused");
    int fd = file("gone", "still here");
    check(unlink("gone") == 0 && lseek(fd, 0, SEEK_SET) == 0, "unlink open");
    check(read(fd, target, 63) == 10 && fstat(fd, &st) == 0 && st.st_nlink == 0, "read unlinked");
    close(fd);
    check(stat("..", &st) == 0, "parent");
}

static void attributes(void) {
    struct stat st;
    struct statx sx;
    struct statvfs vfs;
    int fd = file("attr", "0123456789");
    check(fchmod(fd, 0640) == 0 && fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0640, "chmod");
    check(fchown(fd, 1234, 4321) == 0 && fstat(fd, &st) == 0 && st.st_uid == 1234 && st.st_gid == 4321, "chown");
    check(ftruncate(fd, 4) == 0 && fstat(fd, &st) == 0 && st.st_size == 4, "truncate");
    struct timespec times[2] = {{1000000000, 5}, {1100000000, 7}};
    check(futimens(fd, times) == 0 && fstat(fd, &st) == 0 && st.st_mtim.tv_sec == 1100000000
            && st.st_mtim.tv_nsec == 7 && st.st_atim.tv_sec == 1000000000, "utimens");
    check(statx(AT_FDCWD, "attr", 0, STATX_BASIC_STATS | STATX_BTIME, &sx) == 0 && sx.stx_size == 4, "statx");
    check((sx.stx_mask & STATX_BTIME) && sx.stx_btime.tv_sec > 1500000000, "statx birth time");
    check(statvfs(".", &vfs) == 0 && vfs.f_blocks > 0 && vfs.f_namemax == 255, "statvfs");
    char value[64];
    check(fsetxattr(fd, "user.colour", "red", 3, XATTR_CREATE) == 0, "setxattr");
    check(fsetxattr(fd, "user.colour", "red", 3, XATTR_CREATE) == -1 && errno == EEXIST, "setxattr create");
    check(getxattr("attr", "user.colour", value, 64) == 3 && !memcmp(value, "red", 3), "getxattr");
    check(getxattr("attr", "user.none", value, 64) == -1 && errno == ENODATA, "getxattr none");
    check(listxattr("attr", value, 64) == 12 && !strcmp(value, "user.colour"), "listxattr");
    check(removexattr("attr", "user.colour") == 0 && listxattr("attr", value, 64) == 0, "removexattr");
    close(fd);
    umask(027);
    check(mkdir("masked", 0777) == 0 && stat("masked", &st) == 0 && (st.st_mode & 0777) == 0750, "umask");
    umask(022);
    if (fork() == 0) {
        failures = 0;
        setgid(77);
        setuid(88);
        check(open("refused", O_CREAT | O_RDWR, 0600) == -1 && errno == EACCES, "permission");
        fd = open("open/mine", O_CREAT | O_RDWR, 0600);
        check(fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == 88 && st.st_gid == 77, "owner");
        fd = open("open/suid", O_WRONLY);
        check(write(fd, "x", 1) == 1 && stat("open/suid", &st) == 0 && !(st.st_mode & S_ISUID), "setuid bit goes");
        _exit(failures);
    }
    int status;
    wait(&status);
    failures += WEXITSTATUS(status);
}

static void data(void) {
    struct stat st;
    char buffer[64];
    int fd = open("holes", O_RDWR | O_CREAT | O_TRUNC, 0600);
    check(pwrite(fd, "end", 3, 8 << 20) == 3, "write behind a hole");
    check(fsync(fd) == 0, "fsync"); /* With a write-back cache the host alone knows where holes are. */
    check(lseek(fd, 0, SEEK_DATA) == 8 << 20 && lseek(fd, 0, SEEK_HOLE) == 0, "seek data and hole");
    check(fallocate(fd, 0, 0, 1 << 20) == 0 && fstat(fd, &st) == 0 && st.st_blocks >= 2048, "fallocate");
    check(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1 << 20) == 0, "punch hole");
    int to = open("copy", O_RDWR | O_CREAT | O_TRUNC, 0600);
    loff_t from = 8 << 20, at = 5;
    check(copy_file_range(fd, &from, to, &at, 3, 0) == 3 && pread(to, buffer, 64, 0) == 8
            && !memcmp(buffer + 5, "end", 3), "copy_file_range");
    close(to);
    check(ftruncate(fd, 8192) == 0, "shorten");
    char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    check(map != MAP_FAILED, "mmap");
    if (map != MAP_FAILED) {
        strcpy(map + 4096, "mapped");
        check(msync(map, 8192, MS_SYNC) == 0 && pread(fd, buffer, 6, 4096) == 6 && !memcmp(buffer, "mapped", 6), "msync");
        munmap(map, 8192);
    }
    check(fsync(fd) == 0 && fdatasync(fd) == 0, "fsync");
    close(fd);
    int one = open("log", O_WRONLY | O_CREAT | O_APPEND | O_TRUNC, 0600);
    int two = open("log", O_WRONLY | O_APPEND);
    check(write(one, "1", 1) == 1 && write(two, "2", 1) == 1 && write(one, "3", 1) == 1, "append");
    check(holds("log", "123"), "appended");
    close(one);
    close(two);
    fd = open(".", O_RDONLY | O_DIRECTORY);
    check(fsync(fd) == 0, "fsync of a folder");
    close(fd);
}

static void locks(void) {
    int fd = file("lock", "0123456789");
    int ready[2], done[2];
    char c;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 3};
    check(fcntl(fd, F_SETLK, &lock) == 0, "lock");
    check(pipe(ready) == 0 && pipe(done) == 0, "pipe");
    if (fork() == 0) {
        failures = 0;
        int own = open("lock", O_RDWR);
        struct flock other = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 4, .l_len = 1};
        check(fcntl(own, F_SETLK, &other) == -1 && errno == EAGAIN, "locked by another");
        check(fcntl(own, F_GETLK, &other) == 0 && other.l_type == F_WRLCK && other.l_start == 2 && other.l_len == 3
                && other.l_pid == getppid(), "getlk");
        struct flock free = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 0};
        check(fcntl(own, F_SETLK, &free) == 0, "another range");
        check(flock(own, LOCK_EX | LOCK_NB) == 0, "flock");
        check(write(ready[1], "r", 1) == 1, "tell");
        struct flock wait = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 3};
        check(fcntl(own, F_SETLKW, &wait) == 0, "wait for a lock");
        check(read(done[0], &c, 1) == 1, "told");
        _exit(failures);
    }
    check(read(ready[0], &c, 1) == 1, "child");
    check(flock(fd, LOCK_SH | LOCK_NB) == -1 && errno == EWOULDBLOCK, "flock by another");
    usleep(300000);
    lock.l_type = F_UNLCK;
    check(fcntl(fd, F_SETLK, &lock) == 0, "unlock");
    int waited = 0;
    do {
        lock.l_type = F_WRLCK;
        usleep(10000);
    } while (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK && ++waited < 500);
    check(lock.l_type == F_WRLCK, "the waiter has the lock");
    check(write(done[1], "d", 1) == 1, "tell");
    int status;
    wait(&status);
    failures += WEXITSTATUS(status);
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    check(fcntl(fd, F_SETLK, &all) == 0 && flock(fd, LOCK_EX | LOCK_NB) == 0, "free when its process ended");
    close(fd);
}

static void folders(void) {
    char name[64];
    mkdir("many", 0755);
    for (int i = 0; i < 1000; i++) {
        sprintf(name, "many/a-file-with-a-name-of-some-length-%d", i);
        close(open(name, O_CREAT | O_WRONLY, 0600));
    }
    DIR *dir = opendir("many");
    int count = 0;
    long middle = -1;
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        if (++count == 500) {
            middle = telldir(dir);
        }
    }
    check(count == 1002, "readdir");
    seekdir(dir, middle);
    while (readdir(dir)) {
        count--;
    }
    check(count == 500, "seekdir");
    closedir(dir);
}

int main(void) {
    mkdir("open", 0777);
    chmod("open", 0777);
    close(file("open/suid", "#!"));
    chmod("open/suid", 04777);
    names();
    attributes();
    data();
    folders();
    if (!getenv("NO_LOCKS")) {
        locks();
    }
    printf("failures %d\n", failures);
    return failures;
}
