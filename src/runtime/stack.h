/*
 * stack.h - the stacks of one worker: an arena of slots, guarded and pooled
 *
 * Layer      runtime, inside only
 * Threads    its worker; stack_find() reads and is async-signal-safe
 * Memory     one reservation of 65 GiB (less if the process may not), cut
 *            into slots of 68 KiB. A slot in use is one page, plus what its
 *            task touched:
 *
 *              slot                                         slot + 68 KiB
 *              | guard page | ... stack grows down ... | struct task |
 *
 * Limits     stack_slots_max(); then -EAGAIN
 * Invariant  a fault on a guard page belongs to the task of that slot. On
 *            kernels before 6.13 the guards are mappings, which are scarce:
 *            the first STACK_MAPPED_GUARDS slots of the process get one, the
 *            others a canary that stack_check() looks at.
 */
#pragma once

#include "base/cc.h"
#include "os/memory.h"
#include "runtime/sanitize.h"

#define STACK_SLOT_BYTES  (68 << 10)
#define STACK_GUARD_BYTES 4096
/* The top of a stack is lower by 0 to 15 cache lines: with the same address
 * modulo 4096 in all of them, what one task stores delays what the next one
 * loads, and 8 of them fill their set of the cache. A slot of 17 pages is what
 * gives neighbours different colours, and different sets of the second-level
 * cache. */
#define STACK_COLOURS      16
#define STACK_COLOUR_BYTES 64
#define STACK_CANARY_BYTES 128
/* A guard splits a mapping in two: half of vm.max_map_count (65,530) by
 * default, and half of that left to everybody else. */
#define STACK_MAPPED_GUARDS 8000
/* Free slots that stay warm at the top of the pool. */
#define STACK_WARM 32
/* Slots given back to the kernel per housekeeping tick: 2 us each. */
#define STACK_TRIM_BATCH 256

struct stacks {
	char *arena;
	uint32_t slot_count_max;
	uint32_t slot_count; /* ever used */
	char **pool; /* free slots, the last one the hottest */
	uint32_t pool_count;
	uint32_t pool_mark; /* the larger one of the next two */
	uint32_t pool_low; /* the fewest since the last tick */
	uint32_t trimmed; /* pool[0..trimmed) hold no memory */
	bool guard_install; /* MADV_GUARD_INSTALL works */
	uint32_t mapped_guards; /* without it: slots below have a mapping */
};

MUST_CHECK int stacks_init(struct stacks *stacks, uint32_t slot_count_max);
void stacks_fini(struct stacks *stacks);

/* stack_acquire() when there is more to do than to take one from the pool. */
char *stack_acquire_slowly(struct stacks *stacks, bool *ret_fresh);

/* The lowest address of a slot, or NULL: none left, or out of memory.
 * *@ret_fresh: it was never used before. */
static inline char *
stack_acquire(struct stacks *stacks, bool *ret_fresh)
{
	if (unlikely(stacks->pool_count <= stacks->pool_mark ||
		memory_denied_hook != NULL))
		return stack_acquire_slowly(stacks, ret_fresh);
	*ret_fresh = false;
	return stacks->pool[--stacks->pool_count];
}

static inline void
stack_release(struct stacks *stacks, char *slot)
{
	sanitize_stack_reset(
	    slot + STACK_GUARD_BYTES, STACK_SLOT_BYTES - STACK_GUARD_BYTES);
	stacks->pool[stacks->pool_count++] = slot;
}

/* Once a second: give the memory of slots back that nobody needed for a
 * second. Returns true while there may be more to give. */
bool stacks_trim(struct stacks *stacks);

/* Dies when the task of @slot has overrun a stack without a guard page. */
void stack_check(const struct stacks *stacks, const char *slot);

/* Of a slot of @stacks. */
static inline uint32_t
stack_index(const struct stacks *stacks, const char *slot)
{
	return (uint32_t)((size_t)(slot - stacks->arena) / STACK_SLOT_BYTES);
}

/* The slot that @address lies in, or NULL. *@ret_offset: where in it. */
char *stack_find(
    const struct stacks *stacks, const void *address, size_t *ret_offset);
