/*
 * supervise.c - a task that watches tasks
 *
 * Every child runs as a task in a scope of its own: its function, or one that
 * starts the process and waits for it. To stop a child is to end its scope. As
 * it ends it notes the result and wakes the supervisor, who alone decides.
 */
#include "runtime/supervise.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "os/random.h"
#include "runtime/runtime.h"
#include "runtime/worker.h"

enum child_state {
	CHILD_WAITS, /* for start_at */
	CHILD_RUNS, /* its scope is open */
	CHILD_DONE, /* for good */
};

struct child {
	const struct supervise_child *spec;
	struct supervisor *supervisor;
	enum child_state state;
	struct scope scope;
	instant start_at;
	instant started;
	struct restart_deaths deaths;
	bool ended; /* while CHILD_RUNS: its task has returned */
	bool unstarted;
	int result; /* of the task, or of what could not be started */
	struct process_exit exit;
	pid_t pid; /* 0: none was started */
};

struct supervisor {
	const struct supervise_options *options;
	struct task *task;
	struct restart_intensity intensity;
	unsigned count;
	char *ret_failure;
	struct child children[];
};

/* ---- a child ---- */

static void
child_say(struct child *child, struct supervise_event event)
{
	const struct supervise_options *options = child->supervisor->options;

	event.child = child->spec;
	event.pid = child->pid;
	if (options->event != NULL)
		options->event(&event, options->event_arg);
}

static int
child_process_start(struct child *child, struct process **ret_process)
{
	const struct supervise_child *spec = child->spec;
	int r = 0;

	if (spec->prepare != NULL)
		r = spec->prepare(spec->arg);
	/* It may have been stopped before it began. */
	if (r == 0)
		r = task_cancelled();
	return r < 0 ? r : process_start(spec->process, ret_process, NULL);
}

static int
child_process_run(struct child *child)
{
	struct process *process;
	int r;

	r = child_process_start(child, &process);
	if (r < 0) {
		child->unstarted = true;
		return r;
	}
	child->pid = process_pid(process);
	child_say(child, (struct supervise_event){.what = SUPERVISE_STARTED});
	if (child->spec->attend != NULL)
		child->spec->attend(process, child->spec->arg);
	r = process_wait(process, &child->exit,
	    child->spec->attend != NULL ? instant_past() : instant_never());
	if (!process_ended(process)) {
		/* Bounded by SIGKILL, a little later. */
		task_shield(
		    duration_ns(child->spec->grace.ns + duration_s(1).ns));
		r = process_stop(process, child->spec->grace, &child->exit);
		task_unshield();
	}
	process_drop(process);
	return r;
}

static int
child_run(void *arg)
{
	struct child *child = arg;

	if (child->spec->process != NULL) {
		child->result = child_process_run(child);
	} else {
		child_say(
		    child, (struct supervise_event){.what = SUPERVISE_STARTED});
		child->result = child->spec->task(child->spec->arg);
	}
	child->ended = true;
	task_wake(child->supervisor->task);
	return 0;
}

/* What cancels the supervisor must not cancel its children all at once: they
 * are stopped one after the other. */
static void
child_scope_init(struct scope *scope)
{
	scope_init(scope, instant_never());
	list_remove(&scope->sibling);
	scope->deadline = instant_never();
	scope->cancelled = 0;
}

static void
child_start(struct child *child)
{
	int r;

	child->ended = child->unstarted = false;
	child->result = 0;
	child->exit = (struct process_exit){0};
	child->pid = 0;
	child->started = runtime_now();
	child->state = CHILD_RUNS;
	child_scope_init(&child->scope);
	r = task_start(&child->scope, child->spec->name, child_run, child);
	if (r < 0) {
		child->ended = child->unstarted = true;
		child->result = r;
	}
}

static void
child_stop(struct child *child)
{
	if (child->state == CHILD_RUNS)
		(void)scope_fini(&child->scope);
	child->state = CHILD_DONE;
}

static bool
child_failed(const struct child *child)
{
	return child->result < 0 || child->exit.code != 0;
}

static void
child_why(const struct child *child, struct appender *text)
{
	if (child->unstarted)
		append_format(text, "could not be started: %s",
		    error_text(child->result));
	else if (child->result < 0)
		append_format(text, "failed: %s", error_text(child->result));
	else if (child->spec->process != NULL)
		process_exit_append(text, &child->exit);
	else
		append_literal(text, "returned");
}

/* ---- the supervisor ---- */

static void
supervisor_stop_from(struct supervisor *supervisor, unsigned first)
{
	for (unsigned i = supervisor->count; i-- > first;)
		child_stop(&supervisor->children[i]);
}

static int
supervisor_give_up(
    struct supervisor *supervisor, struct child *child, const char *why)
{
	const struct supervise_options *options = supervisor->options;

	child_say(child,
	    (struct supervise_event){.what = SUPERVISE_GAVE_UP, .why = why});
	if (supervisor->ret_failure != NULL)
		(void)snprintf(supervisor->ret_failure, SUPERVISE_TEXT_BYTES,
		    "%s %s, and %u restarts in %lld ms were the most allowed",
		    child->spec->name, why, options->restart_max,
		    (long long)duration_to_ms(options->window));
	return -ECHILD;
}

static duration
supervisor_pause(struct supervisor *supervisor, struct child *child)
{
	const struct restart_backoff *backoff = &supervisor->options->backoff;

	if (child->unstarted)
		return restart_pause_unstarted(
		    &child->deaths, backoff, random_u64());
	return restart_pause(&child->deaths, backoff,
	    instant_since(runtime_now(), child->started), random_u64());
}

/* Those that fall with @child, and it: to be started at @when. */
static void
supervisor_restart(
    struct supervisor *supervisor, struct child *child, instant when)
{
	unsigned at = (unsigned)(child - supervisor->children);
	unsigned first = at, end = at + 1;

	if (supervisor->options->strategy != SUPERVISE_ONE_FOR_ONE)
		end = supervisor->count;
	if (supervisor->options->strategy == SUPERVISE_ONE_FOR_ALL)
		first = 0;
	for (unsigned i = end; i-- > first;) {
		struct child *other = &supervisor->children[i];

		if (other->state == CHILD_DONE)
			continue;
		child_stop(other);
		if (other->spec->when == RESTART_TEMPORARY)
			continue;
		other->state = CHILD_WAITS;
		other->start_at = when;
	}
}

static int
supervisor_child_ended(struct supervisor *supervisor, struct child *child)
{
	char memory[SUPERVISE_TEXT_BYTES / 2] = {0};
	struct appender why = appender_over(memory, sizeof(memory) - 1);
	struct supervise_event event = {.what = SUPERVISE_ENDED, .why = memory};

	child_why(child, &why);
	event.again = restart_wanted(child->spec->when, child_failed(child));
	if (!event.again) {
		child_stop(child);
		child_say(child, event);
		return 0;
	}
	if (!restart_intensity_take(&supervisor->intensity, runtime_now()))
		return supervisor_give_up(supervisor, child, memory);
	event.pause = supervisor_pause(supervisor, child);
	child_say(child, event);
	supervisor_restart(
	    supervisor, child, instant_after(runtime_now(), event.pause));
	return 0;
}

/* Start who is due, look at who has ended.
 * Returns 1 while there is somebody, 0 when all are done, or -ECHILD. */
static int
supervisor_turn(struct supervisor *supervisor, instant *ret_next)
{
	int any = 0;

	*ret_next = instant_never();
	for (unsigned i = 0; i < supervisor->count; i++) {
		struct child *child = &supervisor->children[i];

		if (child->state == CHILD_RUNS && child->ended) {
			int r = supervisor_child_ended(supervisor, child);

			if (r < 0)
				return r;
			/* Others may have been stopped with it. */
			*ret_next = instant_past();
			return 1;
		}
		if (child->state == CHILD_WAITS &&
		    !instant_before(runtime_now(), child->start_at))
			child_start(child);
		if (child->state == CHILD_WAITS)
			*ret_next = instant_earlier(*ret_next, child->start_at);
		any |= child->state != CHILD_DONE;
	}
	return any;
}

static int
supervisor_run(struct supervisor *supervisor)
{
	instant next;
	int r;

	for (;;) {
		r = task_cancelled();
		if (r < 0)
			return r;
		r = supervisor_turn(supervisor, &next);
		if (r <= 0)
			return r;
		/* A wake, a time that has come, or a cancel: all are looked
		 * at above. */
		if (next.ns != INSTANT_PAST_NS)
			r = task_park_inner("supervise", next);
		if (r == -EDEADLK)
			return r;
	}
}

static bool
supervise_valid(const struct supervise_options *options,
    const struct supervise_child *children, unsigned count)
{
	if (count > SUPERVISE_CHILDREN_MAX ||
	    options->restart_max > RESTART_INTENSITY_MAX ||
	    options->strategy > SUPERVISE_REST_FOR_ONE)
		return false;
	for (unsigned i = 0; i < count; i++) {
		if ((children[i].process != NULL) ==
			(children[i].task != NULL) ||
		    children[i].name == NULL)
			return false;
		if (children[i].task != NULL &&
		    (children[i].prepare != NULL || children[i].attend != NULL))
			return false;
	}
	return true;
}

int
supervise(const struct supervise_options *options,
    const struct supervise_child *children, unsigned count,
    char ret_failure[SUPERVISE_TEXT_BYTES])
{
	struct supervisor *supervisor;
	int r;

	must(task_self() != NULL);
	if (!supervise_valid(options, children, count))
		return -EINVAL;
	supervisor = calloc(
	    1, sizeof(*supervisor) + count * sizeof(supervisor->children[0]));
	if (supervisor == NULL)
		return -ENOMEM;
	supervisor->options = options;
	supervisor->task = task_self();
	supervisor->count = count;
	supervisor->ret_failure = ret_failure;
	restart_intensity_init(
	    &supervisor->intensity, options->restart_max, options->window);
	for (unsigned i = 0; i < count; i++) {
		supervisor->children[i].spec = &children[i];
		supervisor->children[i].supervisor = supervisor;
		supervisor->children[i].start_at = instant_past();
	}
	r = supervisor_run(supervisor);
	supervisor_stop_from(supervisor, 0);
	free(supervisor);
	return r;
}
