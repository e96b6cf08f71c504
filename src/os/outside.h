/*
 * outside.h - who else can act in this process
 *
 * Layer      os
 * Threads    any
 * Cost       a system call; one for each signal
 */
#pragma once

#include "base/cc.h"

/* Threads of the process, also those that the kernel made for it; 0: nobody
 * says. */
unsigned outside_thread_count(void);

/* Whether a signal that can come at any time has a handler; that of @but, 0
 * for none, does not count. Signals of the program's own faults do not. */
bool outside_signal_handled(int but);
