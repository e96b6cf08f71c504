/*
 * cost.h - what the programs that time one operation share
 *
 * Each is called as `program OPERATION COUNT` and prints one line: the CPU
 * time of the process, all its threads, for each operation in nanoseconds.
 */
#pragma once

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static inline double
cost_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Of this process and of its children that have ended. */
static inline double
cost_family_cpu_ns(void)
{
	struct rusage r;

	getrusage(RUSAGE_CHILDREN, &r);
	return cost_cpu_ns() +
	    (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e9 +
	    (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e3;
}

/* The n-th of the CPUs that we may use, or the last. */
static inline void
cost_pin(int n)
{
	cpu_set_t allowed, one;
	int chosen = 0;

	sched_getaffinity(0, sizeof(allowed), &allowed);
	for (int cpu = 0; cpu < CPU_SETSIZE && n >= 0; cpu++) {
		if (CPU_ISSET(cpu, &allowed)) {
			chosen = cpu;
			n--;
		}
	}
	CPU_ZERO(&one);
	CPU_SET(chosen, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static inline void
cost_print(double start, double count)
{
	printf("%.3f\n", (cost_cpu_ns() - start) / count);
}

static inline double
cost_wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

#define COST_FILL_BYTES (1ul << 30)

/* Memory that is in use, as that of a large service is. */
static inline void
cost_fill(void)
{
	char *memory = malloc(COST_FILL_BYTES);

	if (memory == NULL)
		exit(1);
	memset(memory, 1, COST_FILL_BYTES);
	/* It is used. */
	__asm__ volatile("" : : "r"(memory) : "memory");
}

/* Memory and mappings of this process, and let the caller of the program look
 * at it: it goes on when its standard input is closed. */
static inline long
cost_status_kb(const char *field)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[128];
	long kb = 0;

	while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
		if (strncmp(line, field, strlen(field)) == 0)
			kb = strtol(line + strlen(field) + 1, NULL, 10);
	}
	if (status != NULL)
		fclose(status);
	return kb;
}

static inline long
cost_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	long count = 0;
	int c;

	while (maps != NULL && (c = getc(maps)) != EOF)
		count += c == '\n';
	if (maps != NULL)
		fclose(maps);
	return count;
}

/* After @count things were parked: bytes of each, page tables and mappings. */
static inline void
cost_print_parked(long rss_kb, long tables_kb, long count)
{
	printf("%ld %.1f %.1f %ld %ld\n", count,
	    (double)(cost_status_kb("VmRSS") - rss_kb) * 1024 / (double)count,
	    (double)(cost_status_kb("VmPTE") - tables_kb) * 1024 /
		(double)count,
	    cost_mappings(), cost_status_kb("VmRSS"));
}
