#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/io/reactor.h"

static void
level_update(struct level *level, struct io_fd *io)
{
	unsigned events = 0;

	if ((io->reader != NULL && !io->reader->done) ||
	    (io->on_ready != NULL && (io->flags & IO_FD_TOLD) == 0))
		events |= IO_IN;
	if (io->writer != NULL && !io->writer->done)
		events |= IO_OUT;
	level->interest(level, io->fd, events);
}

static void
level_again(struct timer *timer)
{
	struct level *level = container_of(timer, struct level, again);
	struct list *node;

	while ((node = list_pop_front(&level->told)) != NULL) {
		struct io_fd *io = container_of(node, struct io_fd, watched);

		io->flags &= (uint8_t)~IO_FD_TOLD;
		level_update(level, io);
	}
}

int
level_open(struct level *level,
    void (*interest)(struct level *level, int fd, unsigned events))
{
	level->interest = interest;
	list_init(&level->told);
	timer_init(&level->again, level_again);
	level->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return level->wake < 0 ? -errno : 0;
}

void
level_close(struct level *level)
{
	if (level->wake >= 0)
		close(level->wake);
}

int
level_check(int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -errno;
	return S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) ? -EPERM : 0;
}

int
level_submit(struct worker *worker, struct io_op *op)
{
	int done = reactor_submit(worker, op);

	if (done == 0)
		level_update(worker->backend_state, op->io);
	return done;
}

void
level_cancel(struct worker *worker, struct io_op *op)
{
	/* What came while nothing was asked is still to be found: a deadline
	 * in the past means to try once. */
	if (io_perform(op))
		op->done = true;
	else
		reactor_cancel(worker, op);
	level_update(worker->backend_state, op->io);
}

void
level_detach(struct worker *worker, struct io_fd *io, bool closing)
{
	struct level *level = worker->backend_state;

	(void)closing;
	reactor_end(io);
	level->interest(level, io->fd, 0);
}

void
level_watch(struct worker *worker, struct io_fd *io)
{
	/* io_watch() has taken it off the list of those that were told. */
	io->flags &= (uint8_t)~IO_FD_TOLD;
	level_update(worker->backend_state, io);
}

void
level_wake(struct worker *worker)
{
	struct level *level = worker->backend_state;
	uint64_t one = 1;

	/* It fails only at 2^64 - 1 writes. */
	if (write(level->wake, &one, sizeof(one)) < 0)
		(void)never(true);
}

bool
level_note(struct level *level, int fd, uint8_t ready, unsigned batch)
{
	if (fd == level->wake) {
		uint64_t count;

		/* Another thread may write again at once; then it is ready
		 * again. */
		if (read(fd, &count, sizeof(count)) < 0)
			(void)never(errno != EAGAIN);
		return true;
	}
	if (level->event_count == batch)
		return false;
	level->events[level->event_count++] = (struct level_event){
	    .fd = fd, .generation = io_table_generation(fd), .ready = ready};
	return true;
}

/* What poll(2) says of it now; 0: it is not readable. */
static uint8_t
level_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLRDHUP};

	return poll(&p, 1, 0) > 0 ? reactor_bits((uint16_t)p.revents) : 0;
}

/* The hook was called and stays. */
static void
level_told(struct worker *worker, struct level *level, struct io_fd *io)
{
	if (level_readable(io->fd) == 0)
		return;
	io->flags |= IO_FD_TOLD;
	list_remove(&io->watched);
	list_push_back(&level->told, &io->watched);
	if (!timer_armed(&level->again))
		timer_start(&level->again,
		    instant_after(worker->now, duration_ms(LEVEL_AGAIN_MS)));
}

static void
level_event_run(struct worker *worker, const struct level_event *event)
{
	struct level *level = worker->backend_state;
	struct io_fd *io = io_table_find(event->fd, event->generation);
	uint8_t ready = event->ready;
	bool hook;

	if (io == NULL)
		return;
	hook =
	    (ready & IO_IN) != 0 && io->reader == NULL && io->on_ready != NULL;
	if (hook && level->no_hangup)
		ready |= level_readable(event->fd);
	reactor_ready(io, ready);
	/* The hook may have closed it. */
	io = io_table_find(event->fd, event->generation);
	if (io == NULL)
		return;
	if (hook && io->on_ready != NULL)
		level_told(worker, level, io);
	level_update(level, io);
}

int
level_run(struct worker *worker)
{
	struct level *level = worker->backend_state;
	unsigned count = level->event_count;

	for (unsigned i = 0; i < count; i++)
		level_event_run(worker, &level->events[i]);
	level->event_count = 0;
	return (int)count;
}
