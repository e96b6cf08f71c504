#include "os/cpu.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The start of a small file, as text; its length or -errno. */
static ssize_t
cpu_read_text(const char *path, char *into, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return -errno;
	length = read(fd, into, size - 1);
	if (length < 0)
		length = -errno;
	else
		into[length] = '\0';
	close(fd);
	return length;
}

/* Whole processors of one cpu.max file ("QUOTA PERIOD" or "max PERIOD"),
 * rounded up; 0: no limit there. */
static unsigned
cpu_quota(const char *path)
{
	char text[64];
	long quota, period;

	if (cpu_read_text(path, text, sizeof(text)) <= 0 ||
	    sscanf(text, "%ld %ld", &quota, &period) != 2 || quota <= 0 ||
	    period <= 0)
		return 0;
	return (unsigned)((quota + period - 1) / period);
}

/* The tightest limit from our group up to the root; 0: none. */
static unsigned
cpu_quota_of_groups(void)
{
	char text[512], path[600];
	char *group, *end;
	unsigned tightest = 0;

	if (cpu_read_text("/proc/self/cgroup", text, sizeof(text)) <= 0)
		return 0;
	group = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
	if (group == NULL)
		return 0;
	group = strchr(group, '/');
	if (group == NULL)
		return 0;
	group[strcspn(group, "\n")] = '\0';
	for (;;) {
		unsigned quota;

		snprintf(path, sizeof(path), "/sys/fs/cgroup%s/cpu.max", group);
		quota = cpu_quota(path);
		if (quota != 0 && (tightest == 0 || quota < tightest))
			tightest = quota;
		end = strrchr(group, '/');
		if (end == NULL)
			return tightest;
		*end = '\0';
	}
}

unsigned
cpu_count_usable(void)
{
	cpu_set_t set;
	unsigned count = 1;
	unsigned quota = cpu_quota_of_groups();

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		count = (unsigned)CPU_COUNT(&set);
	if (quota != 0 && quota < count)
		count = quota;
	return count > 0 ? count : 1;
}

int
cpu_pin(unsigned index)
{
	cpu_set_t set, one;
	unsigned left;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return -errno;
	left = index % (unsigned)CPU_COUNT(&set);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &set) || left-- > 0)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		return sched_setaffinity(0, sizeof(one), &one) < 0 ? -errno : 0;
	}
	return -EINVAL;
}
