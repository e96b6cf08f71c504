/*
 * process_streams.c - stdin, stdout, stderr, channel and environment of a child
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "os/pipe.h"
#include "runtime/process_private.h"

extern char **environ;

static int
process_pipe_open(struct process_streams *streams, unsigned i)
{
	int ends[2], r;

	r = pipe_open(ends);
	if (r < 0)
		return r;
	streams->ours[i] = ends[i == 0 ? 1 : 0];
	streams->theirs[i] = ends[i == 0 ? 0 : 1];
	streams->theirs_opened[i] = true;
	return fd_nonblock(streams->ours[i]);
}

static int
process_stream_open(struct process_streams *streams, unsigned i,
    const struct process_stdio *stdio)
{
	switch (stdio->kind) {
	case PROCESS_INHERIT:
		return 0;
	case PROCESS_NULL:
		streams->theirs[i] = null_open();
		streams->theirs_opened[i] = streams->theirs[i] >= 0;
		return min_of(streams->theirs[i], 0);
	case PROCESS_PIPE:
		return process_pipe_open(streams, i);
	case PROCESS_FD:
		streams->theirs[i] = stdio->fd;
		return stdio->fd >= 0 ? 0 : -EBADF;
	case PROCESS_STDOUT:
		if (i != 2)
			return -EINVAL;
		streams->theirs[2] =
		    streams->theirs[1] >= 0 ? streams->theirs[1] : 1;
		return 0;
	default:
		return -EINVAL;
	}
}

static int
process_channel_open(struct process_streams *streams)
{
	int ends[2], r;

	r = seqpacket_pair_open(ends);
	if (r < 0)
		return r;
	streams->ours[PROCESS_CHANNEL] = ends[0];
	streams->theirs[PROCESS_CHANNEL] = ends[1];
	streams->theirs_opened[PROCESS_CHANNEL] = true;
	return fd_nonblock(ends[0]);
}

int
process_streams_open(
    const struct process_options *options, struct process_streams *ret_streams)
{
	const struct process_stdio *const all[3] = {
	    &options->in, &options->out, &options->err};
	int r = 0;

	*ret_streams = (struct process_streams){
	    .ours = {-1, -1, -1, -1},
	    .theirs = {-1, -1, -1, -1},
	};
	for (unsigned i = 0; i < PROCESS_CHANNEL && r == 0; i++)
		r = process_stream_open(ret_streams, i, all[i]);
	if (r == 0 && options->channel_fd > 0)
		r = process_channel_open(ret_streams);
	if (r < 0)
		process_streams_close(ret_streams);
	return r;
}

void
process_streams_close_theirs(struct process_streams *streams)
{
	for (unsigned i = 0; i < PROCESS_STREAMS; i++) {
		if (streams->theirs_opened[i])
			fd_close(streams->theirs[i]);
		streams->theirs[i] = -1;
		streams->theirs_opened[i] = false;
	}
}

void
process_streams_close(struct process_streams *streams)
{
	process_streams_close_theirs(streams);
	for (unsigned i = 0; i < PROCESS_STREAMS; i++) {
		fd_close(streams->ours[i]);
		streams->ours[i] = -1;
	}
}

/* ---- environment ---- */

static size_t
environment_count(char *const *environment)
{
	size_t count = 0;

	while (environment[count] != NULL)
		count++;
	return count;
}

/* Whether @entry is of the variable that @change names. */
static bool
environment_same(const char *entry, const char *change)
{
	size_t length = strcspn(change, "=");

	return strncmp(entry, change, length) == 0 && entry[length] == '=';
}

static bool
environment_changed(const char *entry, char *const *changes)
{
	for (; *changes != NULL; changes++) {
		if (environment_same(entry, *changes))
			return true;
	}
	return false;
}

int
process_environment_build(
    const struct process_options *options, char ***ret_environment)
{
	char *const *from =
	    options->environment != NULL ? options->environment : environ;
	char *const *changes = options->environment_changes;
	char **made;
	size_t count = 0;

	*ret_environment = NULL;
	if (changes == NULL)
		return 0;
	made = calloc(environment_count(from) + environment_count(changes) + 1,
	    sizeof(*made));
	if (made == NULL)
		return -ENOMEM;
	for (; *from != NULL; from++) {
		if (!environment_changed(*from, changes))
			made[count++] = *from;
	}
	/* A variable that is changed twice is what the last one says. */
	for (; *changes != NULL; changes++) {
		if (strchr(*changes, '=') != NULL &&
		    !environment_changed(*changes, changes + 1))
			made[count++] = *changes;
	}
	*ret_environment = made;
	return 0;
}
