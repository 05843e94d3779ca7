/* A file system without locks, as NFS without its lock daemon: loaded before the C library. */
#include <errno.h>

int flock(int file, int operation) {
    errno = ENOLCK;
    return -1;
}

int lockf(int file, int operation, long length) {
    errno = ENOLCK;
    return -1;
}
