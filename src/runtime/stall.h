/*
 * stall.h - naming the task that does not let the others run
 *
 * Layer      runtime, inside only
 * Threads    a thread of its own looks at each worker's count of switches and
 *            polls STALL_LOOKS times within the limit; a worker that moved
 *            nothing for so long is sent SIGURG, and its handler, on the
 *            signal stack, notes which task runs and its calls. They are named
 *            and printed by the monitor, once a stall.
 * Cost       80 looks a second while something runs; none after a fifth of a
 *            second in which nothing did: the monitor sleeps until a worker
 *            leaves its poll, which costs that one a load
 *            What it says of the CPU tells a task that computes from one that
 *            blocks; on a machine that is overloaded both may be the machine's.
 * Limits     what begins in the very moment in which the monitor falls asleep
 *            may be missed until the next poll
 */
#pragma once

#include "base/time.h"

struct worker;

#define STALL_NS_DEFAULT 50000000
#define STALL_LOOKS      4

/* Without a thread, or with SIGURG handled by somebody else, nobody watches. */
void stall_start(int64_t limit_ns);
void stall_end(void);
/* On a worker's own thread, which gets no signals: it gets this one. */
void stall_thread(void);
void stall_print(const char *text); /* to stderr */

/* What the handler that watches is for; 0: there is none. */
int stall_signal(void);

extern _Atomic bool stall_asleep;
void stall_wake(void);
