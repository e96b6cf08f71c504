/*
 * public/generator.c - two tasks of which one runs at a time
 *
 * The body is a task in a scope of its own inside the owner's, so it is stopped
 * and timed out with it. Whose turn it is says `turn`; the switch goes directly
 * to the other one, past the ready tasks, if it is parked for its turn, which
 * is so but for the start, the end, and stray wakes.
 */
#include <weir/generator.h>

#include <errno.h>

#include "runtime/park.h"

enum turn { TURN_OWNER, TURN_BODY };

struct generator {
	struct scope scope;
	struct task *owner;
	struct task *task; /* of the body, once it has begun */
	weir_generator_fn body;
	void *arg;
	void *value; /* to the owner */
	void *sent; /* to the body */
	int result; /* of the body, once ended */
	uint8_t turn;
	uint8_t streak; /* values since the owner last yielded */
	bool started;
	bool closing;
	bool ended;
};
_Static_assert(sizeof(struct generator) <= sizeof(struct weir_generator), "");

static struct generator *
generator_of(struct weir_generator *generator)
{
	return (struct generator *)generator;
}

/* Until somebody wakes @self, or it gets its turn. @next is NULL or goes on
 * at once if it can. */
static inline void
generator_park(struct task *self, struct task *next, bool uncancellable)
{
	struct worker *worker = worker_here;

	self->state = TASK_PARKED;
	self->reason = "generator";
	self->deadline = instant_never();
	self->uncancellable = uncancellable;
	self->stopped = false;
	if (next != NULL && likely(next->state == TASK_PARKED))
		worker_hand_over(worker, self, next);
	else
		worker_switch(worker, self);
}

static int
generator_main(void *arg)
{
	struct generator *generator = arg;

	generator->task = task_self();
	generator->result =
	    generator->body((struct weir_generator *)generator, generator->arg);
	generator->ended = true;
	worker_here->inner_parks--;
	generator->turn = TURN_OWNER;
	task_wake(generator->owner);
	return 0;
}

/* The owner was woken, and the body goes on: a stop of the owner alone is
 * passed to it, for it may be waiting for something. */
static COLD void
generator_owner_wait(struct generator *generator)
{
	struct task *self = generator->owner;
	bool stopped = false;

	do {
		int error = task_stop_error(self, worker_here->now);

		if (self->broken)
			error = -EDEADLK;
		if ((self->stopped || self->broken) && error < 0) {
			stopped = true;
			scope_cancel(&generator->scope, error);
		}
		self->broken = false;
		generator_park(self, NULL, stopped);
	} while (generator->turn != TURN_OWNER);
}

static COLD void
generator_body_wait(struct generator *generator)
{
	do {
		generator_park(generator->task, NULL, true);
	} while (generator->turn != TURN_BODY);
}

static int
generator_end(const struct generator *generator)
{
	return min_of(generator->result, 0);
}

/*
 * From @self to the other side, and what both calls return when they go on:
 * one function for both, with one call of the switch in it, so that the returns
 * inside are those that the processor expects.
 */
static NOINLINE int
generator_swap(struct generator *generator, struct task *self,
    struct task *next, void **ret_value)
{
	bool owner = self == generator->owner;

	generator->turn = owner ? TURN_BODY : TURN_OWNER;
	generator_park(self, next, !owner);
	if (self == generator->owner) {
		if (unlikely(generator->turn != TURN_OWNER))
			generator_owner_wait(generator);
		if (unlikely(generator->ended))
			return generator_end(generator);
		*ret_value = generator->value;
		return 1;
	}
	if (unlikely(generator->turn != TURN_BODY))
		generator_body_wait(generator);
	if (unlikely(generator->closing))
		return -ECANCELED;
	*ret_value = generator->sent;
	return 0;
}

static inline struct task *
generator_self(void)
{
	struct worker *worker = worker_here;

	return worker != NULL ? worker->current : NULL;
}

void
weir_generator_init(
    struct weir_generator *public, weir_generator_fn body, void *arg)
{
	struct generator *generator = generator_of(public);

	(void)task_required(__func__);
	*generator =
	    (struct generator){.owner = task_self(), .body = body, .arg = arg};
	scope_init(&generator->scope, instant_never());
}

static COLD int
generator_start(struct generator *generator)
{
	int error = task_start(
	    &generator->scope, "generator", generator_main, generator);

	generator->started = error == 0;
	/* From here on one of the two waits for the other: see asleep.c. */
	worker_here->inner_parks += generator->started;
	return error;
}

int
weir_generator_next(struct weir_generator *public, void *sent, void **ret_value)
{
	struct generator *generator = generator_of(public);
	struct task *self = generator_self();
	int error;

	if (unlikely(self == NULL || self != generator->owner))
		return -EPERM;
	if (unlikely(generator->ended))
		return generator_end(generator);
	/* The others' turn comes too, every 256 values. */
	if (unlikely(++generator->streak == 0))
		error = task_yield();
	else
		error = task_stop_error(self, worker_here->now);
	if (unlikely(error < 0))
		return error;
	if (unlikely(!generator->started)) {
		error = generator_start(generator);
		if (error < 0)
			return error;
	}
	generator->sent = sent;
	return generator_swap(generator, self, generator->task, ret_value);
}

int
weir_generator_yield(
    struct weir_generator *public, void *value, void **ret_sent)
{
	struct generator *generator = generator_of(public);
	struct task *self = generator_self();

	if (unlikely(self == NULL || self != generator->task))
		return -EPERM;
	if (unlikely(generator->closing))
		return -ECANCELED;
	generator->value = value;
	if (ret_sent == NULL)
		ret_sent = &generator->sent;
	return generator_swap(generator, self, generator->owner, ret_sent);
}

int
weir_generator_fini(struct weir_generator *public)
{
	struct generator *generator = generator_of(public);
	struct task *self = generator_self();
	void *value;

	if (self == NULL || self != generator->owner)
		return -EPERM;
	generator->closing = true;
	if (generator->started && !generator->ended)
		(void)generator_swap(generator, self, generator->task, &value);
	must(!generator->started || generator->ended);
	scope_fini(&generator->scope);
	return generator->result;
}
