#include "runtime/stack_report.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "runtime/worker.h"

#define STACK_PAINT UINT64_C(0x7765697277656972)

struct stack_site {
	const char *file;
	const char *name;
	int line;
	unsigned count;
	size_t high;
};

bool stack_report_on;

static struct {
	pthread_mutex_t lock;
	unsigned count;
	struct stack_site sites[STACK_REPORT_SITES];
} stack_report = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint64_t *
stack_report_low(struct task *task)
{
	/* A stack without a guard page has a canary there. */
	return (uint64_t *)(task_slot(task) + STACK_GUARD_BYTES);
}

__attribute__((no_sanitize("address", "thread"))) void
stack_report_paint(struct task *task)
{
	for (volatile uint64_t *at = stack_report_low(task);
	     at < (uint64_t *)(void *)task_top(task); at++)
		*at = STACK_PAINT;
}

__attribute__((no_sanitize("address", "thread"))) size_t
stack_report_high(struct task *task)
{
	const volatile uint64_t *at = stack_report_low(task);

	while (at < (uint64_t *)(void *)task_top(task) && *at == STACK_PAINT)
		at++;
	return (size_t)(task_top(task) - (char *)at);
}

/* Under the lock; NULL when the table is full. */
static struct stack_site *
stack_report_site(const struct task *task)
{
	struct stack_site *site;

	for (unsigned i = 0; i < stack_report.count; i++) {
		site = &stack_report.sites[i];
		if (site->line == task->line &&
		    strcmp(site->file, task->file) == 0 &&
		    strcmp(site->name, task->name) == 0)
			return site;
	}
	if (stack_report.count == STACK_REPORT_SITES)
		return NULL;
	site = &stack_report.sites[stack_report.count++];
	*site = (struct stack_site){
	    .file = task->file, .name = task->name, .line = task->line};
	return site;
}

void
stack_report_task_ended(struct task *task)
{
	size_t high = stack_report_high(task);
	struct stack_site *site;

	pthread_mutex_lock(&stack_report.lock);
	site = stack_report_site(task);
	if (site != NULL) {
		site->count++;
		site->high = max_of(site->high, high);
	}
	pthread_mutex_unlock(&stack_report.lock);
}

void
stack_report_start(void)
{
	stack_report_on = getenv("WEIR_STACK_REPORT") != NULL;
	stack_report.count = 0;
}

static int
stack_report_compare(const void *left, const void *right)
{
	const struct stack_site *a = left, *b = right;

	return a->high < b->high ? 1 : a->high > b->high ? -1 : 0;
}

void
stack_report_end(void)
{
	if (!stack_report_on)
		return;
	qsort(stack_report.sites, stack_report.count,
	    sizeof(stack_report.sites[0]), stack_report_compare);
	for (unsigned i = 0; i < stack_report.count; i++) {
		const struct stack_site *site = &stack_report.sites[i];
		char memory[512];
		struct appender text = appender_over(memory, sizeof(memory));

		append_format(&text,
		    "weir: stack: %zu of %d bytes, %u tasks %.64s spawned at "
		    "%.128s:%d\n",
		    site->high, STACK_SLOT_BYTES - STACK_GUARD_BYTES,
		    site->count, site->name, site->file, site->line);
		/* There is nobody left to tell. */
		if (write(STDERR_FILENO, memory, text.length) < 0)
			return;
	}
}
