/*
 * join.c - handles of tasks
 *
 * A handle is read and written on the worker of its task alone. Who joins from
 * another worker sends a request there that lies on his own stack, so he may
 * not leave before both of its messages have come back.
 */
#include "runtime/join.h"

#include <errno.h>

#include "runtime/worker.h"

/* A circle of joins longer than this is waited in, not told. */
#define JOIN_HOPS_MAX 64

void
task_handle_begin(struct task_handle *handle, unsigned worker)
{
	*handle = (struct task_handle){.worker = worker};
	list_init(&handle->waiters);
}

static void
task_waiter_fire(struct task_waiter *waiter, int result)
{
	waiter->result = result;
	waiter->fired = true;
	if (waiter->fire != NULL)
		waiter->fire(waiter);
	else
		task_wake(waiter->task);
}

/* Whoever is told may free the handle as soon as all of them are. */
void
task_handle_end(struct task_handle *handle, int result)
{
	struct list waiters, *node;

	handle->task = NULL;
	handle->result = result;
	handle->ended = true;
	list_init(&waiters);
	while ((node = list_pop_front(&handle->waiters)) != NULL)
		list_push_back(&waiters, node);
	while ((node = list_pop_front(&waiters)) != NULL)
		task_waiter_fire(
		    container_of(node, struct task_waiter, node), result);
}

void
task_waiter_add(struct task_handle *handle, struct task_waiter *waiter)
{
	must(handle->worker == worker_here->index);
	list_init(&waiter->node);
	waiter->fired = false;
	if (handle->ended)
		task_waiter_fire(waiter, handle->result);
	else
		list_push_back(&handle->waiters, &waiter->node);
}

void
task_waiter_remove(struct task_waiter *waiter)
{
	list_remove(&waiter->node);
}

void
task_detach(struct task_handle *handle)
{
	misuse_unless(handle->worker == worker_here->index,
	    "weir_task_detach() on another worker than the task's");
	misuse_unless(list_empty(&handle->waiters),
	    "weir_task_detach() of a task that somebody joins");
	if (handle->task != NULL)
		handle->task->handle = NULL;
	handle->task = NULL;
}

/* Does @task wait, by joins, for @self? */
static bool
join_circle(const struct task *task, const struct task *self)
{
	for (unsigned i = 0; i < JOIN_HOPS_MAX && task != NULL; i++) {
		if (task == self)
			return true;
		task = task->joining != NULL ? task->joining->task : NULL;
	}
	return false;
}

static int
join_here(struct task_handle *handle, struct task *self, int *ret_result,
    instant deadline)
{
	struct task_waiter waiter = {.task = self};
	int error = 0;

	if (!handle->ended) {
		if (join_circle(handle->task, self))
			return -EDEADLK;
		task_waiter_add(handle, &waiter);
		self->joining = handle;
		while (!waiter.fired && error == 0)
			error = task_park_inner("join", deadline);
		self->joining = NULL;
		task_waiter_remove(&waiter);
		if (!waiter.fired)
			return error;
	}
	if (ret_result != NULL)
		*ret_result = handle->result;
	return 0;
}

/* ---- of another worker ---- */

struct join_request {
	struct inbox_item ask;
	struct inbox_item leave;
	struct task_handle *handle;
	struct task_waiter waiter;
	struct event done; /* the task has ended */
	struct event left; /* this is off its list */
	int error; /* to cancel with */
};

static void
join_fired(struct task_waiter *waiter)
{
	event_set(&container_of(waiter, struct join_request, waiter)->done);
}

static void
join_ask_run(struct inbox_item *item)
{
	struct join_request *request =
	    container_of(item, struct join_request, ask);

	task_waiter_add(request->handle, &request->waiter);
}

static void
join_leave_run(struct inbox_item *item)
{
	struct join_request *request =
	    container_of(item, struct join_request, leave);

	task_waiter_remove(&request->waiter);
	event_set(&request->left);
}

/* As event_wait(), but no thread of the program sets it. */
static int
join_wait(struct event *event, instant deadline)
{
	int error = 0;

	while (!event->set && error == 0) {
		event->waiter = task_self();
		error = task_park_inner("join", deadline);
		event->waiter = NULL;
	}
	return event->set ? 0 : error;
}

static int
join_there(struct task_handle *handle, int *ret_result, instant deadline)
{
	struct join_request request = {.ask.run = join_ask_run,
	    .leave.run = join_leave_run,
	    .handle = handle,
	    .waiter.fire = join_fired};
	int error = task_cancelled();

	if (error < 0)
		return error;
	event_init(&request.done);
	event_init(&request.left);
	worker_post(handle->worker, &request.ask);
	/* Only the other worker knows whether it has ended. */
	if (deadline.ns == INSTANT_PAST_NS)
		error = -ETIMEDOUT;
	else
		error = join_wait(&request.done, deadline);
	if (error < 0) {
		worker_post(handle->worker, &request.leave);
		event_wait_surely(&request.left);
		/* It ended meanwhile: that message is here, or came before. */
		if (!request.waiter.fired)
			return error;
		event_wait_surely(&request.done);
	}
	if (ret_result != NULL)
		*ret_result = request.waiter.result;
	return 0;
}

int
task_join(struct task_handle *handle, int *ret_result, instant deadline)
{
	struct task *self = task_required(__func__);

	if (handle->worker != worker_here->index)
		return join_there(handle, ret_result, deadline);
	return join_here(handle, self, ret_result, deadline);
}

static void
cancel_run(struct inbox_item *item)
{
	struct join_request *request =
	    container_of(item, struct join_request, ask);

	if (request->handle->task != NULL)
		task_cancel_one(request->handle->task, request->error);
	event_set(&request->done);
}

void
task_cancel(struct task_handle *handle, int error)
{
	if (error == 0)
		error = -ECANCELED;
	must(worker_here != NULL);
	if (handle->worker != worker_here->index) {
		struct join_request request = {
		    .ask.run = cancel_run, .handle = handle, .error = error};

		event_init(&request.done);
		worker_post(handle->worker, &request.ask);
		event_wait_surely(&request.done);
	} else if (handle->task != NULL) {
		task_cancel_one(handle->task, error);
	}
}
