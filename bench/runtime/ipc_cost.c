/*
 * ipc_cost.c - one message of 64 bytes from a process to another: WAY COUNT
 *
 * The child sends, the parent receives, both with blocking calls, each on a
 * CPU of its own where there are two. Printed is the CPU time of both for each
 * message. Semaphores move no bytes: they count messages in shared memory.
 */
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cost.h"

#define MESSAGE_BYTES 64
/* Messages under way, where we can choose: the limit of POSIX queues for
 * ordinary users. */
#define QUEUE_MESSAGES 10

static long count;
static int fds[2]; /* the receiver's end, the sender's end */

static void
fail(const char *what)
{
	fprintf(stderr, "ipc-cost: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
run(void (*send_all)(void), void (*recv_all)(void))
{
	double start = cost_family_cpu_ns();
	int status = 0;
	pid_t child = fork();

	if (child < 0)
		fail("fork");
	cost_pin(child == 0);
	if (child == 0) {
		send_all();
		_exit(0);
	}
	recv_all();
	if (waitpid(child, &status, 0) != child || status != 0)
		fail("the sender ended early");
	printf("%.3f\n", (cost_family_cpu_ns() - start) / (double)count);
}

static void
bytes_send(void)
{
	char message[MESSAGE_BYTES] = {0};

	for (long i = 0; i < count; i++) {
		if (write(fds[1], message, sizeof(message)) !=
		    (ssize_t)sizeof(message))
			_exit(1);
	}
}

static void
bytes_recv(void)
{
	char message[MESSAGE_BYTES];

	for (long i = 0; i < count; i++) {
		size_t got = 0;

		while (got < sizeof(message)) {
			ssize_t n =
			    read(fds[0], message + got, sizeof(message) - got);

			if (n <= 0)
				fail("read");
			got += (size_t)n;
		}
	}
}

static void
run_pipe(void)
{
	if (pipe(fds) < 0)
		fail("pipe");
	run(bytes_send, bytes_recv);
}

static void
run_fifo(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/weir-ipc-%d", (int)getpid());
	if (mkfifo(path, 0600) < 0)
		fail("mkfifo");
	fds[0] = open(path, O_RDONLY | O_NONBLOCK);
	fds[1] = open(path, O_WRONLY);
	unlink(path);
	if (fds[0] < 0 || fds[1] < 0 || fcntl(fds[0], F_SETFL, 0) < 0)
		fail("open a FIFO");
	run(bytes_send, bytes_recv);
}

static void
run_unix(int type)
{
	if (socketpair(AF_UNIX, type, 0, fds) < 0)
		fail("socketpair");
	run(bytes_send, bytes_recv);
}

static void
run_unix_stream(void)
{
	run_unix(SOCK_STREAM);
}

static void
run_unix_dgram(void)
{
	run_unix(SOCK_DGRAM);
}

static void
run_unix_seqpacket(void)
{
	run_unix(SOCK_SEQPACKET);
}

static void
mq_send_all(void)
{
	char message[MESSAGE_BYTES] = {0};

	for (long i = 0; i < count; i++) {
		if (mq_send(fds[1], message, sizeof(message), 0) < 0)
			_exit(1);
	}
}

static void
mq_recv_all(void)
{
	char message[MESSAGE_BYTES];

	for (long i = 0; i < count; i++) {
		if (mq_receive(fds[0], message, sizeof(message), NULL) < 0)
			fail("mq_receive");
	}
}

static void
run_mq(void)
{
	struct mq_attr attributes = {
	    .mq_maxmsg = QUEUE_MESSAGES, .mq_msgsize = MESSAGE_BYTES};
	char name[64];

	snprintf(name, sizeof(name), "/weir-ipc-%d", (int)getpid());
	fds[0] = fds[1] =
	    mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
	if (fds[0] < 0)
		fail("mq_open");
	mq_unlink(name);
	run(mq_send_all, mq_recv_all);
}

/* Messages in shared memory, as many as a pipe holds, and two counts. */
#define SLOTS 1024

static struct slots {
	sem_t full;
	sem_t empty;
	char messages[SLOTS][MESSAGE_BYTES];
} * slots;

static void
slots_map(void)
{
	slots = mmap(NULL, sizeof(*slots), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (slots == MAP_FAILED)
		fail("mmap");
}

static void
slot_write(long i)
{
	memset(slots->messages[i % SLOTS], (int)i, MESSAGE_BYTES);
}

static void
slot_read(long i)
{
	char message[MESSAGE_BYTES];

	memcpy(message, slots->messages[i % SLOTS], MESSAGE_BYTES);
	/* It is used. */
	__asm__ volatile("" : : "r"(message) : "memory");
}

static void
posix_sem_send(void)
{
	for (long i = 0; i < count; i++) {
		sem_wait(&slots->empty);
		slot_write(i);
		sem_post(&slots->full);
	}
}

static void
posix_sem_recv(void)
{
	for (long i = 0; i < count; i++) {
		sem_wait(&slots->full);
		slot_read(i);
		sem_post(&slots->empty);
	}
}

static void
run_posix_sem(void)
{
	slots_map();
	if (sem_init(&slots->full, 1, 0) < 0 ||
	    sem_init(&slots->empty, 1, SLOTS) < 0)
		fail("sem_init");
	run(posix_sem_send, posix_sem_recv);
}

/* A set of two. */
enum { SYSV_FULL, SYSV_EMPTY, SYSV_COUNT };
static int sysv_set;

static void
sysv_op(unsigned short semaphore, short change)
{
	struct sembuf op = {.sem_num = semaphore, .sem_op = change};

	if (semop(sysv_set, &op, 1) < 0)
		fail("semop");
}

static void
sysv_sem_send(void)
{
	for (long i = 0; i < count; i++) {
		sysv_op(SYSV_EMPTY, -1);
		slot_write(i);
		sysv_op(SYSV_FULL, 1);
	}
}

static void
sysv_sem_recv(void)
{
	for (long i = 0; i < count; i++) {
		sysv_op(SYSV_FULL, -1);
		slot_read(i);
		sysv_op(SYSV_EMPTY, 1);
	}
}

static void
run_sysv_sem(void)
{
	slots_map();
	sysv_set = semget(IPC_PRIVATE, SYSV_COUNT, 0600);
	if (sysv_set < 0)
		fail("semget");
	sysv_op(SYSV_EMPTY, SLOTS);
	run(sysv_sem_send, sysv_sem_recv);
	semctl(sysv_set, 0, IPC_RMID);
}

static const struct way {
	const char *name;
	void (*run)(void);
} ways[] = {
    {"pipe", run_pipe},
    {"fifo", run_fifo},
    {"unix-stream", run_unix_stream},
    {"unix-dgram", run_unix_dgram},
    {"unix-seqpacket", run_unix_seqpacket},
    {"posix-mq", run_mq},
    {"posix-sem", run_posix_sem},
    {"sysv-sem", run_sysv_sem},
};

int
main(int argc, char **argv)
{
	count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
	for (size_t i = 0; count > 0 && i < sizeof(ways) / sizeof(ways[0]);
	     i++) {
		if (strcmp(ways[i].name, argv[1]) == 0) {
			ways[i].run();
			return 0;
		}
	}
	fprintf(stderr, "usage: ipc-cost WAY COUNT\n");
	return 2;
}
