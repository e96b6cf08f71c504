/*
 * mqueue.h - POSIX message queues, and semaphores of the kernel's
 *
 * Layer      os
 */
#pragma once

#include <sys/types.h>

#include "base/cc.h"

struct mqueue_options {
	bool read, write;
	bool create, exclusive;
	mode_t mode; /* exactly, whatever the umask */
	long message_count_max, message_bytes_max; /* when it is created */
};

/* Non-blocking and close-on-exec; on Linux a queue is a descriptor.
 * Returns it or -errno. */
MUST_CHECK
int mqueue_open(const char *name, const struct mqueue_options *options);
/* Returns 0 or -errno; -EAGAIN: full, empty. */
MUST_CHECK
int mqueue_send(int fd, const void *data, size_t length, unsigned priority);
MUST_CHECK
ssize_t
mqueue_receive(int fd, void *into, size_t capacity, unsigned *ret_priority);
int mqueue_unlink(const char *name);

/* An eventfd that counts, non-blocking and close-on-exec. */
MUST_CHECK
int event_semaphore_open(unsigned value);
/* Take one. Returns 0, -EAGAIN, -errno. */
MUST_CHECK
int event_semaphore_try(int fd);
/* Returns 0; -EOVERFLOW; -errno. */
int event_semaphore_post(int fd, unsigned count);

/* A named one. Returns 0 or -errno. */
MUST_CHECK
int named_semaphore_open(const char *name, bool create, mode_t mode,
    unsigned value, void **ret_semaphore);
/* Returns 0, -EAGAIN. */
MUST_CHECK
int named_semaphore_try(void *semaphore);
int named_semaphore_post(void *semaphore);
void named_semaphore_close(void *semaphore);
int named_semaphore_unlink(const char *name);
