/*
 * public/process.c - <weir/process.h> over the runtime
 */
#include <weir/process.h>

#include "public/inner.h"
#include "runtime/process.h"

/* The structs are the same, but for the room behind. */
#define SAME(outer, inner, field)                                              \
	_Static_assert(                                                        \
	    offsetof(struct outer, field) == offsetof(struct inner, field),    \
	    "")
SAME(weir_process_options, process_options, path);
SAME(weir_process_options, process_options, environment_changes);
SAME(weir_process_options, process_options, in);
SAME(weir_process_options, process_options, err);
SAME(weir_process_options, process_options, fds);
SAME(weir_process_options, process_options, limit_count);
SAME(weir_process_options, process_options, daemon);
SAME(weir_process_options, process_options, become);
SAME(weir_process_options, process_options, gid);
SAME(weir_process_options, process_options, channel_fd);
SAME(weir_process_options, process_options, keep_signals);
SAME(weir_process_limit, spawn_limit, hard);
SAME(weir_process_fd, spawn_fd, to);
SAME(weir_exit, process_exit, core);
SAME(weir_process_result, process_result, err_length);
_Static_assert(WEIR_STDIO_STDOUT == (int)PROCESS_STDOUT, "");
_Static_assert(
    sizeof(struct weir_process_result) == sizeof(struct process_result), "");
_Static_assert(sizeof(struct weir_exit) == sizeof(struct process_exit), "");

static struct process *
inner_process(struct weir_process *process)
{
	return (struct process *)process;
}

static void
process_options_required(
    const struct weir_process_options *options, const char *function)
{
	misuse_unless(options != NULL && options->argv != NULL,
	    "%s() without argv: what to run", function);
}

int
weir_process_start(const struct weir_process_options *options,
    struct weir_process **ret_process, const char **ret_step)
{
	(void)worker_required(__func__);
	process_options_required(options, __func__);
	return process_start((const struct process_options *)options,
	    (struct process **)ret_process, ret_step);
}

void
weir_process_drop(struct weir_process *process)
{
	process_drop(inner_process(process));
}

int
weir_process_pid(const struct weir_process *process)
{
	return process_pid((const struct process *)process);
}

bool
weir_process_ended(const struct weir_process *process)
{
	return process_ended((const struct process *)process);
}

struct weir_io *
weir_process_stdin(struct weir_process *process)
{
	return (struct weir_io *)process_stdin(inner_process(process));
}

struct weir_io *
weir_process_stdout(struct weir_process *process)
{
	return (struct weir_io *)process_stdout(inner_process(process));
}

struct weir_io *
weir_process_stderr(struct weir_process *process)
{
	return (struct weir_io *)process_stderr(inner_process(process));
}

struct weir_io *
weir_process_channel(struct weir_process *process)
{
	return (struct weir_io *)process_channel(inner_process(process));
}

int
weir_process_wait(struct weir_process *process, struct weir_exit *ret_exit,
    weir_time deadline)
{
	struct process_exit exit;

	(void)task_required(__func__);
	return process_wait(inner_process(process),
	    ret_exit != NULL ? (struct process_exit *)ret_exit : &exit,
	    inner_time(deadline));
}

int
weir_process_signal(struct weir_process *process, int signal)
{
	return process_signal(inner_process(process), signal);
}

int
weir_process_signal_group(struct weir_process *process, int signal)
{
	return process_signal_group(inner_process(process), signal);
}

int
weir_process_stop(
    struct weir_process *process, int64_t grace_ns, struct weir_exit *ret_exit)
{
	struct process_exit exit;

	(void)task_required(__func__);
	return process_stop(inner_process(process), duration_ns(grace_ns),
	    ret_exit != NULL ? (struct process_exit *)ret_exit : &exit);
}

char *
weir_exit_text(const struct weir_exit *exit, char *into, size_t bytes)
{
	struct appender text;

	if (bytes == 0)
		return into;
	text = appender_over(into, bytes - 1);
	process_exit_append(&text, (const struct process_exit *)exit);
	into[text.length] = '\0';
	return into;
}

int
weir_process_run(const struct weir_process_options *options, const void *input,
    size_t input_length, size_t output_max,
    struct weir_process_result *ret_result, const char **ret_step,
    weir_time deadline)
{
	(void)task_required(__func__);
	process_options_required(options, __func__);
	return process_run((const struct process_options *)options,
	    bytes_of(input, input_length), output_max, inner_time(deadline),
	    (struct process_result *)ret_result, ret_step);
}

void
weir_process_result_free(struct weir_process_result *result)
{
	process_result_free((struct process_result *)result);
}

int
weir_process_adopt_orphans(void)
{
	(void)worker_required(__func__);
	return process_adopt_orphans();
}
