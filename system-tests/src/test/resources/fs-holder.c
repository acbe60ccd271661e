/* Holds a file open and locked and writes a counter into it until a line comes; then says what it found. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    (void)argc;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 8};
    int fd = open(argv[1], O_RDWR | O_CREAT, 0600);
    if (fd < 0 || fcntl(fd, F_SETLK, &lock)) {
        puts("cannot begin");
        return 1;
    }
    pid_t waiter = fork();
    if (waiter == 0) {
        int own = open(argv[1], O_RDWR);
        struct flock wait = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 8};
        _exit(fcntl(own, F_SETLKW, &wait) ? 2 : 0);
    }
    puts("held");
    fflush(stdout);
    unsigned long count = 0, errors = 0;
    struct pollfd in = {.fd = open(argv[2], O_RDONLY | O_NONBLOCK), .events = POLLIN};
    while (poll(&in, 1, 0) <= 0 || !(in.revents & POLLIN)) {
        unsigned long back = 0;
        count++;
        if (pwrite(fd, &count, 8, 64) != 8 || fsync(fd) || pread(fd, &back, 8, 64) != 8 || back != count) {
            errors++;
        }
        if (waitpid(waiter, NULL, WNOHANG)) {
            errors += 1000;
            break;
        }
        usleep(2000);
    }
    lock.l_type = F_UNLCK;
    int status = -1;
    if (fcntl(fd, F_SETLK, &lock) || waitpid(waiter, &status, 0) != waiter || status) {
        errors += 100000;
    }
    printf("count %lu errors %lu\n", count, errors);
    return errors != 0;
}
