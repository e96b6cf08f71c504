/*
 * switch.h - leaving one stack for another
 *
 * Layer      runtime, inside only
 * Cost       about 2.5 ns: the callee-saved registers, the stack pointer and
 *            a return. Every switch is called from one place, so the return
 *            stack of the processor holds the right address whichever task
 *            goes on; an indirect jump would leave it one entry off, and the
 *            next returns of the task would be mispredicted (measured with
 *            bench/runtime: a yield is 18 ns with `ret`, 33 with `jmp`).
 *            The floating-point control words are not switched: tasks do not
 *            change rounding modes.
 */
#pragma once

#include "base/cc.h"

/*
 * switch_stack - save the caller's registers below its stack pointer, store
 * that pointer in *@save, continue at @load
 *
 * Returns when somebody loads what was stored in *@save.
 */
void switch_stack(void **save, void *load);

/*
 * switch_prepare - build a stack that runs @entry when it is first loaded
 *
 * @top    16-byte aligned end of the stack
 * @entry  must not return
 *
 * Returns    the pointer to load
 */
void *switch_prepare(void *top, void (*entry)(void));
