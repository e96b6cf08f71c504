/*
 * stack.c - an arena instead of a mapping per stack
 *
 * A mapping with a guard costs two of the process's 65,530 mappings, so that
 * 32,753 stacks are the end; a guard marker inside one mapping costs none.
 * Huge pages must stay away: they would make every stack 64 KiB resident.
 */
#include "runtime/stack.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "os/memory.h"
#include "runtime/sanitize.h"

#ifndef MADV_GUARD_INSTALL
#	define MADV_GUARD_INSTALL 102
#endif

#define STACK_CANARY 0x5a

static atomic_uint stack_mapped_guards;

static void *
stacks_reserve(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	return memory != MAP_FAILED ? memory : NULL;
}

/* An emulator may take advice that it does not know and say that all is well:
 * the kernel is asked to write into the guard. */
static bool
stacks_guards_work(char *page)
{
	return madvise(page, STACK_GUARD_BYTES, MADV_GUARD_INSTALL) == 0 &&
	    getrandom(page, 1, GRND_NONBLOCK) < 0 && errno == EFAULT;
}

int
stacks_init(struct stacks *stacks, uint32_t slot_count_max)
{
	/* One for the root task at least. */
	uint32_t count = slot_count_max != 0 ? slot_count_max : 1;

	memset(stacks, 0, sizeof(*stacks));
	/* Under a limit of address space (RLIMIT_AS, valgrind) fewer tasks
	 * are better than none. */
	do {
		stacks->arena =
		    stacks_reserve((size_t)count * STACK_SLOT_BYTES);
		if (stacks->arena != NULL)
			break;
		count /= 2;
	} while (count > 0);
	if (stacks->arena == NULL)
		return -ENOMEM;
	madvise(
	    stacks->arena, (size_t)count * STACK_SLOT_BYTES, MADV_NOHUGEPAGE);
	stacks->slot_count_max = count;
	stacks->pool = stacks_reserve((size_t)count * sizeof(*stacks->pool));
	if (stacks->pool == NULL) {
		stacks_fini(stacks);
		return -ENOMEM;
	}
	stacks->guard_install = stacks_guards_work(stacks->arena);
	return 0;
}

void
stacks_fini(struct stacks *stacks)
{
	if (stacks->arena == NULL)
		return;
	atomic_fetch_sub(&stack_mapped_guards, stacks->mapped_guards);
	munmap(
	    stacks->arena, (size_t)stacks->slot_count_max * STACK_SLOT_BYTES);
	if (stacks->pool != NULL)
		munmap(stacks->pool,
		    (size_t)stacks->slot_count_max * sizeof(*stacks->pool));
	memset(stacks, 0, sizeof(*stacks));
}

static char *
stack_slot(const struct stacks *stacks, uint32_t index)
{
	return stacks->arena + (size_t)index * STACK_SLOT_BYTES;
}

/* 0, or -ENOMEM: no guard of any kind could be had. */
static int
stack_guard(struct stacks *stacks, char *slot)
{
	if (stacks->guard_install)
		return madvise(slot, STACK_GUARD_BYTES, MADV_GUARD_INSTALL) == 0
		    ? 0
		    : -ENOMEM;
	if (stacks->mapped_guards == stacks->slot_count &&
	    atomic_fetch_add(&stack_mapped_guards, 1) < STACK_MAPPED_GUARDS) {
		if (mprotect(slot, STACK_GUARD_BYTES, PROT_NONE) == 0) {
			stacks->mapped_guards++;
			return 0;
		}
		atomic_fetch_sub(&stack_mapped_guards, 1);
	}
	memset(slot, STACK_CANARY, STACK_CANARY_BYTES);
	return 0;
}

static char *
stack_acquire_fresh(struct stacks *stacks)
{
	char *slot;

	if (stacks->slot_count == stacks->slot_count_max)
		return NULL;
	slot = stack_slot(stacks, stacks->slot_count);
	if (stack_guard(stacks, slot) < 0)
		return NULL;
	stacks->slot_count++;
	sanitize_stack_register(slot, STACK_SLOT_BYTES);
	return slot;
}

static void
stacks_mark(struct stacks *stacks)
{
	stacks->pool_mark = max_of(stacks->pool_low, stacks->trimmed);
}

char *
stack_acquire_slowly(struct stacks *stacks, bool *ret_fresh)
{
	if (memory_denied())
		return NULL;
	*ret_fresh = stacks->pool_count == 0;
	if (stacks->pool_count == 0)
		return stack_acquire_fresh(stacks);
	stacks->pool_count--;
	stacks->pool_low = min_of(stacks->pool_low, stacks->pool_count);
	stacks->trimmed = min_of(stacks->trimmed, stacks->pool_count);
	stacks_mark(stacks);
	return stacks->pool[stacks->pool_count];
}

bool
stacks_trim(struct stacks *stacks)
{
	uint32_t cold = stacks->pool_low;
	uint32_t end;

#ifdef SANITIZE_THREAD
	/* The fiber of a slot is kept in its control block. */
	cold = 0;
#endif
	end = min_of(cold > STACK_WARM ? cold - STACK_WARM : 0,
	    stacks->trimmed + STACK_TRIM_BATCH);
	for (uint32_t i = stacks->trimmed; i < end; i++) {
		/* Not the lowest page: it may hold a canary. */
		madvise(stacks->pool[i] + STACK_GUARD_BYTES,
		    STACK_SLOT_BYTES - STACK_GUARD_BYTES, MADV_DONTNEED);
		stacks->trimmed = i + 1;
	}
	stacks->pool_low = stacks->pool_count;
	stacks_mark(stacks);
	return stacks->pool_count > stacks->trimmed + STACK_WARM;
}

void
stack_check(const struct stacks *stacks, const char *slot)
{
	uint64_t canary, found;
	size_t index;

	if (likely(stacks->guard_install))
		return;
	index = stack_index(stacks, slot);
	if (index < stacks->mapped_guards)
		return;
	memset(&canary, STACK_CANARY, sizeof(canary));
	for (size_t i = 0; i < STACK_CANARY_BYTES; i += sizeof(canary)) {
		memcpy(&found, slot + i, sizeof(found));
		must(found == canary);
	}
}

char *
stack_find(const struct stacks *stacks, const void *address, size_t *ret_offset)
{
	uintptr_t at = (uintptr_t)address;
	uintptr_t start = (uintptr_t)stacks->arena;
	size_t used = (size_t)stacks->slot_count * STACK_SLOT_BYTES;

	if (stacks->arena == NULL || at < start || at - start >= used)
		return NULL;
	*ret_offset = (at - start) % STACK_SLOT_BYTES;
	return stacks->arena +
	    (at - start) / STACK_SLOT_BYTES * STACK_SLOT_BYTES;
}
