/* See process.h. A child has a process group of its own: what it starts ends with it. */
#define _GNU_SOURCE
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIGNALS = 3 };

static const int ending[SIGNALS] = { SIGINT, SIGTERM, SIGHUP };
static struct sigaction before[SIGNALS];
static volatile sig_atomic_t stopped, child;

static void on_signal(int number)
{
    const int kept = errno;
    stopped = number;
    if (child > 0) kill(-child, SIGKILL);
    errno = kept;
}

void process_begin(void)
{
    struct sigaction action = { .sa_handler = on_signal };
    sigemptyset(&action.sa_mask);
    stopped = child = 0;
    for (int i = 0; i < SIGNALS; i++) {
        sigaction(ending[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN) sigaction(ending[i], &action, NULL);
    }
}

bool process_stopped(void)
{
    return stopped != 0;
}

void process_end(void)
{
    for (int i = 0; i < SIGNALS; i++) sigaction(ending[i], &before[i], NULL);
    if (stopped) raise(stopped);
}

/* Starts it with nothing to read, both streams going into the pipe; 0, or why not. */
static int start(const char *const *argv, const int *ends, pid_t *pid)
{
    extern char **environ;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&files);
    if (error) return error;
    if ((error = posix_spawnattr_init(&attributes)) == 0) {
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);   /* group 0: its own */
        error = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        if (!error) error = posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
        if (!error) error = posix_spawn_file_actions_adddup2(&files, ends[1], STDERR_FILENO);
        if (!error) error = posix_spawnp(pid, argv[0], &files, &attributes, (char *const *)argv, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&files);
    return error;
}

/* Reads to the end and keeps the last of it, at least half a text. */
static void keep_end(int from, char *text)
{
    size_t length = 0;
    for (;;) {
        const size_t room = PROCESS_TEXT - 1 - length;
        const ssize_t n = read(from, text + length, room);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        length += (size_t)n;
        if (length < PROCESS_TEXT - 1) continue;
        length = PROCESS_TEXT / 2;
        memmove(text, text + PROCESS_TEXT - 1 - length, length);
    }
    text[length] = 0;
}

void process_run(const char *const *argv, process_result *result)
{
    int ends[2], how = 0;
    pid_t pid;
    *result = (process_result){ .status = -1 };
    if (pipe2(ends, O_CLOEXEC)) return;
    const int error = start(argv, ends, &pid);
    close(ends[1]);
    if (!error) {
        child = pid;
        if (stopped) kill(-pid, SIGKILL);
        keep_end(ends[0], result->text);
        pid_t ended;
        while ((ended = waitpid(pid, &how, 0)) < 0 && errno == EINTR) continue;
        child = 0;
        if (ended == pid) result->status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
    }
    close(ends[0]);
    if (error) errno = error;
}
