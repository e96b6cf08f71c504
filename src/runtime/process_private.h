/*
 * process_private.h - what process*.c share
 */
#pragma once

#include "runtime/process.h"
#include "runtime/worker.h"

/* stdin, stdout, stderr, and the channel. */
#define PROCESS_CHANNEL 3
#define PROCESS_STREAMS 4

/* The streams while a process is started. */
struct process_streams {
	int ours[PROCESS_STREAMS]; /* -1: no pipe */
	int theirs[PROCESS_STREAMS]; /* -1: inherited, or no channel */
	bool theirs_opened[PROCESS_STREAMS]; /* by us: closed when the child has
						them */
};

MUST_CHECK int process_streams_open(
    const struct process_options *options, struct process_streams *ret_streams);
/* The child has, or will never have, its ends. */
void process_streams_close_theirs(struct process_streams *streams);
void process_streams_close(struct process_streams *streams);

/* From a hold to its release the child is not reaped: its group can be
 * signalled even after its own end. Right after the start. */
void process_hold(struct process *process);
void process_release(struct process *process);

/* options->environment with its changes, in one block; NULL and 0 when
 * there are none. */
MUST_CHECK int process_environment_build(
    const struct process_options *options, char ***ret_environment);
