/*
 * switch.h - leaving one stack for another
 *
 * Layer      runtime, inside only
 * Cost       about 2 ns: two words are saved, and those registers that the
 *            caller still needs. The target of the jump is the same for all
 *            tasks, and no call is left without its return, so the processor
 *            predicts both right whichever task goes on.
 *            The floating-point control words are not switched: tasks do not
 *            change rounding modes (checked with slow_checks).
 */
#pragma once

#include "base/cc.h"

/*
 * switch_stack - save where the caller is at its stack, store the stack pointer
 * in *@save, continue at @load
 *
 * Returns when somebody loads what was stored in *@save.
 *
 * switch_frame_fp(), switch_frame_pc(): of a stack pointer that was saved, the
 * frame pointer and the instruction that it goes on with, for backtraces.
 */
#if defined(__x86_64__)
/* What the ABI lets a callee change is changed too: it is saved nowhere. The
 * function that this becomes a part of may be a leaf, whose variables the ABI
 * lets lie below the stack pointer, where this pushes; skipping them would
 * cost a cache line for each switch. */
#	if !defined(NO_RED_ZONE)
#		error "compile with -mno-red-zone -DNO_RED_ZONE"
#	endif
static inline __attribute__((always_inline)) void
switch_stack(void **save, void *load)
{
	__asm__ volatile("leaq	1f(%%rip), %%rax\n\t"
			 "pushq	%%rax\n\t"
			 "pushq	%%rbp\n\t"
			 "movq	%%rsp, (%0)\n\t"
			 "movq	%1, %%rsp\n\t"
			 "popq	%%rbp\n\t"
			 "popq	%%rax\n\t"
			 "jmpq	*%%rax\n"
			 "1:"
			 : "+D"(save), "+S"(load)
			 :
			 : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11",
			 "r12", "r13", "r14", "r15", "cc", "memory", "xmm0",
			 "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
			 "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
			 "xmm14", "xmm15");
}
enum { SWITCH_FP_AT = 0, SWITCH_PC_AT = 1 };
#elif defined(__aarch64__)
/* Out of line; and AAPCS64 lets nobody use what is below its stack pointer. */
void switch_stack(void **save, void *load);
enum { SWITCH_FP_AT = 18, SWITCH_PC_AT = 19 };
#else
#	error "no stack switch for this machine: add one here"
#endif

static inline uintptr_t
switch_frame_fp(const void *sp)
{
	return ((const uintptr_t *)sp)[SWITCH_FP_AT];
}

static inline uintptr_t
switch_frame_pc(const void *sp)
{
	return ((const uintptr_t *)sp)[SWITCH_PC_AT];
}

/* Rounding, exceptions, denormals: what a task must leave as it found it. */
static inline uint64_t
switch_fp_control(void)
{
#if defined(__x86_64__)
	uint32_t sse;
	uint16_t x87;

	__asm__ volatile("stmxcsr %0" : "=m"(sse));
	__asm__ volatile("fnstcw %0" : "=m"(x87));
	/* Not the flags of what happened. */
	return (uint64_t)x87 << 32 | (sse & 0xffc0);
#else
	uint64_t fpcr;

	__asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
	return fpcr;
#endif
}

/*
 * switch_prepare - build a stack that runs @entry when it is first loaded
 *
 * @top    16-byte aligned end of the stack
 * @entry  must not return
 *
 * Returns    the pointer to load
 */
#if defined(__x86_64__)
/* @entry is jumped to as if it had been called, by nobody: unwinders stop at
 * a return address and a frame pointer of 0. */
static inline void *
switch_prepare(void *top, void (*entry)(void))
{
	uintptr_t *frame = (uintptr_t *)top - 3;

	frame[SWITCH_FP_AT] = 0;
	frame[SWITCH_PC_AT] = (uintptr_t)entry;
	frame[2] = 0;
	must(((uintptr_t)top & 15) == 0);
	return frame;
}
#else
void *switch_prepare(void *top, void (*entry)(void));
#endif
