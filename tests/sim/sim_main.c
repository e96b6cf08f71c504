/*
 * sim_main.c - run the simulated workloads for many seeds
 *
 *   sim-run [CASE...] [--seeds N] [--seed S] [--trace]
 *
 * Without --seed, N fresh seeds follow a first one that is taken from the
 * clock and printed. A child does the work, so that a crash or a hang is told
 * with its seed as well as a broken invariant, and how to see it again.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim_case.h"

/* Real seconds; a seed takes milliseconds. */
#define SEED_SECONDS_MAX 60
/* Every so many seeds one is run twice, and must go the same way. */
#define SEED_TWICE 8

static const struct sim_case *const cases[] = {&sim_case_streams,
    &sim_case_tasks, &sim_case_http, &sim_case_names, &sim_case_client,
    &sim_case_protocol};

static struct arguments {
	const struct sim_case *chosen[array_count(cases)];
	size_t chosen_count;
	uint64_t seeds;
	uint64_t seed;
	bool trace;
} args = {.seeds = 5};

/* Written by the child, read by its parent. */
static struct progress {
	uint64_t seed;
	uint64_t done;
	size_t test;
	uint64_t hash; /* of a run in a process of its own */
} * progress;

static void
trace_line(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

/* The faults and links of a seed: none, some or many. */
static struct sim_options
options_of(uint64_t seed)
{
	struct random random;
	struct sim_options options = {.seed = seed};
	uint64_t harsh;

	random_seed(&random, ~seed);
	harsh = random_scale(random_next(&random), 4);
	options.link.latency =
	    duration_us((int64_t)random_scale(random_next(&random), 20000));
	if (harsh >= 1) {
		options.faults = sim_faults_some();
		options.link.jitter = options.link.latency;
	}
	if (harsh >= 2) {
		options.link.loss_ppm =
		    (uint32_t)random_scale(random_next(&random), 50000);
		options.link.bytes_per_second =
		    random_scale(random_next(&random), 4) == 0 ? 100000 : 0;
	}
	if (harsh == 3) {
		options.faults.short_ppm = 500000;
		options.faults.not_ready_ppm = 200000;
		options.faults.late_ppm = 200000;
		options.faults.reset_ppm = 5000;
		options.faults.descriptor_ppm = 20000;
		options.faults.memory_ppm = 10000;
	}
	if (args.trace)
		options.trace = trace_line;
	return options;
}

static unsigned
open_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned count = 0;

	must(folder != NULL);
	while (readdir(folder) != NULL)
		count++;
	closedir(folder);
	return count;
}

static uint64_t
run_once(const struct sim_case *test, uint64_t seed)
{
	struct sim_options sim = options_of(seed);
	struct runtime_options options = {.backend = "sim", .sim = &sim};
	unsigned before = open_descriptors(), after;
	int r;

	r = runtime_run(&options, test->root, NULL);
	expect(r == 0, "%s: root returned %d", test->name, r);
	expect(sim_socket_count() == 0, "%s: %u sockets left open", test->name,
	    sim_socket_count());
	after = open_descriptors();
	expect(after == before, "%s: %u descriptors before, %u after",
	    test->name, before, after);
	return sim_trace_hash();
}

/* A failure of its child is one of this process. */
static uint64_t
run_forked(const struct sim_case *test, uint64_t seed)
{
	pid_t pid = fork();
	int status;

	must(pid >= 0);
	if (pid == 0) {
		alarm(SEED_SECONDS_MAX);
		progress->hash = run_once(test, seed);
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid);
	if (WIFSIGNALED(status)) {
		signal(WTERMSIG(status), SIG_DFL);
		raise(WTERMSIG(status));
	}
	if (WEXITSTATUS(status) != 0)
		exit(1);
	return progress->hash;
}

static uint64_t
run(const struct sim_case *test, uint64_t seed)
{
	return test->forked ? run_forked(test, seed) : run_once(test, seed);
}

static void
run_seed(const struct sim_case *test, uint64_t seed)
{
	uint64_t first, second;

	alarm(SEED_SECONDS_MAX);
	first = run(test, seed);
	if (seed % SEED_TWICE != 0)
		return;
	second = run(test, seed);
	expect(first == second, "%s: seed %llu went two ways", test->name,
	    (unsigned long long)seed);
}

static void
child(void)
{
	/* The parent tells of an alarm. */
	signal(SIGALRM, SIG_DFL);
	for (size_t t = 0; t < args.chosen_count; t++) {
		const struct sim_case *test = args.chosen[t];

		progress->test = t;
		if (test->start != NULL)
			test->start();
		for (uint64_t i = 0; i < args.seeds; i++) {
			progress->seed = args.seed + i;
			run_seed(test, args.seed + i);
			progress->done++;
		}
	}
	exit(0);
}

static int
parent(pid_t pid)
{
	const char *name;
	int status;

	must(waitpid(pid, &status, 0) == pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		printf("sim: %llu runs, seeds %llu to %llu, nothing found\n",
		    (unsigned long long)progress->done,
		    (unsigned long long)args.seed,
		    (unsigned long long)(args.seed + args.seeds - 1));
		return 0;
	}
	name = args.chosen[progress->test]->name;
	printf("sim: %s failed with seed %llu (%s)\n"
	       "sim: to see it again: make sim CASE=%s SEED=%llu\n",
	    name, (unsigned long long)progress->seed,
	    WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exit", name,
	    (unsigned long long)progress->seed);
	return 1;
}

static void
choose(const char *name)
{
	for (size_t i = 0; i < array_count(cases); i++) {
		if (strcmp(cases[i]->name, name) != 0)
			continue;
		args.chosen[args.chosen_count++] = cases[i];
		return;
	}
	fprintf(stderr, "sim: no case %s\n", name);
	exit(2);
}

static void
arguments_read(int argc, char **argv)
{
	bool fresh = true;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--trace") == 0)
			args.trace = true;
		else if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc)
			args.seeds = strtoull(argv[++i], NULL, 0);
		else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
			args.seed = strtoull(argv[++i], NULL, 0);
			fresh = false;
		} else if (args.chosen_count < array_count(cases))
			choose(argv[i]);
	}
	if (args.chosen_count == 0) {
		memcpy(args.chosen, cases, sizeof(cases));
		args.chosen_count = array_count(cases);
	}
	if (fresh)
		args.seed = (uint64_t)time(NULL) * 1000;
}

int
main(int argc, char **argv)
{
	pid_t pid;

	arguments_read(argc, argv);
	printf("sim: first seed %llu\n", (unsigned long long)args.seed);
	fflush(stdout);
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(progress != MAP_FAILED);
	pid = fork();
	must(pid >= 0);
	if (pid == 0)
		child();
	return parent(pid);
}
