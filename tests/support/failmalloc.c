/*
 * failmalloc.c - preloaded into weir by tests: allocations that fail when told
 *
 * The file named by $FAILMALLOC is the struct below, shared with the test. In
 * the process `pid`, and while `armed`, the allocations number `from` to
 * `from + count - 1` since the arming fail. `live` is what was allocated and
 * not freed, counted from when `pid` was set: only its changes mean anything.
 * Allocations of libfyaml are counted and spared: 0.7.12 uses what it did not
 * get.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FRAMES_MAX 16

struct control {
	_Atomic int64_t pid, armed, from, count;
	_Atomic int64_t calls, failed, live;
};

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

static struct control *control;
static pid_t self;

static int
failmalloc_mine(void)
{
	return control != NULL && atomic_load(&control->pid) == self;
}

/* Called by a library that uses what it did not get. */
static int
failmalloc_spared(void)
{
	void *frames[FRAMES_MAX];
	int count = backtrace(frames, FRAMES_MAX);
	Dl_info info;

	for (int i = 0; i < count; i++) {
		if (dladdr(frames[i], &info) != 0 && info.dli_fname != NULL &&
		    strstr(info.dli_fname, "libfyaml") != NULL)
			return 1;
	}
	return 0;
}

static int
failmalloc_now(void)
{
	int64_t call, from;

	if (!failmalloc_mine() || !atomic_load(&control->armed))
		return 0;
	call = atomic_fetch_add(&control->calls, 1) + 1;
	from = atomic_load(&control->from);
	if (call < from || call >= from + atomic_load(&control->count))
		return 0;
	atomic_fetch_add(&control->failed, 1);
	if (failmalloc_spared())
		return 0;
	errno = ENOMEM;
	return 1;
}

__attribute__((constructor)) static void
failmalloc_open(void)
{
	const char *path = getenv("FAILMALLOC");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *memory;

	if (fd < 0)
		return;
	memory = mmap(
	    NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	self = getpid();
	(void)failmalloc_spared(); /* its first call allocates */
	if (memory != MAP_FAILED)
		control = memory;
}

static void *
failmalloc_count(void *memory)
{
	if (memory != NULL && failmalloc_mine())
		atomic_fetch_add(&control->live, 1);
	return memory;
}

void *
malloc(size_t size)
{
	return failmalloc_now() ? NULL : failmalloc_count(__libc_malloc(size));
}

void *
calloc(size_t count, size_t size)
{
	return failmalloc_now() ? NULL
				: failmalloc_count(__libc_calloc(count, size));
}

void *
realloc(void *old, size_t size)
{
	void *memory;

	if (failmalloc_now())
		return NULL;
	memory = __libc_realloc(old, size);
	return old == NULL ? failmalloc_count(memory) : memory;
}

void *
aligned_alloc(size_t alignment, size_t size)
{
	return failmalloc_now()
	    ? NULL
	    : failmalloc_count(__libc_memalign(alignment, size));
}

int
posix_memalign(void **ret_memory, size_t alignment, size_t size)
{
	void *memory;

	if (failmalloc_now())
		return ENOMEM;
	memory = failmalloc_count(__libc_memalign(alignment, size));
	if (memory == NULL)
		return ENOMEM;
	*ret_memory = memory;
	return 0;
}

void
free(void *memory)
{
	if (memory != NULL && failmalloc_mine())
		atomic_fetch_sub(&control->live, 1);
	__libc_free(memory);
}
