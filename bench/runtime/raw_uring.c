/*
 * raw_uring.c - an echo server as a bare loop on io_uring: what cannot be left
 * out of one that has multishot receives, a ring of buffers and a request for
 * each send
 *
 * It does not notice a reset that comes together with bytes, and a peer that
 * does not read gets its bytes in any order.
 */
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "serve.h"

#define SQ_ENTRIES 512
#define CQ_ENTRIES 4096
#define BUFFERS    512

enum { TAG_ACCEPT, TAG_RECV, TAG_SEND };

static int ring, enter_fd;
static unsigned enter_flags, sq_tail, sq_submitted, sq_mask, cq_mask;
static _Atomic unsigned *sq_tail_shared, *cq_head_shared, *cq_tail_shared;
static struct io_uring_sqe *sqes;
static struct io_uring_cqe *cqes;
static struct io_uring_buf_ring *buffers;
static char buffer_memory[BUFFERS][ECHO_BYTES];

static void *
map(size_t bytes, off_t what)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_POPULATE, ring, what);

	if (memory == MAP_FAILED)
		serve_fail("mmap");
	return memory;
}

static void
enter(unsigned wait)
{
	atomic_store_explicit(sq_tail_shared, sq_tail, memory_order_release);
	syscall(SYS_io_uring_enter, enter_fd, sq_tail - sq_submitted, wait,
	    IORING_ENTER_GETEVENTS | enter_flags, NULL, 0);
	sq_submitted = sq_tail;
}

static struct io_uring_sqe *
request(int fd, uint8_t opcode, unsigned tag)
{
	struct io_uring_sqe *sqe;

	if (sq_tail - sq_submitted == SQ_ENTRIES)
		enter(0);
	sqe = &sqes[sq_tail++ & sq_mask];
	*sqe = (struct io_uring_sqe){.opcode = opcode,
	    .fd = fd,
	    .user_data = (uint64_t)tag << 32 | (unsigned)fd};
	return sqe;
}

static void
buffer_give(unsigned id)
{
	uint16_t tail = buffers->tail;
	struct io_uring_buf *slot = &buffers->bufs[tail & (BUFFERS - 1)];

	slot->addr = (uintptr_t)buffer_memory[id];
	slot->len = ECHO_BYTES;
	slot->bid = (uint16_t)id;
	__atomic_store_n(
	    &buffers->tail, (uint16_t)(tail + 1), __ATOMIC_RELEASE);
}

static void
accept_arm(int listener)
{
	struct io_uring_sqe *sqe =
	    request(listener, IORING_OP_ACCEPT, TAG_ACCEPT);

	sqe->ioprio = IORING_ACCEPT_MULTISHOT;
	sqe->accept_flags = SOCK_CLOEXEC;
}

static void
recv_arm(int fd)
{
	struct io_uring_sqe *sqe = request(fd, IORING_OP_RECV, TAG_RECV);

	sqe->flags = IOSQE_BUFFER_SELECT;
	sqe->ioprio = IORING_RECV_MULTISHOT | IORING_RECVSEND_POLL_FIRST;
}

static void
setup(void)
{
	struct io_uring_params p = {.flags = IORING_SETUP_SINGLE_ISSUER |
		IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
		IORING_SETUP_CQSIZE,
	    .cq_entries = CQ_ENTRIES};
	struct io_uring_buf_reg reg = {.ring_entries = BUFFERS};
	struct io_uring_rsrc_update update = {.offset = -1U};
	unsigned *array;
	char *memory;

	ring = (int)syscall(SYS_io_uring_setup, SQ_ENTRIES, &p);
	if (ring < 0)
		serve_fail("io_uring_setup");
	memory = map(p.cq_off.cqes + p.cq_entries * sizeof(*cqes) +
		p.sq_entries * sizeof(*array),
	    IORING_OFF_SQ_RING);
	sqes = map(p.sq_entries * sizeof(*sqes), IORING_OFF_SQES);
	sq_tail_shared = (void *)(memory + p.sq_off.tail);
	cq_head_shared = (void *)(memory + p.cq_off.head);
	cq_tail_shared = (void *)(memory + p.cq_off.tail);
	cqes = (void *)(memory + p.cq_off.cqes);
	array = (void *)(memory + p.sq_off.array);
	sq_mask = p.sq_entries - 1;
	cq_mask = p.cq_entries - 1;
	for (unsigned i = 0; i < p.sq_entries; i++)
		array[i] = i;
	buffers = aligned_alloc(4096, BUFFERS * sizeof(buffers->bufs[0]));
	if (buffers == NULL)
		serve_fail("aligned_alloc");
	buffers->tail = 0;
	reg.ring_addr = (uintptr_t)buffers;
	if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_PBUF_RING,
		&reg, 1) < 0)
		serve_fail("buffers");
	for (unsigned i = 0; i < BUFFERS; i++)
		buffer_give(i);
	update.data = (uint64_t)ring;
	enter_fd = ring;
	if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_RING_FDS,
		&update, 1) == 1) {
		enter_fd = (int)update.offset;
		enter_flags = IORING_ENTER_REGISTERED_RING;
	}
}

static void
received(int fd, const struct io_uring_cqe *cqe)
{
	unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
	struct io_uring_sqe *sqe;

	if (cqe->res <= 0 && cqe->res != -ENOBUFS) {
		if ((cqe->flags & IORING_CQE_F_BUFFER) != 0)
			buffer_give(id);
		close(fd);
		return;
	}
	if (cqe->res > 0) {
		sqe = request(fd, IORING_OP_SEND, TAG_SEND);
		sqe->addr = (uintptr_t)buffer_memory[id];
		sqe->len = (unsigned)cqe->res;
		sqe->msg_flags = MSG_NOSIGNAL;
		sqe->user_data = (uint64_t)TAG_SEND << 32 | id;
	}
	if ((cqe->flags & IORING_CQE_F_MORE) == 0)
		recv_arm(fd);
}

static void
completed(int listener, const struct io_uring_cqe *cqe)
{
	unsigned what = (unsigned)cqe->user_data;

	switch (cqe->user_data >> 32) {
	case TAG_ACCEPT:
		if (cqe->res >= 0) {
			serve_nodelay(cqe->res);
			recv_arm(cqe->res);
		}
		if ((cqe->flags & IORING_CQE_F_MORE) == 0)
			accept_arm(listener);
		break;
	case TAG_RECV:
		received((int)what, cqe);
		break;
	case TAG_SEND:
		buffer_give(what);
		break;
	}
}

int
main(void)
{
	unsigned head = 0;
	int listener;

	/* Whoever may not have a ring does not say that it listens. */
	setup();
	listener = serve_listen();
	accept_arm(listener);
	for (;;) {
		enter(1);
		while (head !=
		    atomic_load_explicit(
			cq_tail_shared, memory_order_acquire)) {
			struct io_uring_cqe cqe = cqes[head++ & cq_mask];

			atomic_store_explicit(
			    cq_head_shared, head, memory_order_release);
			completed(listener, &cqe);
		}
	}
}
