/*
 * sim_inner.h - what the files of the simulation share
 *
 * Layer      runtime/sim, inside only
 *
 *   sim.c       the backend: clock, turns, operations, the order of tasks
 *   event.c     what happens at which time
 *   trace.c     what happened, and its hash
 *   link.c      how long packets take, which are lost
 *   socket.c    sockets by descriptor: made, named, closed
 *   name.c      their addresses
 *   stream.c    connections: how they are made and end
 *   flow.c      their bytes on the way
 *   stream_io.c sends and receives
 *   datagram.c  messages
 *   receiver.c  who gets them
 *   network.c   the calls of os/socket_call.h
 *   call.c      operations of tasks, each a call
 *   ops.c       operations that wait, and who is told
 *   kernel.c    descriptors of the kernel, behind an inner epoll
 */
#pragma once

#include <netinet/in.h>

#include "base/list.h"
#include "base/random.h"
#include "runtime/io_backend.h"
#include "runtime/sim/sim.h"

/* ---- event.c: a heap by time, then by order of scheduling ---- */

struct sim_event {
	instant at;
	uint64_t sequence;
	size_t place; /* 1 + its index in the heap; 0: not scheduled */
	void (*run)(struct sim_event *event); /* on the loop */
	/* Of one that never came, at the end; may be NULL. */
	void (*drop)(struct sim_event *event);
};

/* Moves it when it is scheduled. Out of memory ends the process: a simulation
 * has nobody to tell. */
void sim_event_at(struct sim_event *event, instant at);
void sim_event_after(struct sim_event *event, duration after);
void sim_event_cancel(struct sim_event *event);
/* instant_never() if there is none. */
instant sim_event_next(void);
/* The next one that is due, out of the heap, or NULL. */
struct sim_event *sim_event_due(instant now);
void sim_events_free(void);

/* ---- trace.c ---- */

/* What happened, to which socket, with which numbers. @what is static. */
void sim_trace(const char *what, uint64_t id, int64_t a, int64_t b);
void sim_trace_start(const struct sim_options *options);

/* ---- sim.c ---- */

struct sim {
	bool running;
	struct sim_options options;
	struct random random;
	instant now;
	void *inner; /* backend_state of the kernel's descriptors */
	unsigned left_open; /* sockets, at the end of the last run */
	struct list dirty; /* sockets whose readiness is to be told */
};
extern struct sim sim_here;

/* Whether a fault of that probability happens now. */
bool sim_fault(uint32_t ppm, const char *what);
/* Uniform in [low, high]. */
int64_t sim_between(int64_t low, int64_t high);

/* ---- link.c ---- */

enum sim_fate { SIM_ARRIVES, SIM_LOST, SIM_REFUSED };

void sim_links_reset(void);
/*
 * A packet of @bytes leaves now. *@ret_after: it arrives so much later, or the
 * refusal of SIM_REFUSED comes back. @busy_until is what the sender's last
 * packets leave of the link, kept by the sender.
 */
enum sim_fate sim_packet(const struct sim_link *link, size_t bytes,
    instant *busy_until, duration *ret_after);
const struct sim_link *
sim_link_between(const struct sockaddr *from, const struct sockaddr *to);

/* ---- socket.c ---- */

union sim_address {
	struct sockaddr any;
	struct sockaddr_storage storage;
};

struct sim_name {
	union sim_address address;
	socklen_t length; /* 0: none */
};

enum sim_socket_state {
	SIM_NEW,
	SIM_LISTENING,
	SIM_CONNECTING,
	SIM_CONNECTED, /* also half-closed, reset */
};

/* Bytes on their way to a socket. In the ring, in order: those that may be
 * read, those under way, those the window does not let go yet. */
struct sim_flow {
	char *ring;
	size_t ring_bytes; /* a power of two */
	size_t start; /* of those that may be read */
	size_t readable;
	size_t under_way;
	size_t unsent;
	size_t receive_max;
	size_t send_max;
	struct list segments; /* under way, in order of arrival */
	struct sim_event arrival; /* of the first segment */
	struct sim_event retry; /* the link was silent */
	unsigned retries;
	instant link_busy; /* until then with what was sent before */
	bool end_asked; /* the sender has shut down */
	bool end_sent;
	bool ended; /* the end has arrived */
	bool discards; /* nobody reads: what comes is answered by a reset */
};

/* Bytes of a receiver's queue, as the kernel's default. */
#define SIM_DATAGRAM_QUEUE (208 << 10)

struct sim_socket {
	int fd; /* the placeholder; -1: not accepted yet, or closed */
	uint64_t inode; /* of the placeholder */
	uint64_t id; /* in order of making */
	int family;
	int type;
	enum sim_socket_state state;
	struct sim_name name;
	struct sim_name peer_name;
	struct io_fd *io; /* attached */
	struct list all;
	struct list dirty;
	uint8_t told; /* IO_* to be told */
	bool user_closed;
	bool accepted; /* shares its listener's name */
	bool reuse_address;
	bool reuse_port;
	bool broadcast;
	bool linger_reset;
	bool read_shut; /* by ourselves */
	bool reset; /* no more bytes in or out */
	int error; /* SO_ERROR: told once */
	struct sim_event hold[2]; /* reads, writes: not ready until then */
	struct sim_event cancel[2]; /* of the operation, taking its time */
	struct sim_event deferred; /* a readiness that is told late */

	/* streams */
	struct sim_socket *peer; /* the other end, until both are closed */
	struct sim_flow in;
	struct sim_event handshake;
	unsigned handshake_tries;
	uint8_t handshake_fate; /* enum sim_fate */
	size_t out_max; /* the send buffer of what it connects to */
	struct sim_socket *listener; /* of one that waits to be accepted */
	struct list backlog; /* of a listener */
	struct list in_backlog;
	unsigned backlog_count;
	unsigned backlog_max;

	/* datagrams */
	struct list datagrams;
	size_t datagram_bytes;
	instant link_busy;
	struct sim_group *groups; /* multicast memberships */
};

struct sim_socket *sim_socket_of(int fd);
/* Of the kernel's making: taken over when it is not connected. */
struct sim_socket *sim_socket_adopt(int fd);
/* @with_fd  a descriptor too. NULL: *@ret_error. */
struct sim_socket *
sim_socket_new(int family, int type, bool with_fd, int *ret_error);
int sim_socket_fd_give(struct sim_socket *socket);
void sim_socket_free(struct sim_socket *socket);
void sim_sockets_free(void);
/* Readable, writable, hung up: told on the loop (ops.c). */
void sim_socket_tell(struct sim_socket *socket, unsigned events);
int sim_socket_bind(struct sim_socket *socket, const struct sockaddr *address,
    socklen_t length);
/* A name for one that has none, fit to talk to @to. */
int sim_socket_name_auto(struct sim_socket *socket, const struct sim_name *to);
/* Where a packet of @socket to @to comes from. */
void sim_name_source(const struct sim_socket *socket, const struct sim_name *to,
    struct sim_name *ret_name);
bool sim_name_same(const struct sim_name *a, const struct sim_name *b);
struct list *sim_sockets(void);
/* Bound so that what is sent to @to reaches it. */
bool
sim_socket_named(const struct sim_socket *socket, const struct sim_name *to);
/* What is sent to no address in particular goes to this host. */
void sim_name_target(struct sim_name *name);
void sim_name_set(
    struct sim_name *name, const struct sockaddr *address, socklen_t length);
/* The program has closed its descriptor, or closes it next. */
void sim_socket_close(struct sim_socket *socket);
void sim_names_reset(void);
bool sim_name_any(const struct sockaddr *address);
uint16_t sim_port(const struct sockaddr *address);
socklen_t sim_address_length(const struct sockaddr *address, socklen_t length);
void sim_name_copy(
    const struct sim_name *name, struct sockaddr *into, socklen_t *length);

socklen_t sim_name_length(int family);

/* ---- ops.c: operations that wait, and who is told ---- */

/* The events of a new socket. */
void sim_socket_events_init(struct sim_socket *socket);
/* io->ready after a call. */
void sim_socket_ready_keep(struct sim_socket *socket);
int sim_socket_submit(struct sim_socket *socket, struct io_op *op);
void sim_socket_cancel(struct sim_socket *socket, struct io_op *op);
/* Tells what sim_socket_tell() noted. Returns how many were told. */
int sim_dirty_run(void);

/* ---- stream.c and flow.c: results as of the system call, or -errno ---- */

void sim_flow_init(struct sim_flow *flow);
void sim_flow_free(struct sim_flow *flow);
/* Room for @more, then bytes behind all others; bytes at @offset. */
void sim_flow_grow(struct sim_flow *flow, size_t more);
void sim_flow_put(struct sim_flow *flow, const char *from, size_t length);
void sim_flow_get(
    const struct sim_flow *flow, size_t offset, char *into, size_t length);
/* What the link and the window of @to let go. */
void sim_flow_transmit(struct sim_socket *to);
void sim_flow_reset(struct sim_socket *to);
void sim_flow_unsent_drop(struct sim_flow *flow);
void sim_stream_handshake_run(struct sim_event *event);
void sim_stream_reset_arrives(struct sim_socket *socket);
int sim_stream_listen(struct sim_socket *socket, int backlog);
int sim_stream_connect(struct sim_socket *socket,
    const struct sockaddr *address, socklen_t length);
int sim_stream_accept(
    struct sim_socket *socket, struct sockaddr *address, socklen_t *length);
/* @whole  nothing is made to fail: as much as there is room for. */
ssize_t sim_stream_send(struct sim_socket *socket, const struct iovec *iov,
    size_t count, bool whole);
/* Bytes that were peeked at. */
void sim_stream_take(struct sim_socket *socket, size_t bytes);
ssize_t sim_stream_recv(struct sim_socket *socket, const struct iovec *iov,
    size_t count, int flags);
int sim_stream_shutdown(struct sim_socket *socket, int how);
void sim_stream_close(struct sim_socket *socket);
/* As a cable that is cut: both ends get an error. */
void sim_stream_break(struct sim_socket *socket);
unsigned sim_stream_events(const struct sim_socket *socket);
size_t sim_stream_room(const struct sim_socket *socket);

/* ---- datagram.c ---- */

ssize_t
sim_datagram_send(struct sim_socket *socket, const struct msghdr *message);
ssize_t
sim_datagram_recv(struct sim_socket *socket, struct msghdr *message, int flags);
int sim_datagram_connect(struct sim_socket *socket,
    const struct sockaddr *address, socklen_t length);
/* IP_ADD_MEMBERSHIP, IPV6_JOIN_GROUP and their opposites. */
int sim_datagram_group(
    struct sim_socket *socket, const void *value, socklen_t length, bool join);
unsigned sim_datagram_events(const struct sim_socket *socket);
void sim_datagrams_free(struct sim_socket *socket);
void sim_groups_free(struct sim_socket *socket);

/* ---- receiver.c ---- */

bool sim_datagram_multicast(const struct sim_name *name);
bool sim_datagram_broadcast(const struct sim_name *name);
/* Of a group. */
bool sim_datagram_member(
    const struct sim_socket *socket, const struct in6_addr *group);
/* IPv4 at the start. */
struct in6_addr sim_datagram_host(const struct sim_name *name);
/* How well @socket fits; 0: not at all. */
unsigned sim_datagram_fit(const struct sim_socket *socket,
    const struct sim_name *from, const struct sim_name *to);
struct sim_socket *
sim_datagram_receiver(const struct sim_name *from, const struct sim_name *to);

/* ---- network.c ---- */

ssize_t
sim_socket_send(struct sim_socket *socket, const struct msghdr *message);
ssize_t
sim_socket_recv(struct sim_socket *socket, struct msghdr *message, int flags);

extern const struct socket_network sim_network;
/* The call of @op on a simulated socket; -EAGAIN and -EINPROGRESS: pending. */
ssize_t sim_call(struct sim_socket *socket, struct io_op *op);
/* IO_* that hold now. */
unsigned sim_socket_events(const struct sim_socket *socket);

/* ---- kernel.c ---- */

int sim_kernel_open(struct worker *worker);
void sim_kernel_close(struct worker *worker);
int sim_kernel_attach(struct worker *worker, struct io_fd *io);
void sim_kernel_detach(struct worker *worker, struct io_fd *io, bool closing);
int sim_kernel_submit(struct worker *worker, struct io_op *op);
void sim_kernel_cancel(struct worker *worker, struct io_op *op);
/* Waits in real time when @wait. Returns how many events there were. */
int sim_kernel_poll(struct worker *worker, bool wait, unsigned batch);
void sim_kernel_wake(struct worker *worker);
/* Descriptors of the kernel that are attached. */
unsigned sim_kernel_count(void);
