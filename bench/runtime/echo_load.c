/*
 * echo_load.c - the client of the echo servers: PORT CONNECTIONS PID
 *
 * It opens the connections, sends two messages on each, prints "ready", and
 * then does what it reads from its standard input, a line each:
 *
 *   echo MS      rounds of one message on every connection; prints messages
 *                and the CPU time of PID in nanoseconds
 *   churn MS     the same with connections opened and reset for each message
 *   firehose MS  one more connection floods, the first sends a message every
 *                500 us; prints p50, p99 and the number of round trips, in us
 *
 * Client and server on one CPU, the server as a batch process: all messages of
 * a round are there before the server runs, so every turn of it sees as many
 * as there are connections. What a round costs is then what the server does,
 * and not how the two happened to meet.
 */
#include <dirent.h>
#include <sys/resource.h>
#include <time.h>

#include "serve.h"

#define MESSAGE_BYTES   64
#define VICTIM_EVERY_NS 500000
#define SAMPLES_MAX     100000
#define FLOOD_BYTES     65536
#define FLOOD_STEPS     4

static int port;
static int conn_count;
static int *conns;
static const char *server_pid;

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Of all threads of the server. It sleeps now: the figures are up to date. */
static uint64_t
server_cpu_ns(void)
{
	char path[320];
	uint64_t sum = 0;
	struct dirent *entry;
	DIR *threads;

	snprintf(path, sizeof(path), "/proc/%s/task", server_pid);
	threads = opendir(path);
	if (threads == NULL)
		serve_fail("the server is gone");
	while ((entry = readdir(threads)) != NULL) {
		unsigned long long ns;
		FILE *stat;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/task/%s/schedstat",
		    server_pid, entry->d_name);
		stat = fopen(path, "r");
		if (stat == NULL)
			continue;
		if (fscanf(stat, "%llu", &ns) == 1)
			sum += ns;
		fclose(stat);
	}
	closedir(threads);
	return sum;
}

static int
conn_open(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		serve_fail("connect");
	serve_nodelay(fd);
	return fd;
}

static void
conn_send(int fd)
{
	static const char message[MESSAGE_BYTES];

	if (send(fd, message, sizeof(message), MSG_NOSIGNAL) !=
	    (ssize_t)sizeof(message))
		serve_fail("send");
}

static void
conn_recv(int fd)
{
	char message[MESSAGE_BYTES];

	if (recv(fd, message, sizeof(message), MSG_WAITALL) !=
	    (ssize_t)sizeof(message))
		serve_fail("recv");
}

/* The last answer first: most likely the others are there by then. */
static void
echo_round(void)
{
	for (int i = 0; i < conn_count; i++)
		conn_send(conns[i]);
	for (int i = conn_count - 1; i >= 0; i--)
		conn_recv(conns[i]);
}

static void
conns_open(void)
{
	for (int i = 0; i < conn_count; i++)
		conns[i] = conn_open();
}

static void
conns_reset(void)
{
	const struct linger reset = {.l_onoff = 1};

	for (int i = 0; i < conn_count; i++) {
		setsockopt(
		    conns[i], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(conns[i]);
	}
}

static void
churn_round(void)
{
	conns_open();
	echo_round();
	conns_reset();
}

static void
run_rounds(void (*round)(void), long ms)
{
	uint64_t end = now_ns() + (uint64_t)ms * 1000000u;
	uint64_t before = server_cpu_ns();
	long rounds = 0;

	do {
		round();
		rounds++;
	} while (now_ns() < end);
	printf("%ld %llu\n", rounds * conn_count,
	    (unsigned long long)(server_cpu_ns() - before));
}

static int
compare_ns(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* As much as the sockets take, both ways, and no more than some steps. */
static void
flood_step(int fd)
{
	static char bytes[FLOOD_BYTES];

	for (int i = 0; i < FLOOD_STEPS; i++) {
		ssize_t sent =
		    send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
		ssize_t got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (sent < 0 && got < 0)
			break;
	}
}

static void
run_firehose(long ms)
{
	static uint64_t samples[SAMPLES_MAX];
	uint64_t now = now_ns(), end = now + (uint64_t)ms * 1000000u;
	uint64_t due = now, sent_at = 0;
	int flood = conn_open(), victim = conns[0];
	char message[MESSAGE_BYTES];
	size_t count = 0;

	while (now < end && count < SAMPLES_MAX - 1) {
		flood_step(flood);
		now = now_ns();
		if (sent_at == 0 && now >= due) {
			conn_send(victim);
			sent_at = now;
			due = now + VICTIM_EVERY_NS;
		}
		if (sent_at != 0 &&
		    recv(victim, message, sizeof(message), MSG_DONTWAIT) > 0) {
			samples[count++] = now_ns() - sent_at;
			sent_at = 0;
		}
	}
	if (sent_at != 0) {
		conn_recv(victim);
		samples[count++] = now_ns() - sent_at;
	}
	close(flood);
	qsort(samples, count, sizeof(samples[0]), compare_ns);
	printf("%.1f %.1f %zu\n", (double)samples[count / 2] / 1e3,
	    (double)samples[count * 99 / 100] / 1e3, count);
}

static void
command(const char *line)
{
	long ms = 0;
	char name[16];

	if (sscanf(line, "%15s %ld", name, &ms) != 2)
		exit(2);
	if (strcmp(name, "echo") == 0) {
		run_rounds(echo_round, ms);
	} else if (strcmp(name, "churn") == 0) {
		conns_reset();
		run_rounds(churn_round, ms);
		conns_open();
		echo_round();
	} else if (strcmp(name, "firehose") == 0) {
		run_firehose(ms);
	} else {
		exit(2);
	}
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	struct rlimit limit;
	char line[64];

	if (argc != 4)
		return 2;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	port = (int)strtol(argv[1], NULL, 10);
	conn_count = (int)strtol(argv[2], NULL, 10);
	server_pid = argv[3];
	conns = calloc((size_t)conn_count, sizeof(*conns));
	if (conns == NULL || conn_count < 1)
		return 2;
	/* In turns: a backlog holds only so many. */
	for (int i = 0; i < conn_count; i++) {
		conns[i] = conn_open();
		conn_send(conns[i]);
		conn_recv(conns[i]);
	}
	echo_round();
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL)
		command(line);
	return 0;
}
