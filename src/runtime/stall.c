#include "runtime/stall.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/counters.h"
#include "os/clock.h"
#include "runtime/backtrace.h"
#include "runtime/io_backend.h"
#include "runtime/worker.h"

#define STALL_SIGNAL      SIGURG
#define STALL_QUIET_LOOKS 16
#define STALL_ANSWER_NS   200000000
#define STALL_TEXT_BYTES  (512 + 200 * BACKTRACE_DEPTH_MAX)

/* What the handler found on the worker that was asked. */
struct stall_note {
	const struct worker *worker; /* asked; NULL: nobody */
	bool in_task;
	char name[64];
	char file[128];
	int line;
	struct backtrace trace;
};

/* What the monitor knows of a worker. */
struct stall_seen {
	uint64_t moves;
	instant since;
	int64_t cpu_ns; /* that its thread had used by then */
	bool told;
};

static struct {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct sigaction before;
	bool running;
	bool ending; /* under the lock, like the note's answer */
	int64_t limit_ns;
	unsigned quiet; /* looks in which nothing moved */
	struct stall_seen seen[RUNTIME_WORKERS_MAX];
	struct stall_note note;
	_Atomic bool asked;
	_Atomic bool answered;
} stall = {.lock = PTHREAD_MUTEX_INITIALIZER};

_Atomic bool stall_asleep;

/* ---- on the worker that holds its thread ---- */

static void
stall_frame(const ucontext_t *context, uintptr_t *ret_pc, uintptr_t *ret_fp)
{
#if defined(__x86_64__)
	*ret_pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
	*ret_fp = (uintptr_t)context->uc_mcontext.gregs[REG_RBP];
#else
	*ret_pc = context->uc_mcontext.pc;
	*ret_fp = context->uc_mcontext.regs[29];
#endif
}

static void
stall_copy(char *into, size_t capacity, const char *text)
{
	struct appender to = appender_over(into, capacity - 1);

	append_bytes(&to, bytes_of(text, min_of(strlen(text), capacity - 1)));
	into[to.length] = '\0';
}

static void
stall_handle(int signal, siginfo_t *info, void *context)
{
	struct stall_note *note = &stall.note;
	struct worker *worker = worker_here;
	struct task *task;
	uintptr_t pc, fp;

	(void)signal;
	(void)info;
	if (!atomic_load(&stall.asked) || worker == NULL ||
	    worker != note->worker)
		return;
	task = worker->current;
	note->in_task = task != NULL;
	stall_frame(context, &pc, &fp);
	if (task != NULL) {
		stall_copy(note->name, sizeof(note->name), task->name);
		stall_copy(note->file, sizeof(note->file), task->file);
		note->line = task->line;
		backtrace_walk(&note->trace, pc, fp,
		    (uintptr_t)task_slot(task) + STACK_GUARD_BYTES,
		    (uintptr_t)task_top(task));
	} else {
		backtrace_walk(&note->trace, pc, 0, 1, 0);
	}
	counters_here->stalls++;
	atomic_store(&stall.asked, false);
	atomic_store(&stall.answered, true);
}

/* ---- the monitor ---- */

static void
stall_append(struct appender *text, const struct worker *worker, duration held,
    duration cpu)
{
	const struct stall_note *note = &stall.note;
	struct symbols symbols;

	append_literal(text, "weir: stall: ");
	if (atomic_load(&stall.answered) && note->in_task)
		append_format(text, "task %s spawned at %s:%d", note->name,
		    note->file, note->line);
	else if (atomic_load(&stall.answered))
		append_literal(text, "a hook of the loop");
	else
		append_literal(text, "what did not answer a signal");
	append_format(text,
	    " holds worker %u for %lld ms, %lld of them on a CPU; let the "
	    "others run with a yield, or give what blocks to a pool\n",
	    worker->index, (long long)duration_to_ms(held),
	    (long long)duration_to_ms(cpu));
	if (!atomic_load(&stall.answered))
		return;
	symbols_init(&symbols);
	backtrace_append(text, &note->trace, &symbols);
	symbols_fini(&symbols);
}

static void
stall_tell(struct worker *worker, duration held, duration cpu)
{
	char memory[STALL_TEXT_BYTES];
	struct appender text = appender_over(memory, sizeof(memory) - 1);
	struct timespec pause = {.tv_nsec = 1000000};
	instant end = instant_after(clock_now(), duration_ns(STALL_ANSWER_NS));

	stall.note.worker = worker;
	atomic_store(&stall.answered, false);
	atomic_store(&stall.asked, true);
	pthread_kill(worker->thread, STALL_SIGNAL);
	while (
	    !atomic_load(&stall.answered) && instant_before(clock_now(), end))
		nanosleep(&pause, NULL);
	/* Too late now: the note is about to be read. */
	atomic_exchange(&stall.asked, false);
	stall_append(&text, worker, held, cpu);
	memory[text.length] = '\0';
	runtime_here.stall_told(memory);
}

/* What the worker's thread has computed. A thread that had little of the time
 * was blocked, or the machine had other things to do. */
static int64_t
stall_cpu_ns(const struct worker *worker)
{
	struct timespec used;
	clockid_t clock;

	if (pthread_getcpuclockid(worker->thread, &clock) != 0 ||
	    clock_gettime(clock, &used) != 0)
		return 0;
	return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

static void
stall_look_at(unsigned index, instant now, bool *ret_quiet)
{
	struct worker *worker = runtime_here.workers[index];
	struct stall_seen *seen = &stall.seen[index];
	uint64_t moves =
	    atomic_load_explicit(&worker->switch_count, memory_order_relaxed) +
	    atomic_load_explicit(&worker->poll_count, memory_order_relaxed);
	duration held;

	if (moves != seen->moves ||
	    atomic_load_explicit(&worker->waits, memory_order_relaxed)) {
		*ret_quiet &= moves == seen->moves;
		*seen = (struct stall_seen){.moves = moves,
		    .since = now,
		    .cpu_ns = stall_cpu_ns(worker)};
		return;
	}
	*ret_quiet = false;
	held = instant_since(now, seen->since);
	if (held.ns < stall.limit_ns || seen->told)
		return;
	seen->told = true;
	atomic_store_explicit(&worker->stall_count,
	    atomic_load_explicit(&worker->stall_count, memory_order_relaxed) +
		1,
	    memory_order_relaxed);
	stall_tell(
	    worker, held, duration_ns(stall_cpu_ns(worker) - seen->cpu_ns));
}

/* True when all workers have waited for a while. */
static bool
stall_look(void)
{
	instant now = clock_now();
	bool quiet = true;

	for (unsigned i = 0; i < runtime_here.worker_count; i++)
		stall_look_at(i, now, &quiet);
	stall.quiet = quiet ? stall.quiet + 1 : 0;
	return stall.quiet >= STALL_QUIET_LOOKS;
}

/* Under the lock. */
static void
stall_sleep(void)
{
	instant now;

	atomic_store(&stall_asleep, true);
	while (atomic_load(&stall_asleep) && !stall.ending)
		pthread_cond_wait(&stall.changed, &stall.lock);
	atomic_store(&stall_asleep, false);
	stall.quiet = 0;
	now = clock_now();
	for (unsigned i = 0; i < runtime_here.worker_count; i++)
		stall.seen[i].since = now;
}

void
stall_wake(void)
{
	/* Of several workers one wakes it. */
	if (!atomic_exchange(&stall_asleep, false))
		return;
	pthread_mutex_lock(&stall.lock);
	pthread_cond_signal(&stall.changed);
	pthread_mutex_unlock(&stall.lock);
}

static void
stall_pause(void)
{
	instant end = instant_after(
	    clock_now(), duration_ns(stall.limit_ns / STALL_LOOKS));
	struct timespec until = {
	    .tv_sec = end.ns / 1000000000, .tv_nsec = end.ns % 1000000000};

	while (!stall.ending && instant_before(clock_now(), end))
		pthread_cond_timedwait(&stall.changed, &stall.lock, &until);
}

static void *
stall_main(void *arg)
{
	(void)arg;
	counters_use(NULL);
	pthread_mutex_lock(&stall.lock);
	while (!stall.ending) {
		stall_pause();
		if (!stall.ending && stall_look())
			stall_sleep();
	}
	pthread_mutex_unlock(&stall.lock);
	return NULL;
}

void
stall_thread(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, STALL_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void
stall_print(const char *text)
{
	ssize_t written = write(STDERR_FILENO, text, strlen(text));

	/* There is nobody left to tell. */
	(void)written;
}

void
stall_start(int64_t limit_ns)
{
	struct sigaction action = {.sa_sigaction = stall_handle,
	    .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
	pthread_condattr_t attributes;

	/* A simulated clock stands still by itself. */
	if (limit_ns < 0 || runtime_here.backend->defer != NULL ||
	    sanitize_on_valgrind())
		return;
	sigaction(STALL_SIGNAL, NULL, &stall.before);
	if (stall.before.sa_handler != SIG_DFL)
		return;
	stall.limit_ns = limit_ns != 0 ? limit_ns : STALL_NS_DEFAULT;
	stall.ending = false;
	stall.quiet = 0;
	memset(stall.seen, 0, sizeof(stall.seen));
	/* A worker that has not moved yet is not held since the boot. */
	for (unsigned i = 0; i < runtime_here.worker_count; i++)
		stall.seen[i].since = clock_now();
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&stall.changed, &attributes);
	pthread_condattr_destroy(&attributes);
	sigemptyset(&action.sa_mask);
	sigaction(STALL_SIGNAL, &action, NULL);
	stall.running =
	    runtime_thread_new(&stall.thread, stall_main, NULL) == 0;
	if (!stall.running)
		sigaction(STALL_SIGNAL, &stall.before, NULL);
}

int
stall_signal(void)
{
	return stall.running ? STALL_SIGNAL : 0;
}

/* While the workers' structs are still there. */
void
stall_end(void)
{
	if (!stall.running)
		return;
	pthread_mutex_lock(&stall.lock);
	stall.ending = true;
	pthread_cond_signal(&stall.changed);
	pthread_mutex_unlock(&stall.lock);
	pthread_join(stall.thread, NULL);
	sigaction(STALL_SIGNAL, &stall.before, NULL);
	pthread_cond_destroy(&stall.changed);
	stall.running = false;
	atomic_store(&stall_asleep, false);
}
