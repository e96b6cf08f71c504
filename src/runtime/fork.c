/*
 * fork.c - a child of fork() has the memory of the runtime, not its threads
 *
 * In the child nothing may wait: nobody would come to wake it. The calls of the
 * task that forked return -EOWNERDEAD, by the cancel that they look for anyway,
 * and what cannot return an error ends the process with its reason. exec is not
 * concerned, nor are vfork, posix_spawn and our own clone, which run no
 * handlers.
 */
#include <errno.h>
#include <pthread.h>

#include "runtime/misuse.h"
#include "runtime/worker.h"

static void
fork_cancel_scopes(struct scope *scope)
{
	for (; scope != NULL; scope = scope->parent)
		scope->cancelled = -EOWNERDEAD;
}

static void
fork_child(void)
{
	struct task *task;

	if (runtime_here.worker_count == 0)
		return;
	runtime_here.forked = true;
	/* Nothing starts any more; see task_start_with_at(). */
	runtime_here.task_count_max = 0;
	if (worker_here == NULL)
		return;
	/* No switch either; see worker_switch(). */
	worker_here->leave_checks += FORK_NOSUSPEND;
	task = worker_here->current;
	if (task == NULL)
		return;
	task->cancelled = -EOWNERDEAD;
	task->shield_depth = 0;
	fork_cancel_scopes(task->scope);
}

void
fork_watch(void)
{
	static bool watching;

	if (!watching)
		watching = pthread_atfork(NULL, NULL, fork_child) == 0;
}
