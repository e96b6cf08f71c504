#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "runtime/io_backend.h"

struct io_entry {
	_Atomic uint32_t generation; /* grows at attach and at detach */
	struct io_fd *io; /* of the owner of this generation */
};

/* Address space for the hard limit of descriptors, used as they are. It lasts
 * as long as the process: generations must not start again. */
static struct io_entry *io_entries;
static size_t io_entry_count;

int
io_table_open(void)
{
	struct rlimit limit;
	void *memory;

	if (io_entries != NULL)
		return 0;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	if (limit.rlim_max > INT32_MAX)
		limit.rlim_max = INT32_MAX;
	memory = mmap(NULL, limit.rlim_max * sizeof(struct io_entry),
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
	    -1, 0);
	if (memory == MAP_FAILED)
		return -ENOMEM;
	io_entries = memory;
	io_entry_count = limit.rlim_max;
	return 0;
}

/* Only the worker that has the descriptor writes its entry; another one may
 * read the generation meanwhile. */
int
io_table_set(struct io_fd *io)
{
	struct io_entry *entry;

	if (io->fd < 0)
		return -EBADF;
	if ((size_t)io->fd >= io_entry_count)
		return -EMFILE;
	entry = &io_entries[io->fd];
	io->generation = atomic_fetch_add_explicit(
			     &entry->generation, 1, memory_order_acq_rel) +
	    1;
	entry->io = io;
	return 0;
}

void
io_table_clear(struct io_fd *io)
{
	struct io_entry *entry = &io_entries[io->fd];

	must(entry->io == io);
	entry->io = NULL;
	atomic_fetch_add_explicit(&entry->generation, 1, memory_order_release);
}

struct io_fd *
io_table_find(int fd, uint32_t generation)
{
	struct io_entry *entry = &io_entries[fd];
	uint32_t now =
	    atomic_load_explicit(&entry->generation, memory_order_acquire);

	if (((now ^ generation) & IO_GENERATION_MASK) != 0)
		return NULL;
	return entry->io;
}

uint32_t
io_table_generation(int fd)
{
	return atomic_load_explicit(
	    &io_entries[fd].generation, memory_order_relaxed);
}
