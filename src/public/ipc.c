/*
 * public/ipc.c - <weir/ipc.h>
 */
#include <weir/ipc.h>

#include <errno.h>

#include "os/clock.h"
#include "os/mqueue.h"
#include "os/pipe.h"
#include "public/inner.h"

#define FIFO_PAUSE_MS_MAX      20
#define SEMAPHORE_PAUSE_US     200
#define SEMAPHORE_PAUSE_US_MAX 10000

/* @fd_take is closed on error. */
static int
ipc_attach(struct weir_io *io, int fd_take)
{
	int r = io_attach(inner_io(io), fd_take);

	if (r < 0)
		fd_close(fd_take);
	return r;
}

int
weir_pipe(struct weir_io *read_end, struct weir_io *write_end)
{
	int ends[2], r;

	(void)worker_required(__func__);
	r = pipe_open(ends);
	if (r < 0)
		return r;
	r = fd_nonblock(ends[0]);
	if (r == 0)
		r = fd_nonblock(ends[1]);
	if (r == 0)
		r = io_attach(inner_io(read_end), ends[0]);
	if (r < 0) {
		fd_close(ends[0]);
		fd_close(ends[1]);
		return r;
	}
	r = ipc_attach(write_end, ends[1]);
	if (r < 0)
		io_close(inner_io(read_end));
	return r;
}

/* ---- FIFO ---- */

int
weir_fifo_create(const char *path, mode_t mode)
{
	return fifo_create(path, mode);
}

int
weir_fifo_open_read(struct weir_io *io, const char *path, weir_time deadline)
{
	int fd = fifo_open(path, false);
	int r;

	(void)task_required(__func__);
	if (fd < 0)
		return fd;
	r = ipc_attach(io, fd);
	if (r < 0)
		return r;
	/* Before anybody wrote a read would find the end. */
	r = io_wait(inner_io(io), IO_IN, inner_time(deadline));
	if (r < 0)
		io_close(inner_io(io));
	return min_of(r, 0);
}

/* Sleeps @pause, or less; -ETIMEDOUT once @deadline has come. */
static int
ipc_pause(duration pause, instant deadline)
{
	instant now = clock_now();

	if (!instant_before(now, deadline)) {
		int r = task_cancelled();

		return r < 0 ? r : -ETIMEDOUT;
	}
	return task_sleep_until(
	    instant_earlier(instant_after(now, pause), deadline));
}

int
weir_fifo_open_write(struct weir_io *io, const char *path, weir_time deadline)
{
	int64_t pause_ms = 1;
	int fd, r;

	(void)task_required(__func__);
	while ((fd = fifo_open(path, true)) == -ENXIO) {
		r = ipc_pause(duration_ms(pause_ms), inner_time(deadline));
		if (r < 0)
			return r;
		pause_ms = min_of(pause_ms * 2, (int64_t)FIFO_PAUSE_MS_MAX);
	}
	return fd < 0 ? fd : ipc_attach(io, fd);
}

/* ---- message queue ---- */

int
weir_mq_open(
    struct weir_io *io, const char *name, const struct weir_mq_options *options)
{
	struct mqueue_options inner;
	int fd;

	(void)worker_required(__func__);
	misuse_unless(options != NULL,
	    "weir_mq_open() without options: they say whether to read or to "
	    "write");
	inner = (struct mqueue_options){
	    .read = options->read,
	    .write = options->write,
	    .create = options->create,
	    .exclusive = options->exclusive,
	    .mode = options->mode,
	    .message_count_max = options->message_count_max,
	    .message_bytes_max = options->message_bytes_max,
	};
	fd = mqueue_open(name, &inner);
	return fd < 0 ? fd : ipc_attach(io, fd);
}

int
weir_mq_unlink(const char *name)
{
	return mqueue_unlink(name);
}

int
weir_mq_send(struct weir_io *io, const void *data, size_t length,
    unsigned priority, weir_time deadline)
{
	int r;

	(void)task_required(__func__);
	r = task_cancelled();
	while (r >= 0) {
		r = mqueue_send(inner_io(io)->fd, data, length, priority);
		if (r != -EAGAIN)
			return r;
		r = io_wait(inner_io(io), IO_OUT, inner_time(deadline));
	}
	return r;
}

ssize_t
weir_mq_recv(struct weir_io *io, void *into, size_t capacity,
    unsigned *ret_priority, weir_time deadline)
{
	ssize_t r;

	(void)task_required(__func__);
	r = task_cancelled();
	while (r >= 0) {
		r = mqueue_receive(
		    inner_io(io)->fd, into, capacity, ret_priority);
		if (r != -EAGAIN)
			return r;
		r = io_wait(inner_io(io), IO_IN, inner_time(deadline));
	}
	return r;
}

/* ---- semaphores ---- */

int
weir_event_semaphore_open(struct weir_io *io, unsigned value)
{
	int fd = event_semaphore_open(value);

	(void)worker_required(__func__);
	return fd < 0 ? fd : ipc_attach(io, fd);
}

int
weir_event_semaphore_wait(struct weir_io *io, weir_time deadline)
{
	int r;

	(void)task_required(__func__);
	r = task_cancelled();
	while (r >= 0) {
		r = event_semaphore_try(inner_io(io)->fd);
		if (r != -EAGAIN)
			return r;
		r = io_wait(inner_io(io), IO_IN, inner_time(deadline));
	}
	return r;
}

int
weir_event_semaphore_post(struct weir_io *io, unsigned count)
{
	return event_semaphore_post(inner_io(io)->fd, count);
}

int
weir_named_semaphore_open(const char *name, bool create, mode_t mode,
    unsigned value, struct weir_named_semaphore **ret_semaphore)
{
	return named_semaphore_open(
	    name, create, mode, value, (void **)ret_semaphore);
}

void
weir_named_semaphore_close(struct weir_named_semaphore *semaphore)
{
	named_semaphore_close(semaphore);
}

int
weir_named_semaphore_unlink(const char *name)
{
	return named_semaphore_unlink(name);
}

int
weir_named_semaphore_wait(
    struct weir_named_semaphore *semaphore, weir_time deadline)
{
	int64_t pause_us = SEMAPHORE_PAUSE_US;
	int r;

	(void)task_required(__func__);
	r = task_cancelled();
	while (r == 0) {
		r = named_semaphore_try(semaphore);
		if (r != -EAGAIN)
			return r;
		r = ipc_pause(duration_us(pause_us), inner_time(deadline));
		pause_us =
		    min_of(pause_us * 2, (int64_t)SEMAPHORE_PAUSE_US_MAX);
	}
	return r;
}

int
weir_named_semaphore_post(struct weir_named_semaphore *semaphore)
{
	return named_semaphore_post(semaphore);
}
