#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "runtime/future_inner.h"
#include "runtime/worker.h"

struct future {
	pthread_mutex_t lock;
	struct list waits; /* struct future_wait */
	_Atomic uint32_t refs;
	_Atomic bool set; /* with release, after result and value */
	int result;
	void *value;
};

int
future_new(struct future **ret_future)
{
	struct future *future = malloc(sizeof(*future));

	if (future == NULL)
		return -ENOMEM;
	*future = (struct future){.refs = 1};
	pthread_mutex_init(&future->lock, NULL);
	list_init(&future->waits);
	*ret_future = future;
	return 0;
}

struct future *
future_ref(struct future *future)
{
	atomic_fetch_add_explicit(&future->refs, 1, memory_order_relaxed);
	return future;
}

void
future_unref(struct future *future)
{
	if (future == NULL ||
	    atomic_fetch_sub_explicit(&future->refs, 1, memory_order_acq_rel) !=
		1)
		return;
	misuse_unless(list_empty(&future->waits),
	    "weir_future_unref(): a future is freed while a task waits for it");
	pthread_mutex_destroy(&future->lock);
	free(future);
}

bool
future_is_set(const struct future *future)
{
	return atomic_load_explicit(&future->set, memory_order_acquire);
}

int
future_set(struct future *future, int result, void *value)
{
	struct waiters wakes;
	struct list *node;

	waiters_init(&wakes);
	pthread_mutex_lock(&future->lock);
	if (future_is_set(future)) {
		pthread_mutex_unlock(&future->lock);
		return -EALREADY;
	}
	future->result = result;
	future->value = value;
	atomic_store_explicit(&future->set, true, memory_order_release);
	while ((node = list_pop_front(&future->waits)) != NULL) {
		struct future_wait *wait =
		    container_of(node, struct future_wait, node);

		if (waiter_claim(wait->waiter, wait->claim))
			waiters_add(&wakes, wait->waiter);
	}
	pthread_mutex_unlock(&future->lock);
	waiters_wake(&wakes);
	return 0;
}

bool
future_wait_add(struct future *future, struct future_wait *wait)
{
	bool set;

	pthread_mutex_lock(&future->lock);
	set = future_is_set(future);
	if (!set)
		list_push_back(&future->waits, &wait->node);
	pthread_mutex_unlock(&future->lock);
	return !set;
}

void
future_wait_remove(struct future *future, struct future_wait *wait)
{
	pthread_mutex_lock(&future->lock);
	list_remove(&wait->node);
	pthread_mutex_unlock(&future->lock);
}

int
future_result(const struct future *future, void **ret_value)
{
	if (ret_value != NULL)
		*ret_value = future->value;
	return future->result;
}

/* One is set, and how the waits that were added end. */
static int
future_waits_end(struct future *const *futures, struct future_wait *waits,
    unsigned count, struct waiter *waiter, int error)
{
	for (unsigned i = 0; i < count; i++)
		future_wait_remove(futures[i], &waits[i]);
	if (error < 0)
		return error;
	return atomic_load_explicit(&waiter->claim, memory_order_relaxed) - 1;
}

/* @waits: room for @count of them. */
static int
future_wait_first(struct future *const *futures, struct future_wait *waits,
    unsigned count, instant deadline)
{
	struct waiter waiter;
	unsigned added = 0;
	int error;

	(void)task_required("weir_future_wait");
	error = task_cancelled();
	if (error < 0)
		return error;
	for (unsigned i = 0; i < count; i++) {
		if (future_is_set(futures[i]))
			return (int)i;
	}
	waiter_init(&waiter, true);
	for (; added < count; added++) {
		waits[added] = (struct future_wait){
		    .waiter = &waiter, .claim = (int32_t)added + 1};
		if (future_wait_add(futures[added], &waits[added]))
			continue;
		/* Set since we looked. One before it may have been set too:
		 * then that one's message is on its way. */
		if (waiter_claim(&waiter, (int32_t)added + 1))
			waiter.woken = true;
		break;
	}
	error = waiter_wait(&waiter, "future", deadline);
	return future_waits_end(futures, waits, added, &waiter, error);
}

int
future_wait_any(struct future *const *futures, unsigned count, instant deadline)
{
	struct future_wait waits[FUTURE_ANY_MAX];

	if (count == 0)
		return -EINVAL;
	if (count > FUTURE_ANY_MAX)
		return -E2BIG;
	return future_wait_first(futures, waits, count, deadline);
}

int
future_wait(
    struct future *future, int *ret_result, void **ret_value, instant deadline)
{
	struct future_wait wait;
	int result = future_wait_first(&future, &wait, 1, deadline);

	if (result < 0)
		return result;
	result = future_result(future, ret_value);
	if (ret_result != NULL)
		*ret_result = result;
	return 0;
}

int
future_wait_all(struct future *const *futures, unsigned count, instant deadline)
{
	int error = 0;

	for (unsigned i = 0; i < count && error == 0; i++)
		error = future_wait(futures[i], NULL, NULL, deadline);
	return error;
}
