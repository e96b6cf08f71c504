/*
 * cpu.h - CPU time used by a group of processes
 *
 * A control group (version 2) counts all of them to the microsecond, those
 * that have ended too. Without one, /proc/PID/stat of a fixed list of
 * processes counts in ticks (10 ms) and leaves out what started later.
 */
#pragma once

#include <stdint.h>

struct cpu_source {
	const char *cgroup; /* its directory, or NULL */
	const char *pids; /* "12,13,14" */
};

struct cpu_time {
	uint64_t total_us, user_us, system_us;
};

/* Zeros when nothing can be read. */
struct cpu_time cpu_read(const struct cpu_source *source);
struct cpu_time cpu_since(struct cpu_time before, struct cpu_time after);
