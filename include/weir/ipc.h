/*
 * weir/ipc.h - pipes, FIFOs, message queues and semaphores between processes
 *
 * What a message of 64 bytes costs on both sides together, in the CPU time of
 * one through a pipe: FIFO 1, POSIX message queue 2.3, SEQPACKET socket
 * (weir/unix.h) 2.6, ring in shared memory (weir/ring.h) a thirtieth while both
 * sides are busy.
 */
#ifndef WEIR_IPC_H
#define WEIR_IPC_H

#include <sys/types.h>

#include <weir/api.h>
#include <weir/io.h>
#include <weir/time.h>

WEIR_BEGIN

/* A pipe with both ends attached: weir_read() and weir_write(), of which only
 * up to PIPE_BUF bytes are written in one piece. 0 or -errno. */
WEIR_API WEIR_MUST_CHECK int
weir_pipe(struct weir_io *read_end, struct weir_io *write_end);

/* ---- FIFO: a pipe with a name ---- */

/* With exactly @mode, whatever the umask. 0, -EEXIST, -errno. */
WEIR_API WEIR_MUST_CHECK int weir_fifo_create(const char *path, mode_t mode);

/* Open to read and attach. Suspends until a writer has written something or
 * has come and gone; later writers are read too, and the end (0) is when the
 * last of them is gone. -EINVAL: no FIFO; -ENOENT, ..., -ETIMEDOUT. */
WEIR_API WEIR_MUST_CHECK int
weir_fifo_open_read(struct weir_io *io, const char *path, weir_time deadline);
/* Open to write and attach. Suspends until somebody has it open to read; the
 * kernel does not tell when, so it is tried every 1 to 20 ms. */
WEIR_API WEIR_MUST_CHECK int
weir_fifo_open_write(struct weir_io *io, const char *path, weir_time deadline);

/* ---- POSIX message queue ---- */

struct weir_mq_options {
	bool read, write; /* what for */
	bool create, exclusive; /* exclusive: -EEXIST when it exists */
	mode_t mode; /* exactly, whatever the umask */
	/* When it is created; 0: what the system has for a default. */
	long message_count_max, message_bytes_max;
	uint64_t reserved[4]; /* zero */
};

/*
 * @name  "/" and up to 254 bytes without another
 * Returns 0; -EINVAL: limits above /proc/sys/fs/mqueue/msg_max, msgsize_max;
 * -EMFILE: above RLIMIT_MSGQUEUE or of descriptors; -ENOSPC: above queues_max;
 * -EEXIST, -ENOENT, -EACCES, -ENOSYS, ...
 */
WEIR_API WEIR_MUST_CHECK int weir_mq_open(struct weir_io *io, const char *name,
    const struct weir_mq_options *options);
/* Closed by weir_io_close(). It stays until this: */
WEIR_API int weir_mq_unlink(const char *name);
/* One message; the highest @priority (0 .. 32767) is received first. Suspends
 * while it is full. 0; -EMSGSIZE: longer than its messages may be. */
WEIR_API WEIR_MUST_CHECK int weir_mq_send(struct weir_io *io, const void *data,
    size_t length, unsigned priority, weir_time deadline);
/* One message. Suspends while it is empty. Returns its length; -EMSGSIZE:
 * @capacity is less than its messages may be. @ret_priority may be NULL. */
WEIR_API WEIR_MUST_CHECK ssize_t weir_mq_recv(struct weir_io *io, void *into,
    size_t capacity, unsigned *ret_priority, weir_time deadline);

/* ---- semaphore of related processes ---- */

/* A semaphore that is a descriptor: hand weir_io_fd() to a child, which
 * attaches it (weir_io_attach()). Costs a system call a turn. 0 or -errno. */
WEIR_API WEIR_MUST_CHECK int
weir_event_semaphore_open(struct weir_io *io, unsigned value);
/* Suspends while it is 0. Any process may, of one only one task at a time. */
WEIR_API WEIR_MUST_CHECK int
weir_event_semaphore_wait(struct weir_io *io, weir_time deadline);
/* 0; -EOVERFLOW. Does not suspend. */
WEIR_API int weir_event_semaphore_post(struct weir_io *io, unsigned count);

/* ---- semaphore with a name ---- */

/*
 * POSIX named semaphores wake threads, not tasks: who waits looks every 0.2 ms
 * at first and every 10 ms at last. It costs no thread and no fairness is
 * promised. Where the processes are related, the semaphore above is better.
 */
struct weir_named_semaphore;

/* @name   "/" and up to 250 bytes without another
 * @value  when it is created */
WEIR_API WEIR_MUST_CHECK int
weir_named_semaphore_open(const char *name, bool create, mode_t mode,
    unsigned value, struct weir_named_semaphore **ret_semaphore);
WEIR_API void
weir_named_semaphore_close(struct weir_named_semaphore *semaphore);
WEIR_API int weir_named_semaphore_unlink(const char *name);
/* Suspends while it is 0. 0, -ETIMEDOUT, or why the caller was stopped. */
WEIR_API WEIR_MUST_CHECK int weir_named_semaphore_wait(
    struct weir_named_semaphore *semaphore, weir_time deadline);
/* 0; -EOVERFLOW. */
WEIR_API int weir_named_semaphore_post(struct weir_named_semaphore *semaphore);

WEIR_END

#endif
