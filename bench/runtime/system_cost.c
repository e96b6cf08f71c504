/*
 * system_cost.c - what the kernel's own threads and processes cost:
 * OPERATION COUNT
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "cost.h"

static long count;

static void *
yielder(void *arg)
{
	for (long i = 0; i < *(long *)arg; i++)
		sched_yield();
	return NULL;
}

/* Two threads on one CPU, which the caller has pinned us to. */
static void
cost_thread_yield(void)
{
	long turns = count / 2;
	pthread_t threads[2];
	double start = cost_cpu_ns();

	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, yielder, &turns);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	cost_print(start, (double)turns * 2);
}

static void *
nothing(void *arg)
{
	return arg;
}

static void
cost_thread_spawn(void)
{
	double start = cost_cpu_ns();
	pthread_t thread;

	for (long i = 0; i < count; i++) {
		pthread_create(&thread, NULL, nothing, NULL);
		pthread_join(thread, NULL);
	}
	cost_print(start, (double)count);
}

static void
cost_process(pid_t (*start_child)(void))
{
	double start = cost_family_cpu_ns();

	for (long i = 0; i < count; i++) {
		pid_t child = start_child();

		if (child == 0)
			_exit(0);
		waitpid(child, NULL, 0);
	}
	printf("%.3f\n", (cost_family_cpu_ns() - start) / (double)count);
}

static void
cost_fork(void)
{
	cost_process(fork);
}

/* By hand: a function that called vfork() may not return in the child. */
static void
cost_vfork(void)
{
	double start = cost_family_cpu_ns();

	for (volatile long i = 0; i < count; i++) {
		pid_t child = vfork();

		if (child == 0)
			_exit(0);
		waitpid(child, NULL, 0);
	}
	printf("%.3f\n", (cost_family_cpu_ns() - start) / (double)count);
}

/* How long the caller stands still for a child, beside much memory. */
static void
cost_start(void)
{
	double ns = 0;

	cost_fill();
	for (long i = 0; i < count; i++) {
		double start = cost_wall_ns();
		pid_t child = fork();

		if (child == 0) {
			execl("/bin/true", "/bin/true", (char *)NULL);
			_exit(127);
		}
		ns += cost_wall_ns() - start;
		waitpid(child, NULL, 0);
	}
	printf("%.3f\n", ns / (double)count);
}

static void
cost_process_yield(void)
{
	double start = cost_family_cpu_ns();
	long turns = count / 2;

	for (int i = 0; i < 2; i++) {
		if (fork() == 0) {
			yielder(&turns);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	printf("%.3f\n", (cost_family_cpu_ns() - start) / (double)(turns * 2));
}

static pthread_barrier_t all_parked;

static void *
parked(void *arg)
{
	volatile char frame[256];

	frame[0] = 1;
	pthread_barrier_wait(&all_parked);
	pause();
	return frame[0] != 0 ? arg : NULL;
}

static void
cost_thread_parked(void)
{
	long rss = cost_status_kb("VmRSS"), tables = cost_status_kb("VmPTE");
	pthread_t thread;

	pthread_barrier_init(&all_parked, NULL, (unsigned)count + 1);
	for (long i = 0; i < count; i++) {
		if (pthread_create(&thread, NULL, parked, NULL) != 0)
			_exit(1);
	}
	pthread_barrier_wait(&all_parked);
	cost_print_parked(rss, tables, count);
	fflush(stdout);
	_exit(0);
}

/* What a child that does nothing has for itself: /proc/PID/smaps_rollup. */
static long
private_kb(pid_t pid)
{
	char path[64], line[128];
	long kb = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	file = fopen(path, "r");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, "Private_", 8) == 0)
			kb += strtol(strchr(line, ':') + 1, NULL, 10);
	}
	if (file != NULL)
		fclose(file);
	return kb;
}

static void
cost_process_parked(void)
{
	pid_t *children = calloc((size_t)count, sizeof(*children));
	long kb = 0;

	for (long i = 0; i < count; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			volatile char frame[256];

			prctl(PR_SET_PDEATHSIG, SIGKILL);
			frame[0] = 1;
			pause();
			_exit(frame[0]);
		}
	}
	usleep(100000);
	for (long i = 0; i < count; i++)
		kb += private_kb(children[i]);
	printf("%ld %.1f 0 0 0\n", count, (double)kb * 1024 / (double)count);
	for (long i = 0; i < count; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
	}
	free(children);
}

static const struct operation {
	const char *name;
	void (*run)(void);
} operations[] = {
    {"thread-yield", cost_thread_yield},
    {"thread-spawn", cost_thread_spawn},
    {"thread-parked", cost_thread_parked},
    {"process-yield", cost_process_yield},
    {"fork", cost_fork},
    {"vfork", cost_vfork},
    {"start", cost_start},
    {"process-parked", cost_process_parked},
};

int
main(int argc, char **argv)
{
	count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
	for (size_t i = 0;
	     count > 0 && i < sizeof(operations) / sizeof(operations[0]); i++) {
		if (strcmp(operations[i].name, argv[1]) == 0) {
			operations[i].run();
			return 0;
		}
	}
	fprintf(stderr, "usage: system-cost OPERATION COUNT\n");
	return 2;
}
