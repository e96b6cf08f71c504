#include <errno.h>

#include "runtime/park.h"

static void
scope_clear(struct scope *scope)
{
	list_init(&scope->tasks);
	list_init(&scope->children);
	list_init(&scope->sibling);
	scope->waiter = NULL;
	scope->first_error = 0;
	scope->live = 0;
	scope->daemons = 0;
}

void
scope_init(struct scope *scope, instant deadline)
{
	struct task *self = task_required(__func__);

	must(self->scopes_open < UINT16_MAX);
	scope_clear(scope);
	self->scopes_open++;
	scope->owner = self;
	scope->parent = self->scope;
	scope->deadline = instant_earlier(deadline, self->scope->deadline);
	scope->cancelled = self->scope->cancelled;
	list_push_back(&self->scope->children, &scope->sibling);
}

void
scope_init_root(struct scope *scope)
{
	scope_clear(scope);
	scope->owner = NULL;
	scope->parent = NULL;
	scope->deadline = instant_never();
	scope->cancelled = 0;
}

/* Daemons have nobody to serve when they are alone and nobody can come. */
static inline void
scope_dismiss_daemons(struct scope *scope)
{
	if (likely(scope->daemons == 0) || scope->live != scope->daemons)
		return;
	list_each (node, &scope->tasks)
		task_cancel_one(
		    container_of(node, struct task, of_scope), -ECANCELED);
}

static void
scope_check_owner(
    const struct scope *scope, const struct task *self, const char *function)
{
	if (unlikely(scope->owner != self))
		misuse("weir_%s() by another task than the one that opened the "
		       "scope; only that one may wait for it and end it",
		    function);
}

int
scope_wait(struct scope *scope)
{
	struct task *self = task_required(__func__);
	struct worker *worker = worker_here;
	int error;

	scope_check_owner(scope, self, __func__);
	while (scope->live > 0) {
		scope_dismiss_daemons(scope);
		scope->waiter = self;
		error = task_park_inner_here(
		    worker, self, "scope", instant_never());
		scope->waiter = NULL;
		if (error < 0)
			return error;
	}
	return scope->first_error;
}

int
scope_fini(struct scope *scope)
{
	struct task *self = task_required(__func__);

	scope_check_owner(scope, self, __func__);
	if (scope->live > 0)
		scope_cancel(scope, -ECANCELED);
	while (scope->live > 0) {
		scope->waiter = self;
		task_park_inner_uncancellable("scope end");
		scope->waiter = NULL;
	}
	if (unlikely(!list_empty(&scope->children)))
		misuse("weir_scope_fini() of a scope while one that was opened "
		       "inside it is still open; end the inner one first");
	list_remove(&scope->sibling);
	self->scopes_open--;
	return scope->first_error;
}

/*
 * The first cancel wins, also below: a child that was cancelled with an error
 * of its own keeps it. Its subtree is cancelled then already.
 */
void
scope_cancel(struct scope *scope, int error)
{
	if (scope->cancelled != 0)
		return;
	/* What timed out before stays timed out. */
	if (!instant_before(worker_here->now, scope->deadline))
		error = -ETIMEDOUT;
	scope->cancelled = error != 0 ? error : -ECANCELED;
	list_each (node, &scope->tasks)
		task_stop(container_of(node, struct task, of_scope));
	list_each (node, &scope->children)
		scope_cancel(container_of(node, struct scope, sibling),
		    scope->cancelled);
}
