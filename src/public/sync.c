/*
 * public/sync.c - <weir/sync.h> and <weir/deadlock.h> over the runtime
 */
#include <weir/deadlock.h>
#include <weir/sync.h>

#include "public/inner.h"
#include "runtime/deadlock.h"
#include "runtime/sync.h"

/* What is set up by name stands at the same place in both. */
#define SAME(public_type, inner_type, field)                                   \
	_Static_assert(sizeof(inner_type) <= sizeof(public_type) &&            \
		offsetof(public_type, field) == offsetof(inner_type, field),   \
	    "")
SAME(struct weir_semaphore, struct semaphore, count);
SAME(struct weir_barrier, struct barrier, parties);
SAME(struct weir_barrier, struct barrier, waiting);
_Static_assert(sizeof(struct condition) <= sizeof(struct weir_condition), "");
_Static_assert(sizeof(struct once) <= sizeof(struct weir_once), "");
_Static_assert(sizeof(struct wait_group) <= sizeof(struct weir_wait_group), "");
_Static_assert((int)WEIR_DEADLOCK_CIRCLE == (int)DEADLOCK_CIRCLE &&
	(int)WEIR_DEADLOCK_MISUSE == (int)DEADLOCK_MISUSE,
    "");

static struct semaphore *
inner_semaphore(struct weir_semaphore *s)
{
	return (struct semaphore *)s;
}

static struct condition *
inner_condition(struct weir_condition *c)
{
	return (struct condition *)c;
}

static struct barrier *
inner_barrier(struct weir_barrier *b)
{
	return (struct barrier *)b;
}

static struct wait_group *
inner_wait_group(struct weir_wait_group *g)
{
	return (struct wait_group *)g;
}

void
weir_semaphore_init_at(struct weir_semaphore *s, const char *name,
    uint64_t count, const char *file, int line)
{
	*s = (struct weir_semaphore){.name = name,
	    .file = file,
	    .line = line,
	    .kind = SYNC_KIND_SEMAPHORE,
	    .count = count};
}

int
weir_semaphore_take_at(struct weir_semaphore *s, uint64_t n, weir_time deadline,
    const char *file, int line)
{
	return semaphore_take_at(
	    inner_semaphore(s), n, inner_time(deadline), file, line);
}

int
weir_semaphore_try(struct weir_semaphore *s, uint64_t n)
{
	return semaphore_try(inner_semaphore(s), n);
}

int
weir_semaphore_give(struct weir_semaphore *s, uint64_t n)
{
	return semaphore_give(inner_semaphore(s), n);
}

int
weir_semaphore_fini(struct weir_semaphore *s)
{
	return semaphore_fini(inner_semaphore(s));
}

void
weir_condition_init_at(
    struct weir_condition *c, const char *name, const char *file, int line)
{
	*c = (struct weir_condition){.name = name,
	    .file = file,
	    .line = line,
	    .kind = SYNC_KIND_CONDITION};
}

int
weir_condition_wait_at(struct weir_condition *c, struct weir_mutex *m,
    weir_time deadline, const char *file, int line)
{
	return condition_wait_at(inner_condition(c), (struct mutex *)m,
	    inner_time(deadline), file, line);
}

void
weir_condition_signal(struct weir_condition *c)
{
	condition_signal(inner_condition(c));
}

void
weir_condition_broadcast(struct weir_condition *c)
{
	condition_broadcast(inner_condition(c));
}

int
weir_condition_fini(struct weir_condition *c)
{
	return condition_fini(inner_condition(c));
}

int
weir_once_run_at(struct weir_once *o, int (*fn)(void *arg), void *arg,
    weir_time deadline, const char *file, int line)
{
	return once_run_at(
	    (struct once *)o, fn, arg, inner_time(deadline), file, line);
}

void
weir_barrier_init_at(struct weir_barrier *b, const char *name, unsigned parties,
    const char *file, int line)
{
	*b = (struct weir_barrier){.name = name,
	    .file = file,
	    .line = line,
	    .kind = SYNC_KIND_BARRIER,
	    .parties = parties};
}

int
weir_barrier_wait_at(
    struct weir_barrier *b, weir_time deadline, const char *file, int line)
{
	return barrier_wait_at(
	    inner_barrier(b), inner_time(deadline), file, line);
}

int
weir_barrier_fini(struct weir_barrier *b)
{
	return barrier_fini(inner_barrier(b));
}

void
weir_wait_group_init_at(
    struct weir_wait_group *g, const char *name, const char *file, int line)
{
	*g = (struct weir_wait_group){.name = name,
	    .file = file,
	    .line = line,
	    .kind = SYNC_KIND_WAIT_GROUP};
}

int
weir_wait_group_add(struct weir_wait_group *g, uint64_t n)
{
	return wait_group_add(inner_wait_group(g), n);
}

int
weir_wait_group_done(struct weir_wait_group *g)
{
	return wait_group_done(inner_wait_group(g));
}

int
weir_wait_group_wait_at(
    struct weir_wait_group *g, weir_time deadline, const char *file, int line)
{
	return wait_group_wait_at(
	    inner_wait_group(g), inner_time(deadline), file, line);
}

int
weir_wait_group_fini(struct weir_wait_group *g)
{
	return wait_group_fini(inner_wait_group(g));
}

void
weir_deadlock_set_hook(
    void (*hook)(enum weir_deadlock_kind kind, const char *text))
{
	/* The two enums are the same numbers. */
	deadlock_set_hook((deadlock_hook)(void *)hook);
}

void
weir_deadlock_watch_order(bool on)
{
	deadlock_watch_order(on);
}

void
weir_outside_begin(void)
{
	deadlock_outside_begin();
}

void
weir_outside_end(void)
{
	deadlock_outside_end();
}
