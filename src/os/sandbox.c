/*
 * sandbox.c - a static BPF program over the number of the system call
 *
 * It lists what is refused, not what is allowed: the C library and the
 * kernels we run on grow new calls, and a role must not die of them.
 */
#include "os/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#	define SANDBOX_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#	define SANDBOX_ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef SANDBOX_ARCH

#	define LOAD(field)                                                    \
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,                             \
		    offsetof(struct seccomp_data, field))
#	define ANSWER(value) BPF_STMT(BPF_RET | BPF_K, (value))
/* Two instructions each: no jump spans the list, so it may grow. */
#	define ON(nr, value)                                                  \
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1), ANSWER(value)
#	define REFUSE(name)                                                   \
		ON(SYS_##name, SECCOMP_RET_ERRNO | (EPERM & SECCOMP_RET_DATA))
#	define KILL(name) ON(SYS_##name, SECCOMP_RET_KILL_PROCESS)

static const struct sock_filter sandbox_filter[] = {
    /* Another architecture's numbers (32 bit) mean other calls. */
    LOAD(arch),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SANDBOX_ARCH, 1, 0),
    ANSWER(SECCOMP_RET_KILL_PROCESS),
    LOAD(nr),
#	ifdef __x86_64__
    /* x32: the same calls under other numbers. */
    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
    ANSWER(SECCOMP_RET_KILL_PROCESS),
#	endif
    KILL(execve),
    KILL(execveat),
/* The leak checker stops the process's threads by ptrace. */
#	ifndef __SANITIZE_ADDRESS__
    REFUSE(ptrace),
#	endif
    REFUSE(process_vm_readv),
    REFUSE(process_vm_writev),
    REFUSE(pidfd_getfd),
    REFUSE(kcmp),
    REFUSE(userfaultfd),
    REFUSE(perf_event_open),
    REFUSE(bpf),
    REFUSE(mount),
    REFUSE(umount2),
    REFUSE(move_mount),
    REFUSE(open_tree),
    REFUSE(fsopen),
    REFUSE(fsmount),
    REFUSE(pivot_root),
    REFUSE(chroot),
    REFUSE(setns),
    REFUSE(unshare),
    REFUSE(open_by_handle_at),
    REFUSE(init_module),
    REFUSE(finit_module),
    REFUSE(delete_module),
    REFUSE(kexec_load),
#	ifdef SYS_kexec_file_load
    REFUSE(kexec_file_load),
#	endif
    REFUSE(reboot),
    REFUSE(swapon),
    REFUSE(swapoff),
    REFUSE(acct),
    REFUSE(quotactl),
    REFUSE(settimeofday),
    REFUSE(clock_settime),
    REFUSE(clock_adjtime),
    REFUSE(adjtimex),
    REFUSE(sethostname),
    REFUSE(setdomainname),
    REFUSE(add_key),
    REFUSE(request_key),
    REFUSE(keyctl),
#	ifdef __x86_64__
    REFUSE(iopl),
    REFUSE(ioperm),
#	endif
    ANSWER(SECCOMP_RET_ALLOW),
};

int
sandbox_enter(void)
{
	const struct sock_fprog program = {
	    .len = array_count(sandbox_filter),
	    .filter = (struct sock_filter *)(uintptr_t)sandbox_filter,
	};

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
		return -errno;
	return 0;
}

#else

int
sandbox_enter(void)
{
	return -ENOSYS;
}

#endif

int
sandbox_die_with(int parent_pid)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -errno;
	/* It may have died before the kernel knew of our wish. */
	return getppid() == parent_pid ? 0 : -ESRCH;
}

void
sandbox_raise_limits(void)
{
	static const int limits[] = {RLIMIT_NOFILE, RLIMIT_MEMLOCK};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct rlimit limit;

		if (getrlimit(limits[i], &limit) < 0)
			continue;
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(limits[i], &limit);
	}
}
