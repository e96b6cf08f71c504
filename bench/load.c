/*
 * load.c - HTTP/1.1 load on 127.0.0.1 from one thread; one line of JSON
 *
 *   bench-load --port P --path /s200 [options]; see usage()
 *
 * Warms up, then counts in a window: answers, failures, connections, latency,
 * and the CPU time that the servers named used between the window's edges.
 */
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client.h"
#include "cpu.h"
#include "tool.h"

#define SOURCES_MAX      4
#define STUCK_NS         2000000000u
#define IDLE_SECONDS_MAX 120

struct options {
	struct client_options client;
	double seconds, warm_seconds;
	struct cpu_source sources[SOURCES_MAX];
	unsigned source_count;
};

static struct client client;

static void __attribute__((noreturn)) usage(void)
{
	fputs(
	    "usage: bench-load --port PORT [--path PATH] [--connections N]\n"
	    "                  [--close] [--rate PER_SECOND] [--warm SECONDS]\n"
	    "                  [--seconds SECONDS] [--cgroup DIR]... "
	    "[--pids A,B]...\n"
	    "       bench-load --port PORT --idle --connections N: open N, "
	    "one\n"
	    "                  request each, print READY N, keep them until\n"
	    "                  standard input ends\n",
	    stderr);
	exit(2);
}

static struct cpu_source *
options_add_source(struct options *o)
{
	if (o->source_count == SOURCES_MAX)
		usage();
	return &o->sources[o->source_count++];
}

static void
options_read(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {
	    {"port", required_argument, NULL, 'p'},
	    {"path", required_argument, NULL, 'u'},
	    {"connections", required_argument, NULL, 'c'},
	    {"seconds", required_argument, NULL, 's'},
	    {"warm", required_argument, NULL, 'w'},
	    {"rate", required_argument, NULL, 'r'},
	    {"close", no_argument, NULL, 'x'},
	    {"idle", no_argument, NULL, 'i'},
	    {"cgroup", required_argument, NULL, 'g'},
	    {"pids", required_argument, NULL, 'P'},
	    {0},
	};
	int name;

	*o = (struct options){
	    .client = {.path = "/", .connections = 64},
	    .seconds = 2,
	    .warm_seconds = 0.3,
	};
	while ((name = getopt_long(argc, argv, "", names, NULL)) != -1)
		switch (name) {
		case 'p':
			o->client.port = atoi(optarg);
			break;
		case 'u':
			o->client.path = optarg;
			break;
		case 'c':
			o->client.connections = (unsigned)atoi(optarg);
			break;
		case 's':
			o->seconds = atof(optarg);
			break;
		case 'w':
			o->warm_seconds = atof(optarg);
			break;
		case 'r':
			o->client.rate = atof(optarg);
			break;
		case 'x':
			o->client.close = true;
			break;
		case 'i':
			o->client.idle = true;
			break;
		case 'g':
			options_add_source(o)->cgroup = optarg;
			break;
		case 'P':
			options_add_source(o)->pids = optarg;
			break;
		default:
			usage();
		}
	if (optind != argc || !o->client.port || !o->client.connections)
		usage();
}

static uint64_t
own_cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void
run_for(double seconds)
{
	uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);

	while (now_ns() < end)
		client_turn(&client);
}

static void
print_tally(double seconds, uint64_t before_window)
{
	const struct client_tally *t = &client.tally;

	printf("{\"seconds\":%.4f,\"answers\":%" PRIu64
	       ",\"answers_before\":%" PRIu64 ",\"body_bytes\":%" PRIu64
	       ",\"opened\":%" PRIu64 ",\"announced\":%" PRIu64
	       ",\"closed_idle\":%" PRIu64 ",\"backlog\":%" PRIu64,
	    seconds, t->answers, before_window, t->body_bytes, t->opened,
	    t->announced, t->closed_idle, client_backlog(&client));
	printf(",\"failed\":{\"refused\":%" PRIu64 ",\"unanswered\":%" PRIu64
	       ",\"cut\":%" PRIu64 ",\"status\":%" PRIu64
	       ",\"unreadable\":%" PRIu64 ",\"stuck\":%u}",
	    t->refused, t->unanswered, t->cut, t->status, t->unreadable,
	    client_stuck(&client, STUCK_NS));
}

static void
print_latency(void)
{
	static const struct {
		const char *name;
		double share;
	} points[] = {
	    {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};
	const struct hist *h = &client.latency;
	unsigned i;

	printf(",\"latency_us\":{\"max\":%.1f", (double)h->max_ns / 1e3);
	for (i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		printf(",\"%s\":%.1f", points[i].name,
		    (double)hist_quantile(h, points[i].share) / 1e3);
	printf("}");
}

static void
measure(const struct options *o)
{
	struct cpu_time before[SOURCES_MAX], used;
	uint64_t started, own, answers_before;
	double seconds;
	unsigned i;

	run_for(o->warm_seconds);
	answers_before = client.tally.answers;
	client_reset(&client);
	own = own_cpu_us();
	for (i = 0; i < o->source_count; i++)
		before[i] = cpu_read(&o->sources[i]);
	started = now_ns();
	run_for(o->seconds);
	seconds = (double)(now_ns() - started) / 1e9;
	print_tally(seconds, answers_before);
	print_latency();
	printf(",\"own_us\":%" PRIu64 ",\"cpu_us\":[", own_cpu_us() - own);
	for (i = 0; i < o->source_count; i++) {
		used = cpu_since(before[i], cpu_read(&o->sources[i]));
		printf("%s[%" PRIu64 ",%" PRIu64 ",%" PRIu64 "]", i ? "," : "",
		    used.total_us, used.user_us, used.system_us);
	}
	printf("]}\n");
}

static void
hold_idle(void)
{
	struct pollfd input = {.fd = 0, .events = POLLIN};
	uint64_t start = now_ns();
	char byte;

	while (!client_settled(&client) &&
	    now_ns() - start < (uint64_t)IDLE_SECONDS_MAX * 1000000000)
		client_turn(&client);
	printf("READY %" PRIu64 "\n", client.tally.answers);
	fflush(stdout);
	/* Closed connections are noticed while we wait. */
	while (poll(&input, 1, 0) == 0 || fread(&byte, 1, 1, stdin) == 1)
		client_turn(&client);
	print_tally((double)(now_ns() - start) / 1e9, 0);
	printf("}\n");
}

int
main(int argc, char **argv)
{
	static struct options options;

	options_read(&options, argc, argv);
	raise_descriptor_limit();
	client_init(&client, &options.client);
	if (options.client.idle)
		hold_idle();
	else
		measure(&options);
	return 0;
}
