#include "runtime/local.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "runtime/worker.h"

/* A destructor may set values again; after that many rounds they leak. */
#define LOCAL_ROUNDS_MAX  4
#define LOCAL_FIRST_BYTES 64

struct task_defer {
	struct task_defer *next;
	void (*fn)(void *arg);
	void *arg;
};

struct task_own {
	struct arena arena;
	struct task_defer *defers; /* the last one first */
	struct task_defer *spare; /* popped ones */
	void *values[TASK_KEYS_MAX];
	_Alignas(16) char first[LOCAL_FIRST_BYTES];
};

static atomic_uint local_key_count;
static void (*_Atomic local_destroy[TASK_KEYS_MAX])(void *value);

/* NULL when out of memory. */
static struct task_own *
local_own(void)
{
	struct task *self = task_required(__func__);
	struct task_own *own = self->own;

	if (likely(own != NULL))
		return own;
	own = malloc(sizeof(*own));
	if (own == NULL)
		return NULL;
	memset(own, 0, offsetof(struct task_own, first));
	arena_init(&own->arena, own->first, sizeof(own->first), 0);
	self->own = own;
	return own;
}

int
task_defer(void (*fn)(void *arg), void *arg)
{
	struct task_own *own = local_own();
	struct task_defer *defer;

	if (own == NULL)
		return -ENOMEM;
	defer = own->spare;
	if (defer != NULL)
		own->spare = defer->next;
	else
		defer = arena_alloc(&own->arena, sizeof(*defer));
	if (defer == NULL)
		return -ENOMEM;
	*defer = (struct task_defer){own->defers, fn, arg};
	own->defers = defer;
	return 0;
}

void
task_defer_pop(bool call)
{
	struct task_own *own = task_required(__func__)->own;
	struct task_defer *defer;
	void (*fn)(void *arg);
	void *arg;

	if (unlikely(own == NULL || own->defers == NULL))
		misuse("weir_defer_pop() without a weir_defer() before it");
	defer = own->defers;
	own->defers = defer->next;
	fn = defer->fn;
	arg = defer->arg;
	defer->next = own->spare;
	own->spare = defer;
	if (call)
		fn(arg);
}

int
task_key_new(struct task_key *ret_key, void (*destroy)(void *value))
{
	unsigned index = atomic_load(&local_key_count);

	do {
		if (index == TASK_KEYS_MAX)
			return -EAGAIN;
	} while (
	    !atomic_compare_exchange_weak(&local_key_count, &index, index + 1));
	atomic_store(&local_destroy[index], destroy);
	ret_key->index = index;
	return 0;
}

void *
task_local_get(struct task_key key)
{
	const struct task *self = task_self();

	misuse_unless(key.index < TASK_KEYS_MAX,
	    "weir_local_get() with a key that weir_key_new() has not made");
	return self != NULL && self->own != NULL ? self->own->values[key.index]
						 : NULL;
}

int
task_local_set(struct task_key key, void *value)
{
	struct task_own *own = local_own();

	misuse_unless(key.index < atomic_load(&local_key_count),
	    "weir_local_set() with a key that weir_key_new() has not made");
	if (own == NULL)
		return -ENOMEM;
	own->values[key.index] = value;
	return 0;
}

void *
task_alloc(size_t bytes)
{
	struct task_own *own = local_own();

	return own != NULL ? arena_alloc(&own->arena, bytes) : NULL;
}

/* True when a destructor ran, which may have set others. */
static bool
local_destroy_values(struct task_own *own)
{
	unsigned count = atomic_load(&local_key_count);
	bool any = false;

	for (unsigned i = 0; i < count; i++) {
		void (*destroy)(void *value) = atomic_load(&local_destroy[i]);
		void *value = own->values[i];

		own->values[i] = NULL;
		if (value != NULL && destroy != NULL) {
			destroy(value);
			any = true;
		}
	}
	return any;
}

/* The calling task's function has returned. */
void
local_end(struct task *self)
{
	struct task_own *own = self->own;

	/* What is called here may defer again. */
	while (own->defers != NULL)
		task_defer_pop(true);
	for (unsigned i = 0; i < LOCAL_ROUNDS_MAX; i++) {
		if (!local_destroy_values(own))
			break;
		while (own->defers != NULL)
			task_defer_pop(true);
	}
	self->own = NULL;
	arena_reset(&own->arena);
	free(own);
}
