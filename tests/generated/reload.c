/* Two shared libraries, loaded, run and unloaded twenty times: reload FIRST.so FIRST.weights first SECOND.so SECOND.weights second. What is the host's is left as
 * found: environment, descriptors, threads, folder, memory. Prints "fine". */
#include <dirent.h>
#include <dlfcn.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REQUIRE(what) do { if (!(what)) { fprintf(stderr, "%s line %d: %s\n", __FILE__, __LINE__, #what); exit(1); } } while (0)

enum { CYCLES = 20, SETTLED = 3, ELEMENTS = 1 << 16 };

extern char **environ;

/* The interface, by pointers: every library has its own names for these. */
typedef struct options { int threads; int64_t max_batch; void *memory; } options;

typedef struct library { const char *path, *weights, *name; float first[ELEMENTS]; } library;

static float input[ELEMENTS];

static void *symbol(void *handle, const library *l, const char *suffix)
{
    char name[200];
    snprintf(name, sizeof name, "%s_%s", l->name, suffix);
    void *found = dlsym(handle, name);
    REQUIRE(found);
    return found;
}

static void run_once(library *l, int threads, float *result)
{
    void *const handle = dlopen(l->path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) fprintf(stderr, "%s\n", dlerror()), exit(1);
    int (*open_it)(void **, const char *), (*start)(void **, const void *, const options *), (*run)(void *, int64_t, const void *, const void *);
    void (*stop)(void *), (*close_it)(void *);
    *(void **)&open_it = symbol(handle, l, "open");
    *(void **)&start = symbol(handle, l, "start");
    *(void **)&run = symbol(handle, l, "run");
    *(void **)&stop = symbol(handle, l, "stop");
    *(void **)&close_it = symbol(handle, l, "close");
    void *model, *session;
    const void *in[1] = { input };
    void *out[8] = { result };
    memset(result, 0, sizeof *result * ELEMENTS);
    REQUIRE(open_it(&model, l->weights) == 0);
    REQUIRE(start(&session, model, &(options){ .threads = threads, .max_batch = 1 }) == 0);
    REQUIRE(run(session, 1, in, out) == 0);
    stop(session);
    close_it(model);
    REQUIRE(dlclose(handle) == 0);
}

static int entries(const char *folder)
{
    DIR *d = opendir(folder);
    REQUIRE(d);
    int n = 0;
    while (readdir(d)) n++;
    closedir(d);
    return n;
}

static int lines(const char *path)
{
    FILE *f = fopen(path, "r");
    REQUIRE(f);
    int n = 0;
    for (int c; (c = fgetc(f)) != EOF;) n += c == '\n';
    fclose(f);
    return n;
}

typedef struct found { int threads, descriptors, variables; struct stat input; char environment[1 << 14], folder[4096]; sigset_t blocked; } found;

static void look(found *f)
{
    memset(f, 0, sizeof *f);
    /* A thread that has been joined may still be listed for a moment. */
    for (int i = 0; (f->threads = entries("/proc/self/task")) > 3 && i < 200; i++) nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
    f->descriptors = entries("/proc/self/fd");
    REQUIRE(!fstat(0, &f->input) && getcwd(f->folder, sizeof f->folder) && !sigprocmask(SIG_SETMASK, NULL, &f->blocked));
    size_t n = 0;
    for (char **e = environ; *e; e++, f->variables++) n += (size_t)snprintf(f->environment + n, n < sizeof f->environment ? sizeof f->environment - n : 0, "%p%s\n", (void *)*e, *e);
}

/* libxsmm's lock file: not there, unless it was before or another process has it for a moment. */
static int lock_file_stays(void)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/.libxsmm.%u", (unsigned)getuid());
    int there = 1;
    for (int i = 0; i < 400 && (there = access(path, F_OK) == 0); i++) nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    return there;
}

int main(int argc, char **argv)
{
    static library a, b;
    static float result[ELEMENTS];
    REQUIRE(argc == 7);
    a.path = argv[1], a.weights = argv[2], a.name = argv[3];
    b.path = argv[4], b.weights = argv[5], b.name = argv[6];
    for (int i = 0; i < ELEMENTS; i++) input[i] = sinf((float)i);
    static found before, after;
    setenv("LIBXSMM_TARGET", "generic", 1);
    const int lock_file = lock_file_stays();
    look(&before);
    run_once(&a, 1, a.first);
    run_once(&b, 1, b.first);
    int mappings = 0;
    for (int i = 0; i < CYCLES; i++) {
        run_once(&a, 1 + i % 3, result);
        REQUIRE(!memcmp(result, a.first, sizeof result));
        run_once(&b, 1 + (i + 1) % 3, result);
        REQUIRE(!memcmp(result, b.first, sizeof result));
        if (i == SETTLED) mappings = lines("/proc/self/maps");
    }
    look(&after);
    REQUIRE(after.threads == before.threads && after.descriptors == before.descriptors);
    REQUIRE(lines("/proc/self/maps") <= mappings + 2);   /* the allocator's own may move by one or two */
    REQUIRE(after.variables == before.variables && !strcmp(after.environment, before.environment));
    REQUIRE(after.input.st_ino == before.input.st_ino && after.input.st_dev == before.input.st_dev);
    REQUIRE(!strcmp(after.folder, before.folder) && !memcmp(&after.blocked, &before.blocked, sizeof before.blocked));
    REQUIRE(lock_file || !lock_file_stays());
    puts("fine");
    return 0;
}
