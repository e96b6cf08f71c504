/*
 * lend.c - receives into the worker's memory instead of the caller's
 *
 * A backend with buffers of its own lends those; the others receive into
 * blocks of a small stock. Either way the caller gives them back.
 */
#include <stdlib.h>

#include "runtime/io/call.h"
#include "runtime/misuse.h"
#include "runtime/worker.h"

#define IO_BLOCKS_IDLE_MAX 64

struct io_block {
	struct io_block *next;
};

char *
io_block_acquire(struct worker *worker)
{
	struct io_block *block = worker->blocks;

	if (block == NULL)
		return malloc(IO_LENT_BYTES);
	worker->blocks = block->next;
	worker->block_count--;
	return (char *)block;
}

void
io_block_release(struct worker *worker, char *memory)
{
	struct io_block *block = (struct io_block *)memory;

	if (worker->block_count == IO_BLOCKS_IDLE_MAX) {
		free(memory);
		return;
	}
	block->next = worker->blocks;
	worker->blocks = block;
	worker->block_count++;
}

void
io_blocks_free(struct worker *worker)
{
	while (worker->blocks != NULL) {
		struct io_block *block = worker->blocks;

		worker->blocks = block->next;
		free(block);
	}
	worker->block_count = 0;
}

ssize_t
io_recv_lend(struct io_fd *io, struct io_lent *ret, instant deadline)
{
	struct io_op op = {.memory = ret};
	ssize_t result;

	*ret = (struct io_lent){0};
	result = io_call_start(&op, io, IO_OP_LEND);
	if (unlikely(result < 0))
		return result;
	result = io_call_step(&op, "recv", deadline);
	io_call_end(&op);
	ret->worker = worker_here->index;
	return result;
}

void
io_lent_release(struct io_lent *lent)
{
	struct worker *worker = worker_here;

	if (lent->memory == NULL)
		return;
	if (unlikely(worker->index != lent->worker))
		misuse("a buffer that a receive lent is given back on another "
		       "worker than the one that lent it (worker %u); copy "
		       "what other workers are to have",
		    lent->worker);
	if (lent->buffer == IO_LENT_BLOCK)
		io_block_release(worker, lent->memory);
	else
		worker->backend->lent_release(worker, lent->buffer);
	lent->memory = NULL;
}
