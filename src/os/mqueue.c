#include "os/mqueue.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

static int
mqueue_flags(const struct mqueue_options *options)
{
	int flags = O_NONBLOCK | O_CLOEXEC;

	if (options->read && options->write)
		flags |= O_RDWR;
	else
		flags |= options->write ? O_WRONLY : O_RDONLY;
	if (options->create)
		flags |= O_CREAT;
	if (options->exclusive)
		flags |= O_EXCL;
	return flags;
}

int
mqueue_open(const char *name, const struct mqueue_options *options)
{
	struct mq_attr attributes = {
	    .mq_maxmsg = options->message_count_max,
	    .mq_msgsize = options->message_bytes_max,
	};
	bool limits =
	    options->message_count_max != 0 || options->message_bytes_max != 0;
	mqd_t fd = mq_open(name, mqueue_flags(options), options->mode,
	    limits ? &attributes : NULL);

	if (fd < 0)
		return -errno;
	/* Whoever created it; another's mode is not ours to set. */
	if (options->create)
		(void)fchmod(fd, options->mode);
	return fd;
}

int
mqueue_send(int fd, const void *data, size_t length, unsigned priority)
{
	return mq_send(fd, data, length, priority) < 0 ? -errno : 0;
}

ssize_t
mqueue_receive(int fd, void *into, size_t capacity, unsigned *ret_priority)
{
	ssize_t length = mq_receive(fd, into, capacity, ret_priority);

	return length < 0 ? -errno : length;
}

int
mqueue_unlink(const char *name)
{
	return mq_unlink(name) < 0 ? -errno : 0;
}

int
event_semaphore_open(unsigned value)
{
	int fd = eventfd(value, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int
event_semaphore_try(int fd)
{
	uint64_t one;

	return read(fd, &one, sizeof(one)) < 0 ? -errno : 0;
}

int
event_semaphore_post(int fd, unsigned count)
{
	uint64_t add = count;

	if (write(fd, &add, sizeof(add)) == (ssize_t)sizeof(add))
		return 0;
	return errno == EAGAIN ? -EOVERFLOW : -errno;
}

int
named_semaphore_open(const char *name, bool create, mode_t mode, unsigned value,
    void **ret_semaphore)
{
	sem_t *semaphore =
	    create ? sem_open(name, O_CREAT, mode, value) : sem_open(name, 0);

	if (semaphore == SEM_FAILED)
		return -errno;
	*ret_semaphore = semaphore;
	return 0;
}

int
named_semaphore_try(void *semaphore)
{
	int r;

	do
		r = sem_trywait(semaphore);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

int
named_semaphore_post(void *semaphore)
{
	return sem_post(semaphore) < 0 ? -errno : 0;
}

void
named_semaphore_close(void *semaphore)
{
	(void)sem_close(semaphore);
}

int
named_semaphore_unlink(const char *name)
{
	return sem_unlink(name) < 0 ? -errno : 0;
}
