/*
 * public/runtime.c - <weir/runtime.h> over the runtime
 */
#include <weir/runtime.h>

#include "public/inner.h"

int
weir_run(const struct weir_options *options, weir_task_fn root, void *arg)
{
	static const struct weir_options usual;
	struct runtime_options inner;
	struct sim_options sim;

	if (root == NULL)
		misuse("weir_run() without a function to run");
	if (options == NULL)
		options = &usual;
	inner = (struct runtime_options){.worker_count = options->worker_count,
	    .backend = options->backend,
	    .task_count_max = options->task_count_max,
	    .pin = options->pin,
	    .gather_ns = options->gather_ns,
	    .stall_ns = options->stall_ns,
	    .stall_told = options->stall_told};
	if (options->sim != NULL) {
		inner_sim(options->sim, &sim);
		inner.sim = &sim;
	}
	return runtime_run(&inner, root, arg);
}

unsigned
weir_worker_count(void)
{
	return runtime_worker_count();
}

unsigned
weir_worker_self(void)
{
	return worker_self();
}

static void
worker_index_required(unsigned worker, const char *function)
{
	if (worker >= runtime_worker_count())
		misuse("%s() for worker %u of %u", function, worker,
		    runtime_worker_count());
}

int
weir_worker_start_at(unsigned worker, const char *name, weir_task_fn fn,
    void *arg, const char *file, int line)
{
	worker_index_required(worker, "weir_worker_start");
	return worker_start_at(worker, NULL, name, fn, arg, file, line);
}

int
weir_worker_start_joinable_at(unsigned worker, struct weir_task *handle,
    const char *name, weir_task_fn fn, void *arg, const char *file, int line)
{
	worker_index_required(worker, "weir_worker_start_joinable");
	return worker_start_at(
	    worker, inner_task(handle), name, fn, arg, file, line);
}

int
weir_offload(int (*fn)(void *arg), void *arg, void (*release)(void *arg),
    weir_time deadline)
{
	(void)task_required(__func__);
	return offload_run(fn, arg, release, (instant){deadline});
}

int
weir_signals_open(const int *signals)
{
	return signals_open(signals);
}

int
weir_dump(int fd)
{
	return runtime_dump(fd);
}

void
weir_info_get(struct weir_info *ret_info)
{
	struct runtime_info inner;

	runtime_info_get(&inner);
	*ret_info = (struct weir_info){.worker_count = inner.worker_count,
	    .task_count = inner.task_count,
	    .task_count_peak = inner.task_count_peak,
	    .switch_count = inner.switch_count,
	    .poll_count = inner.poll_count,
	    .stack_bytes_mapped = inner.stack_bytes_mapped,
	    .shrunk_count = inner.shrunk_count,
	    .backend = runtime_backend(),
	    .stall_count = inner.stall_count};
}
