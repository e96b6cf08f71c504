#include "runtime/runtime.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

#include "base/counters.h"
#include "os/clock.h"
#include "os/cpu.h"
#include "runtime/io/gather.h"
#include "runtime/io_backend.h"
#include "runtime/lock_order.h"
#include "runtime/process.h"
#include "runtime/stack_report.h"
#include "runtime/stall.h"
#include "runtime/worker.h"

/* An emulator keeps books of the 64 GiB that this reserves: built for one, it
 * is less. */
#ifndef TASK_COUNT_MAX
#	define TASK_COUNT_MAX 1000000
#endif

struct runtime runtime_here;

static const struct io_backend *const runtime_backends[] = {
    &io_epoll, &io_uring, &io_poll, &io_select, &io_sim};

static const struct io_backend *
runtime_best_backend(void)
{
	int result = io_uring.probe();

	if (result < 0)
		runtime_here.backend_error = result;
	return result == 1 ? &io_uring : runtime_backends[0];
}

static const struct io_backend *
runtime_find_backend(const char *name)
{
	if (name == NULL)
		return runtime_backends[0];
	if (strcmp(name, "auto") == 0)
		return runtime_best_backend();
	if (strcmp(name, "io_uring") == 0)
		name = io_uring.name;
	for (size_t i = 0; i < array_count(runtime_backends); i++) {
		if (strcmp(runtime_backends[i]->name, name) == 0)
			return runtime_backends[i];
	}
	return NULL;
}

/* What is not to be had here is replaced by what always is. */
static void
runtime_backend_replace(int error)
{
	runtime_here.backend_error = error;
	runtime_here.backend = runtime_backends[0];
}

static void
runtime_backend_probe(void)
{
	const struct io_backend *backend = runtime_here.backend;
	int error = backend->probe != NULL ? backend->probe() : 0;

	if (error < 0)
		runtime_backend_replace(error);
}

static int
runtime_configure(const struct runtime_options *options)
{
	struct runtime *runtime = &runtime_here;

	memset(runtime, 0, sizeof(*runtime));
	lock_order_configure();
	runtime->backend = runtime_find_backend(options->backend);
	if (runtime->backend == NULL || options->gather_ns < 0 ||
	    options->gather_ns > GATHER_WINDOW_NS_MAX)
		return -EINVAL;
	runtime_backend_probe();
	runtime->worker_count = options->worker_count;
	/* A simulation has one, and says so if it is asked for more. */
	if (runtime->worker_count == 0)
		runtime->worker_count =
		    runtime->backend == &io_sim ? 1 : cpu_count_usable();
	if (runtime->worker_count > RUNTIME_WORKERS_MAX)
		runtime->worker_count = RUNTIME_WORKERS_MAX;
	runtime->task_count_max = options->task_count_max != 0
	    ? options->task_count_max
	    : TASK_COUNT_MAX;
	runtime->gather_ns = options->gather_ns;
	runtime->pin = options->pin;
	runtime->stall_told =
	    options->stall_told != NULL ? options->stall_told : stall_print;
	return io_table_open();
}

/* The first task of worker 0. */
static int
runtime_root(void *arg)
{
	struct runtime *runtime = &runtime_here;

	runtime->root_task = task_self();
	runtime->root_result = runtime->root(arg);
	runtime->root_task = NULL;
	stop_start();
	return 0;
}

static void
runtime_worker_enter(struct worker *worker)
{
	worker_here = worker;
	sanitize_context_thread(&worker->loop);
	if (runtime_here.pin)
		cpu_pin(worker->index);
	crash_thread_start(worker);
	worker_run(worker);
	process_worker_end();
	crash_thread_end(worker);
	worker_here = NULL;
}

static void *
runtime_thread(void *arg)
{
	struct worker *worker = arg;

	counters_use(NULL);
	stall_thread();
	runtime_worker_enter(worker);
	return NULL;
}

static void
runtime_workers_free(void)
{
	for (unsigned i = 0; i < runtime_here.worker_count; i++) {
		struct worker *worker = runtime_here.workers[i];

		runtime_here.workers[i] = NULL;
		if (worker == NULL)
			continue;
		worker_fini(worker);
		free(worker);
	}
}

static int
runtime_workers_make(void)
{
	for (unsigned i = 0; i < runtime_here.worker_count; i++) {
		struct worker *worker =
		    aligned_alloc(_Alignof(struct worker), sizeof(*worker));
		int error;

		if (worker == NULL)
			return -ENOMEM;
		memset(worker, 0, sizeof(*worker));
		error = worker_init(worker, i);
		if (error < 0) {
			free(worker);
			return error;
		}
		runtime_here.workers[i] = worker;
	}
	return 0;
}

/* A ring for each may be more than the kernel grants, where one was not. */
static int
runtime_workers_new(void)
{
	int error = runtime_workers_make();

	if (error == 0 || runtime_here.backend->probe == NULL)
		return error;
	runtime_workers_free();
	runtime_backend_replace(error);
	return runtime_workers_make();
}

static _Atomic unsigned runtime_threads;

unsigned
runtime_thread_count(void)
{
	return atomic_load(&runtime_threads);
}

struct thread_start {
	void *(*fn)(void *arg);
	void *arg;
};

/* Counted by itself, so that there are never fewer than are counted. */
static void *
runtime_thread_main(void *arg)
{
	struct thread_start start = *(struct thread_start *)arg;
	void *result;

	free(arg);
	atomic_fetch_add(&runtime_threads, 1);
	result = start.fn(start.arg);
	atomic_fetch_sub(&runtime_threads, 1);
	return result;
}

/* Handlers of the caller run on its own threads, as before. */
int
runtime_thread_new(pthread_t *ret_thread, void *(*fn)(void *), void *arg)
{
	struct thread_start *start = malloc(sizeof(*start));
	sigset_t all, before;
	int error;

	if (start == NULL)
		return -ENOMEM;
	*start = (struct thread_start){fn, arg};
	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGABRT);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(ret_thread, NULL, runtime_thread_main, start);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0)
		free(start);
	return -error;
}

static void
runtime_threads_join(unsigned count)
{
	for (unsigned i = 1; i < count; i++)
		pthread_join(runtime_here.workers[i]->thread, NULL);
}

/* Threads 1.. of the workers; on error none is left. */
static int
runtime_threads_start(void)
{
	for (unsigned i = 1; i < runtime_here.worker_count; i++) {
		pthread_t thread;
		int error;

		error = runtime_thread_new(
		    &thread, runtime_thread, runtime_here.workers[i]);
		if (error < 0) {
			atomic_store(&runtime_here.ended, true);
			for (unsigned k = 1; k < i; k++)
				worker_wake(runtime_here.workers[k]);
			runtime_threads_join(i);
			return error;
		}
		runtime_here.workers[i]->thread = thread;
	}
	return 0;
}

/* The root task waits in worker 0's ready list until its loop runs. */
static int
runtime_root_start(task_fn root, void *arg)
{
	int error;

	runtime_here.root = root;
	runtime_here.root_arg = arg;
	runtime_here.workers[0]->thread = pthread_self();
	worker_here = runtime_here.workers[0];
	error = task_start(NULL, "root", runtime_root, arg);
	worker_here = NULL;
	return error;
}

static int
runtime_run_workers(task_fn root, void *arg, int64_t stall_ns)
{
	int error;

	error = runtime_workers_new();
	asleep_runtime(error == 0);
	if (error == 0)
		error = runtime_root_start(root, arg);
	if (error == 0)
		error = runtime_threads_start();
	if (error == 0) {
		stall_start(stall_ns);
		atomic_fetch_add(&runtime_threads, 1);
		runtime_worker_enter(runtime_here.workers[0]);
		atomic_fetch_sub(&runtime_threads, 1);
		runtime_threads_join(runtime_here.worker_count);
		stall_end();
		offload_end();
		error = runtime_here.root_result;
	}
	asleep_runtime(false);
	runtime_workers_free();
	return error;
}

static int
runtime_run_backend(
    const struct runtime_options *options, task_fn root, void *arg)
{
	const struct io_backend *backend = runtime_here.backend;
	int error = backend->start != NULL ? backend->start(options) : 0;

	if (error < 0)
		return error;
	/* The time that a task takes is not simulated. */
	error = runtime_run_workers(
	    root, arg, backend->defer != NULL ? -1 : options->stall_ns);
	if (backend->end != NULL)
		backend->end();
	return error;
}

int
runtime_run(const struct runtime_options *options, task_fn root, void *arg)
{
	static atomic_flag running = ATOMIC_FLAG_INIT;
	int error;

	if (runtime_here.forked)
		return -EOWNERDEAD;
	if (worker_here != NULL || atomic_flag_test_and_set(&running))
		return -EBUSY;
	fork_watch();
	error = runtime_configure(options);
	if (error == 0) {
		crash_install();
		stack_report_start();
		error = runtime_run_backend(options, root, arg);
		crash_uninstall();
		stack_report_end();
	}
	runtime_here.worker_count = 0;
	atomic_flag_clear(&running);
	return error;
}

unsigned
runtime_worker_count(void)
{
	return runtime_here.worker_count;
}

unsigned
worker_self(void)
{
	return worker_here != NULL ? worker_here->index : 0;
}

instant
runtime_now(void)
{
	return worker_here != NULL ? worker_here->now : clock_now();
}

const char *
runtime_backend(void)
{
	return runtime_here.backend != NULL ? runtime_here.backend->name
					    : runtime_backends[0]->name;
}

int
runtime_backend_error(void)
{
	return runtime_here.backend_error;
}

int
signals_open(const int *signals)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (; *signals != 0; signals++)
		sigaddset(&set, *signals);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
		return -EINVAL;
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return fd >= 0 ? fd : -errno;
}

void
runtime_info_get(struct runtime_info *ret_info)
{
	struct runtime_info info = {.worker_count = runtime_here.worker_count};

	for (unsigned i = 0; i < info.worker_count; i++) {
		const struct worker *w = runtime_here.workers[i];

		info.task_count +=
		    atomic_load_explicit(&w->task_count, memory_order_relaxed);
		info.task_count_peak += atomic_load_explicit(
		    &w->task_count_peak, memory_order_relaxed);
		info.switch_count += atomic_load_explicit(
		    &w->switch_count, memory_order_relaxed);
		info.stall_count +=
		    atomic_load_explicit(&w->stall_count, memory_order_relaxed);
		info.poll_count +=
		    atomic_load_explicit(&w->poll_count, memory_order_relaxed);
		info.shrunk_count += atomic_load_explicit(
		    &w->shrink.count, memory_order_relaxed);
		info.stack_bytes_mapped += atomic_load_explicit(&w->stack_slots,
					       memory_order_relaxed) *
		    STACK_SLOT_BYTES;
	}
	*ret_info = info;
}
