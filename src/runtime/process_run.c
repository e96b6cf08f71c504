/*
 * process_run.c - a program as a function: bytes in, bytes and a status out
 *
 * Three tasks at once, or a program that writes before it has read everything
 * would wait for us while we wait for it.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "runtime/process_private.h"

#define PROCESS_OUTPUT_STEP 4096

struct process_output {
	struct process *process;
	struct io_fd *from;
	size_t max;
	char *at;
	size_t length, capacity;
};

struct process_input {
	struct io_fd *to;
	struct bytes bytes;
};

static int
process_feed(void *arg)
{
	struct process_input *input = arg;
	ssize_t sent = 0;

	for (size_t at = 0; at < input->bytes.length; at += (size_t)sent) {
		sent = io_write(input->to, input->bytes.at + at,
		    input->bytes.length - at, instant_never());
		/* It does not have to read all of it. */
		if (sent == -EPIPE)
			break;
		if (sent < 0)
			return (int)sent;
	}
	io_close(input->to);
	return 0;
}

/* Room for at least one byte more and the NUL. */
static int
process_output_grow(struct process_output *output)
{
	size_t capacity;
	char *at;

	if (output->length + 1 < output->capacity)
		return 0;
	capacity = max_of(output->capacity * 2, (size_t)PROCESS_OUTPUT_STEP);
	capacity = min_of(capacity, output->max + 2);
	at = realloc(output->at, capacity);
	if (at == NULL)
		return -ENOMEM;
	output->at = at;
	output->capacity = capacity;
	return 0;
}

static int
process_output_read(struct process_output *output)
{
	ssize_t got = 1;
	int r;

	while (got > 0) {
		r = process_output_grow(output);
		if (r < 0)
			return r;
		got = io_read(output->from, output->at + output->length,
		    output->capacity - output->length - 1, instant_never());
		if (got > 0)
			output->length += (size_t)got;
		if (output->length > output->max)
			return -EMSGSIZE;
	}
	output->at[output->length] = '\0';
	return (int)got;
}

static int
process_collect(void *arg)
{
	struct process_output *output = arg;
	int r = process_output_read(output);

	/* The others then read the end. */
	if (r < 0)
		(void)process_signal_group(output->process, SIGKILL);
	return r;
}

struct process_talk {
	struct process *process;
	struct process_input input;
	struct process_output out, err;
};

static int
process_talk_start(struct process_talk *talk, struct scope *scope)
{
	int r = 0;

	if (talk->input.to->fd >= 0)
		r = task_start(scope, "stdin", process_feed, &talk->input);
	if (r == 0 && talk->out.from->fd >= 0)
		r = task_start(scope, "stdout", process_collect, &talk->out);
	if (r == 0 && talk->err.from->fd >= 0)
		r = task_start(scope, "stderr", process_collect, &talk->err);
	return r;
}

static int
process_talk(
    struct process_talk *talk, struct process_exit *ret_exit, instant deadline)
{
	struct scope scope;
	int r;

	scope_init(&scope, deadline);
	r = process_talk_start(talk, &scope);
	if (r == 0)
		r = scope_wait(&scope);
	/* Perhaps only a child of the child is left, which has the streams. */
	if (r < 0)
		(void)process_signal_group(talk->process, SIGKILL);
	(void)scope_fini(&scope);
	process_release(talk->process);
	if (r < 0)
		return r;
	r = process_wait(talk->process, ret_exit, deadline);
	if (r < 0)
		(void)process_signal_group(talk->process, SIGKILL);
	return r;
}

static void
process_talk_init(struct process_talk *talk, struct process *process,
    struct bytes input, size_t output_max)
{
	const struct process_output output = {
	    .process = process, .max = output_max};

	*talk = (struct process_talk){
	    .process = process,
	    .input = {process_stdin(process), input},
	    .out = output,
	    .err = output,
	};
	talk->out.from = process_stdout(process);
	talk->err.from = process_stderr(process);
}

int
process_run(const struct process_options *options, struct bytes input,
    size_t output_max, instant deadline, struct process_result *ret_result,
    const char **ret_step)
{
	struct process_options running = *options;
	struct process_exit exit = {0};
	struct process *process;
	struct process_talk talk;
	int r;

	running.group = true;
	if (input.length > 0)
		running.in.kind = PROCESS_PIPE;
	r = process_start(&running, &process, ret_step);
	if (r < 0)
		return r;
	if (ret_step != NULL)
		*ret_step = "run to its end";
	process_hold(process);
	process_talk_init(
	    &talk, process, input, min_of(output_max, (size_t)PTRDIFF_MAX - 2));
	r = process_talk(&talk, &exit, deadline);
	if (r < 0) {
		free(talk.out.at);
		free(talk.err.at);
		if (!process_ended(process))
			process_stop(process, duration_ms(0), &exit);
	} else {
		*ret_result = (struct process_result){
		    .exit = exit,
		    .out = talk.out.at,
		    .out_length = talk.out.length,
		    .err = talk.err.at,
		    .err_length = talk.err.length,
		};
	}
	process_drop(process);
	return r;
}

void
process_result_free(struct process_result *result)
{
	free(result->out);
	free(result->err);
	*result = (struct process_result){0};
}
