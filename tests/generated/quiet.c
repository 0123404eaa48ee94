/* A run allocates nothing; on one thread it makes no system call, on more only futex calls. Prints "fine". */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"

static _Atomic int allocations, counting;

/* The allocating functions, counted, in place of the C library's: theirs stand behind. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t to, size_t size);
void __libc_free(void *old);

static void count(void)
{
    if (counting) atomic_fetch_add(&allocations, 1);
}

void *malloc(size_t size)
{
    count();
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    count();
    return __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
    count();
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t to, size_t size)
{
    count();
    return __libc_memalign(to, size);
}

int posix_memalign(void **to, size_t by, size_t size)
{
    count();
    *to = __libc_memalign(by, size);
    return *to ? 0 : ENOMEM;
}

void free(void *old)
{
    count();
    __libc_free(old);
}

void *mmap(void *at, size_t size, int access, int flags, int file, off_t offset)
{
    count();
    return (void *)syscall(SYS_mmap, at, size, access, flags, file, offset);
}

static void count_allocations(const model_model *m, int threads, int64_t batch)
{
    host_buffers want = host_expect(m, batch, 1), got = host_make(batch, 1);
    model_session *s;
    counting = 1;
    const int before = allocations;
    REQUIRE(model_start(&s, m, &(model_options){ .threads = threads, .max_batch = batch }) == MODEL_OK);
    REQUIRE(allocations > before);   /* the counter works */
    allocations = 0;
    for (int i = 0; i < 3; i++) REQUIRE(host_run(s, &got) == MODEL_OK);
    counting = 0;
    REQUIRE(allocations == 0 && host_same(&got, &want));
    model_stop(s);
    host_free(&want);
    host_free(&got);
}

/* From now on in all threads: write and exit, futex if there are more threads; all else kills the process. */
static void forbid_system_calls(int threads)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, threads > 1 ? SYS_futex : SYS_write, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = { sizeof code / sizeof *code, code };
    REQUIRE(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter));
}

/* In a process of its own. call: one is made on purpose, and must kill. */
static int exit_status(const model_model *m, int threads, int64_t batch, int call)
{
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        host_buffers want = host_expect(m, batch, 2), got = host_make(batch, 2);
        model_session *s;
        REQUIRE(model_start(&s, m, &(model_options){ .threads = threads, .max_batch = batch }) == MODEL_OK);
        if (threads > 1) REQUIRE(host_run(s, &got) == MODEL_OK);   /* threads that have just been made still set themselves up */
        forbid_system_calls(threads);
        int same = 1;
        for (int i = 0; i < 5; i++) same &= host_run(s, &got) == MODEL_OK && host_same(&got, &want);
        if (call) getppid();
        _exit(same ? 0 : 1);
    }
    int status;
    REQUIRE(waitpid(child, &status, 0) == child);
    return status;
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 2);
    model_model *m = host_open(argv[1]);
    const int64_t fixed = host_fixed_batch();
    for (int threads = 1; threads <= 3; threads++)
        for (int64_t batch = fixed ? fixed : 1; batch <= (fixed ? fixed : 4); batch += 3) {
            count_allocations(m, threads, batch);
            REQUIRE(exit_status(m, threads, batch, 0) == 0);
        }
    REQUIRE(WIFSIGNALED(exit_status(m, 1, fixed ? fixed : 1, 1)));
    model_close(m);
    puts("fine");
    return 0;
}
