#include "os/outside.h"

#include <signal.h>
#include <stddef.h>
#include <sys/stat.h>

unsigned
outside_thread_count(void)
{
	struct stat about;

	/* A directory has a link from itself, one from above, and one from each
	 * of those below: here, the threads. */
	if (stat("/proc/self/task", &about) < 0 || about.st_nlink < 2)
		return 0;
	return (unsigned)about.st_nlink - 2;
}

static bool
signal_of_a_fault(int signal)
{
	return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL ||
	    signal == SIGFPE || signal == SIGABRT || signal == SIGTRAP ||
	    signal == SIGSYS;
}

bool
outside_signal_handled(int but)
{
	for (int signal = 1; signal <= SIGRTMAX; signal++) {
		struct sigaction action;

		if (signal == but || signal_of_a_fault(signal) ||
		    sigaction(signal, NULL, &action) < 0)
			continue;
		if ((action.sa_flags & SA_SIGINFO) != 0 ||
		    (action.sa_handler != SIG_DFL &&
			action.sa_handler != SIG_IGN))
			return true;
	}
	return false;
}
