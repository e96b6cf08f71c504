/*
 * io_backend.h - what an I/O backend implements: completions for everybody
 *
 * Layer      runtime, inside only
 *
 * An operation is caller memory from submit to its terminal completion. A
 * reactor (epoll, poll, select) tries the call at submit if the descriptor may
 * be ready and performs it on the loop when it becomes so; a proactor
 * (io_uring) hands it to the kernel. The task sees completions either way.
 */
#pragma once

#include "runtime/io.h"
#include "runtime/shrink.h"

struct worker;
struct task;
struct inbox_item;
struct runtime_options;

enum io_code {
	IO_OP_RECV,
	IO_OP_LEND, /* memory: struct io_lent */
	IO_OP_SEND,
	IO_OP_SENDV,
	IO_OP_READ,
	IO_OP_WRITE,
	IO_OP_RECVMSG,
	IO_OP_SENDMSG,
	IO_OP_ACCEPT,
	IO_OP_CONNECT,
	IO_OP_SENDFILE,
	IO_OP_SPLICE_IN, /* descriptor to pipe */
	IO_OP_SPLICE_OUT, /* pipe to descriptor */
	IO_OP_WAIT,
	IO_OP_QUIET, /* nothing is received unasked any more */
};

/* io_fd.flags: what is known of the descriptor's type; poll and select: its
 * hook was called and left bytes unread; who waits may be shrunk. */
enum {
	IO_FD_TYPED = 1,
	IO_FD_STREAM = 2,
	IO_FD_TOLD = 4,
	IO_FD_LISTENER = 8, /* nobody else accepts from it */
	IO_FD_SHRUNK = 32,
};
/* The result of IO_OP_SPLICE_IN when bytes of the stream are in user memory
 * already: IO_OP_RECV has them. */
#define IO_UNREAD (-EUCLEAN)
/* io_lent.buffer: memory of io_block_acquire(). */
#define IO_LENT_BLOCK UINT32_MAX

struct io_op {
	uint8_t code;
	bool done; /* false only while the backend has it */
	uint8_t state; /* of the backend, while it has it */
	int flags; /* MSG_*; IO_OP_WAIT: IO_* */
	ssize_t result; /* valid once done */
	struct io_fd *io; /* NULL: closed under the call */
	struct task *task; /* woken at completion */
	void *memory; /* buffer, iovec, msghdr, sockaddr */
	size_t length; /* bytes, or entries of an iovec */
	union {
		off_t *offset;
		struct msghdr *message; /* IO_OP_SENDV: room for one */
	};
	socklen_t *address_length;
	int other_fd; /* file of sendfile, pipe of splice */
};

struct io_backend {
	const char *name;
	/* A reactor: what may be ready is tried before an operation is made
	 * of it. */
	bool tries;
	/* Whether the kernel (or a sandbox) lets us: 0 or -errno; 1: and with
	 * this kernel it is the better choice. NULL: yes. */
	int (*probe)(void);
	int (*open)(struct worker *worker);
	void (*close)(struct worker *worker);
	int (*attach)(struct worker *worker, struct io_fd *io);
	/* Operations that wait end with -EBADF. @closing: the descriptor is
	 * closed next, the kernel forgets it by itself. */
	void (*detach)(struct worker *worker, struct io_fd *io, bool closing);
	/* 1: done, result is set; 0: pending; < 0: could not be submitted. */
	int (*submit)(struct worker *worker, struct io_op *op);
	/* Asks for an early end; the terminal completion still comes (it may
	 * have come inside this call). */
	void (*cancel)(struct worker *worker, struct io_op *op);
	/* May be NULL. After io_watch(): io->on_ready is another; it is called
	 * when @io is readable already, too. NULL: io.c looks itself. */
	void (*watch)(struct worker *worker, struct io_fd *io);
	/* May be NULL: never. @op, which waits, or memory that it names is in
	 * the kernel's hands. */
	bool (*holds)(const struct io_op *op);
	/* Completes what is ready; waits until @until at most when nothing is.
	 * At most @batch completions. */
	int (*poll)(struct worker *worker, instant until, unsigned batch);
	/* Ends a poll() that sleeps; any thread. */
	void (*wake)(struct worker *worker);
	/* May be NULL: there are never any. Bytes received before anybody
	 * asked, left in place; -EAGAIN: ask the kernel. */
	ssize_t (*peek)(
	    struct worker *worker, struct io_fd *io, void *into, size_t length);
	/* A buffer that IO_OP_LEND gave, other than IO_LENT_BLOCK. */
	void (*lent_release)(struct worker *worker, uint32_t buffer);

	/* Each of the rest may be NULL. Before the first worker is made, and
	 * after the last is gone; start returns 0 or -errno. */
	int (*start)(const struct runtime_options *options);
	void (*end)(void);

	/* A simulation's; NULL in all others. */

	/* Which of the first @count ready tasks (2 at least) runs next. */
	uint32_t (*pick)(struct worker *worker, uint32_t count);
	/* Run @item on the loop after a time that stands for the work of
	 * another thread: offload jobs are done in it. */
	void (*defer)(struct worker *worker, struct inbox_item *item);
};

extern const struct io_backend io_epoll;
extern const struct io_backend io_poll;
extern const struct io_backend io_select;
extern const struct io_backend io_uring;
extern const struct io_backend io_sim;

/* The readiness that @code needs: IO_IN or IO_OUT. */
static inline unsigned
io_code_needs(enum io_code code)
{
	switch (code) {
	case IO_OP_RECV:
	case IO_OP_LEND:
	case IO_OP_READ:
	case IO_OP_RECVMSG:
	case IO_OP_ACCEPT:
	case IO_OP_SPLICE_IN:
	case IO_OP_QUIET:
		return IO_IN;
	default:
		return IO_OUT;
	}
}

/*
 * io_perform - for reactors: make the system call of @op and keep the ready
 * bits of its descriptor
 *
 * Returns    true: op->result is final; false: not ready, the bit is cleared
 */
bool io_perform(struct io_op *op);

/* The same for recv(2) and send(2) without an operation. Some bytes, 0 at the
 * end of the stream, or -errno; after -EAGAIN the bit is cleared. */
ssize_t io_try_recv(struct io_fd *io, void *into, size_t length);
ssize_t io_try_send(struct io_fd *io, const void *from, size_t length);

/* A block of IO_LENT_BYTES from the worker's stock; NULL: no memory. */
char *io_block_acquire(struct worker *worker);
void io_block_release(struct worker *worker, char *block);
void io_blocks_free(struct worker *worker);

/* Before anybody looks at the operations that wait on @io: they lie on stacks
 * that may be shrunk. */
static inline void
io_need_waiters(struct io_fd *io)
{
	if (unlikely((io->flags & IO_FD_SHRUNK) != 0))
		shrink_restore_io(io);
}

/* End @op, which the backend had, and wake its task. */
void io_complete(struct io_op *op, ssize_t result);

/*
 * A table of the process, indexed by descriptor: which io_fd it is attached
 * to. An event carries the generation it was registered with; one that comes
 * late, for a descriptor that was closed and perhaps opened anew by another
 * worker, finds another generation.
 */
#define IO_GENERATION_MASK 0x0fffffffu /* of an event; the rest is lost */
MUST_CHECK int io_table_open(void);
/* Returns 0 and sets io->generation; -EMFILE beyond the hard limit. */
MUST_CHECK int io_table_set(struct io_fd *io);
void io_table_clear(struct io_fd *io);
struct io_fd *io_table_find(int fd, uint32_t generation);
/* Of @fd, attached to this worker. */
uint32_t io_table_generation(int fd);
