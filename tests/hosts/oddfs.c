/* Makes calls answer as they do on some real file systems, below a whole program:
     cc -shared -fPIC -o oddfs.so oddfs.c -ldl; ODDFS=locks,modes LD_PRELOAD=./oddfs.so PROGRAM
   locks   flock: ENOLCK, as NFS without its lock daemon
   modes   fchmod, chmod, futimens, utimensat: EPERM, as FAT mounted for everybody
   folders fsync of a directory: EINVAL, as CIFS and some FUSE
   room    statvfs: 0 of 0 blocks and inodes, as ramfs
   numbers fstat of a file: another inode number at each look, as sshfs
   lost    fsync of a file: EIO, as a thin volume that is full
   whole   syncfs: EIO, the same from Linux 5.8 on */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

static char list[256];

/* at once: the program empties its environment before it does anything */
__attribute__((constructor)) static void read_list(void)
{
    const char *given = getenv("ODDFS");
    if (given != NULL)
        strncpy(list, given, sizeof list - 1);
}

static int asked(const char *word)
{
    return strstr(list, word) != NULL;
}

static int refuse(int number)
{
    errno = number;
    return -1;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int flock(int file, int how)
{
    return asked("locks") ? refuse(ENOLCK) : NEXT(flock)(file, how);
}

int fchmod(int file, mode_t mode)
{
    return asked("modes") ? refuse(EPERM) : NEXT(fchmod)(file, mode);
}

int chmod(const char *path, mode_t mode)
{
    return asked("modes") ? refuse(EPERM) : NEXT(chmod)(path, mode);
}

int futimens(int file, const struct timespec times[2])
{
    return asked("modes") ? refuse(EPERM) : NEXT(futimens)(file, times);
}

int utimensat(int folder, const char *path, const struct timespec times[2], int flags)
{
    return asked("modes") ? refuse(EPERM) : NEXT(utimensat)(folder, path, times, flags);
}

int fsync(int file)
{
    struct stat status;
    int folder = fstat(file, &status) == 0 && S_ISDIR(status.st_mode);
    if (asked("folders") && folder)
        return refuse(EINVAL);
    if (asked("lost") && !folder)
        return refuse(EIO);
    return NEXT(fsync)(file);
}

/* wherever the test runs, it is a disk that is meant */
int fstatfs(int file, void *said)
{
    (void)file, (void)said;
    return refuse(ENOSYS);
}

int syncfs(int file)
{
    return asked("whole") ? refuse(EIO) : NEXT(syncfs)(file);
}

static int emptied(int result, struct statvfs *said)
{
    if (result == 0 && asked("room"))
        said->f_blocks = said->f_bfree = said->f_bavail = said->f_files = said->f_favail = 0;
    return result;
}

int statvfs(const char *path, struct statvfs *said)
{
    return emptied(NEXT(statvfs)(path, said), said);
}

int fstatvfs(int file, struct statvfs *said)
{
    return emptied(NEXT(fstatvfs)(file, said), said);
}

int statvfs64(const char *path, struct statvfs64 *said)
{
    return emptied(NEXT(statvfs64)(path, said), (struct statvfs *)said);
}

int fstatvfs64(int file, struct statvfs64 *said)
{
    return emptied(NEXT(fstatvfs64)(file, said), (struct statvfs *)said);
}

static unsigned long turn = 4000000;

static int numbered(int result, struct stat *status)
{
    if (result == 0 && asked("numbers") && S_ISREG(status->st_mode))
        status->st_ino = turn++;
    return result;
}

int fstat(int file, struct stat *status)
{
    return numbered(NEXT(fstat)(file, status), status);
}

int fstat64(int file, struct stat64 *status)
{
    return numbered(NEXT(fstat64)(file, status), (struct stat *)status);
}
