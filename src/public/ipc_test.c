/*
 * ipc_test.c - two processes, really: the other one is this program too, with
 * the name of what it does as its argument
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <weir/weir.h>

#define CHILD_FD 5

static const struct weir_options one_worker = {.worker_count = 1};
static char folder[] = "/tmp/weir-ipc-XXXXXX";
static char path[128], queue[64];

static weir_time
soon(void)
{
	return weir_after(60 * WEIR_SECOND);
}

static void
in_task(weir_task_fn fn)
{
	assert_int_equal(weir_run(&one_worker, fn, NULL), 0);
}

/* Start ourselves as @role, with @fds as CHILD_FD and after. */
static struct weir_process *
child(const char *role, const int *fds, unsigned count)
{
	char *argv[] = {
	    "ipc-child", (char *)(uintptr_t)role, path, queue, NULL};
	struct weir_process_fd mapped[4];
	struct weir_process_options options = {.path = "/proc/self/exe",
	    .argv = argv,
	    .fds = mapped,
	    .fd_count = count,
	    .daemon = true};
	struct weir_process *process;

	for (unsigned i = 0; i < count; i++)
		mapped[i] = (struct weir_process_fd){fds[i], CHILD_FD + (int)i};
	assert_int_equal(weir_process_start(&options, &process, NULL), 0);
	return process;
}

static void
ends_well(struct weir_process *process)
{
	struct weir_exit end;

	assert_int_equal(weir_process_wait(process, &end, soon()), 0);
	assert_int_equal(end.signal, 0);
	assert_int_equal(end.code, 0);
	weir_process_drop(process);
}

/* In a child: end with an error that names the line. */
#define CHECK(x) ((x) ? (void)0 : check_failed(__LINE__, #x))
static void
check_failed(int line, const char *what)
{
	(void)fprintf(stderr, "child, line %d: %s\n", line, what);
	_exit(1);
}

/* ---- ring ---- */

#define RING_MESSAGES 20000

/* Of every length, in order, much more than the ring holds. */
static void
message_fill(unsigned char into[512], unsigned i, size_t *ret_length)
{
	*ret_length = 1 + i * 7 % 512;
	memset(into, (int)(i & 255), *ret_length);
}

static int
ring_child(void *arg)
{
	unsigned char got[512], expected[512];
	struct weir_ring ring;
	size_t length;

	(void)arg;
	CHECK(weir_ring_open_get(&ring, CHILD_FD, CHILD_FD + 1) == 0);
	for (unsigned i = 0; i < RING_MESSAGES; i++) {
		message_fill(expected, i, &length);
		CHECK(weir_ring_get(&ring, got, sizeof(got), soon()) ==
		    (ssize_t)length);
		CHECK(memcmp(got, expected, length) == 0);
		/* Now and then, the other side gets ahead, or waits. */
		if (i % 5000 == 0)
			CHECK(weir_sleep(10 * WEIR_MILLISECOND) == 0);
	}
	/* The end. */
	CHECK(weir_ring_get(&ring, got, sizeof(got), soon()) == 0);
	weir_ring_close(&ring);
	return 0;
}

static int
ring_task(void *arg)
{
	struct weir_process *other;
	struct weir_ring_ends ends;
	unsigned char message[512];
	struct weir_ring ring;
	size_t length;
	int fds[2];

	(void)arg;
	assert_int_equal(weir_ring_create(1, &ends), 0);
	fds[0] = ends.memory;
	fds[1] = ends.get;
	other = child("ring", fds, 2);
	close(ends.get);
	assert_int_equal(weir_ring_open_put(&ring, ends.memory, ends.put), 0);
	assert_int_equal(weir_ring_message_max(&ring), 32768 - 8);
	for (unsigned i = 0; i < RING_MESSAGES; i++) {
		message_fill(message, i, &length);
		assert_int_equal(
		    weir_ring_put(&ring, message, length, soon()), 0);
		if (i % 7001 == 0)
			assert_int_equal(weir_sleep(20 * WEIR_MILLISECOND), 0);
	}
	weir_ring_close(&ring);
	ends_well(other);
	return 0;
}

static void
test_ring(void **state)
{
	(void)state;
	in_task(ring_task);
}

static int
ring_dead_child(void *arg)
{
	(void)arg;
	kill(getpid(), SIGKILL);
	return 0;
}

/* Killed without a word: both sides notice. */
static int
ring_dead_task(void *arg)
{
	struct weir_process *other;
	struct weir_ring_ends ends;
	struct weir_exit end;
	struct weir_ring ring;
	char big[8192] = {0};
	int fds[2], r;

	(void)arg;
	assert_int_equal(weir_ring_create(1, &ends), 0);
	fds[0] = ends.memory;
	fds[1] = ends.get;
	other = child("dead", fds, 2);
	close(ends.get);
	assert_int_equal(weir_ring_open_put(&ring, ends.memory, ends.put), 0);
	do
		r = weir_ring_put(&ring, big, sizeof(big), soon());
	while (r == 0);
	assert_int_equal(r, -EPIPE);
	weir_ring_close(&ring);
	assert_int_equal(weir_process_wait(other, &end, soon()), 0);
	weir_process_drop(other);

	assert_int_equal(weir_ring_create(1, &ends), 0);
	fds[0] = ends.memory;
	fds[1] = ends.put;
	other = child("dead", fds, 2);
	close(ends.put);
	assert_int_equal(weir_ring_open_get(&ring, ends.memory, ends.get), 0);
	assert_int_equal(weir_ring_get(&ring, big, sizeof(big), soon()), 0);
	weir_ring_close(&ring);
	weir_process_drop(other);
	return 0;
}

static void
test_ring_dead(void **state)
{
	(void)state;
	in_task(ring_dead_task);
}

/* The other side writes what no ring_put() writes: a length that reaches
 * beyond what was put, the ring, or nowhere. */
static int
ring_hostile_task(void *arg)
{
	static const uint32_t lengths[] = {0, 17, 32768, 65536, UINT32_MAX};
	static char got[1 << 18];

	(void)arg;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct weir_ring putter, getter;
		struct weir_ring_ends ends;
		struct stat about;
		char *shared;

		assert_int_equal(weir_ring_create(1, &ends), 0);
		assert_int_equal(fstat(ends.memory, &about), 0);
		shared = mmap(NULL, (size_t)about.st_size,
		    PROT_READ | PROT_WRITE, MAP_SHARED, ends.memory, 0);
		assert_true(shared != MAP_FAILED);
		assert_int_equal(
		    weir_ring_open_put(&putter, dup(ends.memory), ends.put), 0);
		assert_int_equal(
		    weir_ring_open_get(&getter, ends.memory, ends.get), 0);
		assert_int_equal(
		    weir_ring_put(&putter, "0123456789abcdef", 16, soon()), 0);
		/* The first message's head: behind the indices. */
		assert_int_equal(shared[65536], 16);
		memcpy(shared + 65536, &lengths[i], sizeof(lengths[i]));
		assert_int_equal(
		    weir_ring_get(&getter, got, sizeof(got), soon()), -EPROTO);
		weir_ring_close(&putter);
		weir_ring_close(&getter);
		munmap(shared, (size_t)about.st_size);
	}
	return 0;
}

/* An index that no put and no get leaves: of head (at 64 in the memory) or tail
 * (at 128), written by the other process while both are open, and before. */
static int
ring_hostile_index_task(void *arg)
{
	static const struct {
		size_t at;
		uint64_t value;
		bool puts; /* who meets it */
	} cases[] = {
	    {64, 24 + 65536 + 8, false}, /* more than there is */
	    {64, 16, false}, /* less than was taken */
	    {64, 24 + 3, false},
	    {64, UINT64_MAX, false},
	    {128, 24 + 65536, true}, /* more taken than put */
	    {128, 24 - 65536 - 8, true},
	    {128, 20, true},
	    {128, UINT64_MAX, true},
	};
	static char big[30000], got[1 << 18];

	(void)arg;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct weir_ring putter, getter, late;
		struct weir_ring_ends ends;
		char *shared;
		int r = 0;

		assert_int_equal(weir_ring_create(1, &ends), 0);
		shared = mmap(NULL, 65536 + 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED, ends.memory, 0);
		assert_true(shared != MAP_FAILED);
		assert_int_equal(
		    weir_ring_open_put(&putter, dup(ends.memory), ends.put), 0);
		assert_int_equal(
		    weir_ring_open_get(&getter, dup(ends.memory), ends.get), 0);
		assert_int_equal(
		    weir_ring_put(&putter, "0123456789abcdef", 16, soon()), 0);
		assert_int_equal(
		    weir_ring_get(&getter, got, sizeof(got), soon()), 16);
		assert_int_equal(shared[64], 24);
		assert_int_equal(shared[128], 24);
		/* What lies behind would do as a message. */
		shared[65536 + 24] = 16;
		memcpy(shared + cases[i].at, &cases[i].value, 8);
		if (cases[i].puts) {
			for (int k = 0; k < 3 && r == 0; k++)
				r = weir_ring_put(
				    &putter, big, sizeof(big), soon());
		} else {
			r = (int)weir_ring_get(
			    &getter, got, sizeof(got), soon());
		}
		assert_int_equal(r, -EPROTO);
		memcpy(shared + 64, &(uint64_t){24}, 8);
		memcpy(shared + 128, &(uint64_t){24}, 8);
		memcpy(shared + cases[i].at, &cases[i].value, 8);
		assert_int_equal(
		    weir_ring_open_put(&late, ends.memory, -1), -EPROTO);
		assert_int_equal(
		    weir_ring_open_get(&late, ends.memory, -1), -EPROTO);
		close(ends.memory);
		weir_ring_close(&putter);
		weir_ring_close(&getter);
		munmap(shared, 65536 + 4096);
	}
	return 0;
}

static void
test_ring_hostile(void **state)
{
	(void)state;
	in_task(ring_hostile_task);
	in_task(ring_hostile_index_task);
}

static int
ring_limits_task(void *arg)
{
	struct weir_ring_ends ends;
	struct weir_ring putter, getter;
	char big[40000] = {0};
	int zero;

	(void)arg;
	assert_int_equal(weir_ring_create(0, &ends), -EINVAL);
	assert_int_equal(weir_ring_create((size_t)2 << 30, &ends), -EINVAL);
	assert_int_equal(weir_ring_create(1, &ends), 0);
	assert_int_equal(
	    weir_ring_open_put(&putter, dup(ends.memory), ends.put), 0);
	assert_int_equal(weir_ring_open_get(&getter, ends.memory, ends.get), 0);
	assert_int_equal(
	    weir_ring_put(&putter, big, sizeof(big), WEIR_PAST), -EMSGSIZE);
	assert_int_equal(weir_ring_put(&putter, big, 0, WEIR_PAST), -EMSGSIZE);
	assert_int_equal(
	    weir_ring_get(&getter, big, sizeof(big), WEIR_PAST), -ETIMEDOUT);
	assert_int_equal(weir_ring_put(&putter, big, 30000, WEIR_PAST), 0);
	assert_int_equal(weir_ring_put(&putter, big, 30000, WEIR_PAST), 0);
	assert_int_equal(
	    weir_ring_put(&putter, big, 30000, WEIR_PAST), -ETIMEDOUT);
	assert_int_equal(weir_ring_get(&getter, big, 10, WEIR_PAST), -EMSGSIZE);
	assert_int_equal(
	    weir_ring_get(&getter, big, sizeof(big), WEIR_PAST), 30000);
	assert_int_equal(weir_ring_put(&putter, big, 30000, WEIR_PAST), 0);
	weir_ring_close(&putter);
	/* What was put before the end is still there. */
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    weir_ring_get(&getter, big, sizeof(big), soon()), 30000);
	assert_int_equal(weir_ring_get(&getter, big, sizeof(big), soon()), 0);
	weir_ring_close(&getter);
	zero = open("/dev/zero", O_RDWR);
	assert_true(weir_ring_open_get(&getter, zero, zero) < 0);
	close(zero);
	return 0;
}

static void
test_ring_limits(void **state)
{
	(void)state;
	in_task(ring_limits_task);
}

/* ---- FIFO, pipe ---- */

static int
fifo_child(void *arg)
{
	struct weir_io io;

	(void)arg;
	CHECK(weir_fifo_open_write(&io, path, soon()) == 0);
	CHECK(weir_write(&io, "through the fifo", 16, soon()) == 16);
	weir_io_close(&io);
	return 0;
}

static int
fifo_task(void *arg)
{
	struct weir_process *other;
	struct stat status;
	struct weir_io io;
	char text[64];

	(void)arg;
	assert_int_equal(weir_fifo_create(path, 0622), 0);
	assert_int_equal(weir_fifo_create(path, 0622), -EEXIST);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0622);
	/* Nobody reads, nobody writes. */
	assert_int_equal(
	    weir_fifo_open_write(&io, path, weir_after(5 * WEIR_MILLISECOND)),
	    -ETIMEDOUT);
	assert_int_equal(
	    weir_fifo_open_read(&io, path, weir_after(5 * WEIR_MILLISECOND)),
	    -ETIMEDOUT);
	other = child("fifo", NULL, 0);
	assert_int_equal(weir_fifo_open_read(&io, path, soon()), 0);
	assert_int_equal(weir_read(&io, text, sizeof(text), soon()), 16);
	assert_memory_equal(text, "through the fifo", 16);
	assert_int_equal(weir_read(&io, text, sizeof(text), soon()), 0);
	weir_io_close(&io);
	ends_well(other);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(weir_fifo_open_read(&io, path, WEIR_PAST), -ENOENT);
	assert_int_equal(
	    weir_fifo_open_read(&io, "/dev/null", WEIR_PAST), -EINVAL);
	return 0;
}

static void
test_fifo(void **state)
{
	(void)state;
	in_task(fifo_task);
}

static int
pipe_task(void *arg)
{
	struct weir_io ends[2];
	char text[8];

	(void)arg;
	assert_int_equal(weir_pipe(&ends[0], &ends[1]), 0);
	assert_int_equal(weir_read(&ends[0], text, 8, WEIR_PAST), -ETIMEDOUT);
	assert_int_equal(weir_write(&ends[1], "abc", 3, soon()), 3);
	assert_int_equal(weir_read(&ends[0], text, 8, soon()), 3);
	weir_io_close(&ends[0]);
	assert_int_equal(weir_write(&ends[1], "abc", 3, soon()), -EPIPE);
	weir_io_close(&ends[1]);
	return 0;
}

static void
test_pipe(void **state)
{
	(void)state;
	in_task(pipe_task);
}

/* ---- message queue ---- */

static int
mq_child(void *arg)
{
	const struct weir_mq_options options = {.write = true};
	struct weir_io io;

	(void)arg;
	CHECK(weir_mq_open(&io, queue, &options) == 0);
	CHECK(weir_mq_send(&io, "low", 3, 1, soon()) == 0);
	CHECK(weir_mq_send(&io, "high", 4, 9, soon()) == 0);
	/* Two are the most: this one waits. */
	CHECK(weir_mq_send(&io, "last", 4, 0, WEIR_PAST) == -ETIMEDOUT);
	CHECK(weir_mq_send(&io, "last", 4, 0, soon()) == 0);
	weir_io_close(&io);
	return 0;
}

static void
mq_expect(struct weir_io *io, const char *text, unsigned priority)
{
	unsigned got_priority;
	char got[16];

	assert_int_equal(
	    weir_mq_recv(io, got, sizeof(got), &got_priority, soon()),
	    strlen(text));
	assert_memory_equal(got, text, strlen(text));
	assert_int_equal(got_priority, priority);
}

static int
mq_task(void *arg)
{
	struct weir_mq_options options = {.read = true,
	    .create = true,
	    .exclusive = true,
	    .mode = 0600,
	    .message_count_max = 2,
	    .message_bytes_max = 16};
	struct weir_process *other;
	struct weir_io io;
	char text[16];
	int r = weir_mq_open(&io, queue, &options);

	(void)arg;
	/* A kernel without them, or a container without room for one. */
	if (r == -ENOSYS || r == -ENOSPC || r == -EMFILE)
		return 0;
	assert_int_equal(r, 0);
	other = child("mq", NULL, 0);
	/* It has filled the queue and waits. */
	while (weir_wait(&io, WEIR_IN, soon()) < 0)
		;
	assert_int_equal(weir_sleep(100 * WEIR_MILLISECOND), 0);
	mq_expect(&io, "high", 9);
	mq_expect(&io, "low", 1);
	mq_expect(&io, "last", 0);
	ends_well(other);
	assert_int_equal(
	    weir_mq_recv(&io, text, 16, NULL, WEIR_PAST), -ETIMEDOUT);
	assert_int_equal(
	    weir_mq_recv(&io, text, 15, NULL, WEIR_PAST), -EMSGSIZE);
	weir_io_close(&io);
	assert_int_equal(weir_mq_open(&io, queue, &options), -EEXIST);
	assert_int_equal(weir_mq_unlink(queue), 0);
	options.message_bytes_max = 1L << 40;
	assert_int_equal(weir_mq_open(&io, queue, &options), -EINVAL);
	return 0;
}

static void
test_mq(void **state)
{
	(void)state;
	in_task(mq_task);
}

/* ---- semaphores ---- */

static int
semaphore_child(void *arg)
{
	struct weir_named_semaphore *named;
	struct weir_io io;

	(void)arg;
	CHECK(weir_io_attach(&io, CHILD_FD) == 0);
	CHECK(weir_event_semaphore_post(&io, 2) == 0);
	CHECK(weir_named_semaphore_open(queue, false, 0, 0, &named) == 0);
	CHECK(weir_named_semaphore_wait(named, soon()) == 0);
	CHECK(weir_named_semaphore_post(named) == 0);
	CHECK(weir_named_semaphore_post(named) == 0);
	weir_named_semaphore_close(named);
	weir_io_close(&io);
	return 0;
}

static int
semaphore_task(void *arg)
{
	struct weir_named_semaphore *named;
	struct weir_process *other;
	struct weir_io io;
	int fd;

	(void)arg;
	assert_int_equal(weir_event_semaphore_open(&io, 1), 0);
	assert_int_equal(weir_event_semaphore_wait(&io, WEIR_PAST), 0);
	assert_int_equal(weir_event_semaphore_wait(&io, WEIR_PAST), -ETIMEDOUT);
	assert_int_equal(
	    weir_named_semaphore_open(queue, true, 0600, 1, &named), 0);
	fd = weir_io_fd(&io);
	other = child("semaphore", &fd, 1);
	assert_int_equal(weir_event_semaphore_wait(&io, soon()), 0);
	assert_int_equal(weir_event_semaphore_wait(&io, soon()), 0);
	assert_int_equal(weir_event_semaphore_wait(&io, WEIR_PAST), -ETIMEDOUT);
	ends_well(other);
	assert_int_equal(weir_named_semaphore_wait(named, WEIR_PAST), 0);
	assert_int_equal(weir_named_semaphore_wait(named, soon()), 0);
	assert_int_equal(
	    weir_named_semaphore_wait(named, weir_after(3 * WEIR_MILLISECOND)),
	    -ETIMEDOUT);
	weir_named_semaphore_close(named);
	assert_int_equal(weir_named_semaphore_unlink(queue), 0);
	assert_int_equal(
	    weir_named_semaphore_open(queue, false, 0, 0, &named), -ENOENT);
	weir_io_close(&io);
	return 0;
}

static void
test_semaphores(void **state)
{
	(void)state;
	in_task(semaphore_task);
}

/* ---- Unix sockets ---- */

static int
unix_child(void *arg)
{
	struct weir_io io;
	int fds[4];
	unsigned count;
	char text[16];

	(void)arg;
	CHECK(weir_unix_connect(&io, SOCK_SEQPACKET, path, soon()) == 0);
	CHECK(weir_unix_recv_fds(
		  &io, text, sizeof(text), fds, 4, &count, soon()) == 3);
	CHECK(count == 2);
	CHECK(write(fds[1], "passed", 6) == 6);
	weir_io_close(&io);
	return 0;
}

static int
unix_task(void *arg)
{
	struct weir_io listener, io, two[2], pipe_ends[2];
	struct weir_process *other;
	struct weir_unix_peer peer;
	char text[16];
	int fds[2], fd;
	unsigned count;

	(void)arg;
	assert_int_equal(
	    weir_unix_connect(&io, SOCK_STREAM, path, soon()), -ENOENT);
	assert_int_equal(weir_unix_listen(&listener, SOCK_SEQPACKET, path), 0);
	assert_int_equal(
	    weir_unix_listen(&io, SOCK_SEQPACKET, path), -EADDRINUSE);
	other = child("unix", NULL, 0);
	fd = weir_accept(&listener, NULL, NULL, soon());
	assert_true(fd >= 0);
	assert_int_equal(weir_io_attach(&io, fd), 0);
	assert_int_equal(weir_unix_peer(&io, &peer), 0);
	assert_int_equal(peer.pid, weir_process_pid(other));
	assert_int_equal(peer.uid, geteuid());
	assert_int_equal(weir_pipe(&pipe_ends[0], &pipe_ends[1]), 0);
	fds[0] = weir_io_fd(&pipe_ends[0]);
	fds[1] = weir_io_fd(&pipe_ends[1]);
	assert_int_equal(weir_unix_send_fds(&io, "fds", 3, fds, 2, soon()), 3);
	assert_int_equal(weir_read(&pipe_ends[0], text, 16, soon()), 6);
	assert_memory_equal(text, "passed", 6);
	ends_well(other);
	weir_io_close(&pipe_ends[0]);
	weir_io_close(&pipe_ends[1]);
	weir_io_close(&io);
	weir_io_close(&listener);
	assert_int_equal(unlink(path), 0);

	/* Messages stay apart; more descriptors than there is room for. */
	assert_int_equal(weir_unix_pair(SOCK_DGRAM, &two[0], &two[1]), 0);
	fds[0] = fds[1] = 0;
	assert_int_equal(
	    weir_unix_send_fds(&two[0], "a", 1, fds, 2, soon()), 1);
	assert_int_equal(weir_send(&two[0], "bc", 2, NULL, soon()), 2);
	assert_int_equal(
	    weir_unix_recv_fds(&two[1], text, 16, fds, 1, &count, soon()),
	    -EMSGSIZE);
	assert_int_equal(weir_recv(&two[1], text, 16, soon()), 2);
	weir_io_close(&two[0]);
	weir_io_close(&two[1]);
	return 0;
}

static int
unix_names_task(void *arg)
{
	struct weir_io listener, io;
	char name[200];

	(void)arg;
	(void)snprintf(name, sizeof(name), "@weir-test-%d", (int)getpid());
	assert_int_equal(weir_unix_listen(&listener, SOCK_STREAM, name), 0);
	assert_int_equal(weir_unix_connect(&io, SOCK_STREAM, name, soon()), 0);
	weir_io_close(&io);
	weir_io_close(&listener);
	assert_int_equal(
	    weir_unix_connect(&io, SOCK_STREAM, name, soon()), -ECONNREFUSED);
	memset(name, 'x', sizeof(name));
	name[108] = '\0';
	assert_int_equal(
	    weir_unix_listen(&io, SOCK_STREAM, name), -ENAMETOOLONG);
	assert_int_equal(weir_unix_listen(&io, SOCK_STREAM, ""), -EINVAL);
	return 0;
}

static void
test_unix(void **state)
{
	(void)state;
	in_task(unix_task);
	in_task(unix_names_task);
}

static int
child_main(char **argv)
{
	static const struct {
		const char *name;
		weir_task_fn fn;
	} roles[] = {{"ring", ring_child}, {"dead", ring_dead_child},
	    {"fifo", fifo_child}, {"mq", mq_child},
	    {"semaphore", semaphore_child}, {"unix", unix_child}};

	(void)snprintf(path, sizeof(path), "%s", argv[2]);
	(void)snprintf(queue, sizeof(queue), "%s", argv[3]);
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		if (strcmp(argv[1], roles[i].name) == 0)
			return weir_run(&one_worker, roles[i].fn, NULL);
	}
	return 1;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ring),
	    cmocka_unit_test(test_ring_dead),
	    cmocka_unit_test(test_ring_hostile),
	    cmocka_unit_test(test_ring_limits),
	    cmocka_unit_test(test_fifo),
	    cmocka_unit_test(test_pipe),
	    cmocka_unit_test(test_mq),
	    cmocka_unit_test(test_semaphores),
	    cmocka_unit_test(test_unix),
	};
	int failed;

	if (argc == 4)
		return child_main(argv);
	if (mkdtemp(folder) == NULL)
		return 1;
	(void)snprintf(path, sizeof(path), "%s/name", folder);
	(void)snprintf(queue, sizeof(queue), "/weir-test-%d", (int)getpid());
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	return failed;
}
