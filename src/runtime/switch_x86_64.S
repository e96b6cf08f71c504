/*
 * switch_x86_64.S - System V ABI: rbx, rbp, r12-r15 and rsp are the callee's
 *
 * The frame is the same on both stacks, so one set of unwind rules holds on
 * either side of the load. The object carries no SHSTK property: the loader
 * leaves shadow stacks off.
 */
	.text
	.globl	switch_stack
	.hidden	switch_stack
	.type	switch_stack, @function
	.p2align 4
switch_stack:
	.cfi_startproc
	endbr64
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	pushq	%r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r12, 0
	pushq	%r13
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r13, 0
	pushq	%r14
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r14, 0
	pushq	%r15
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r15, 0
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	popq	%r15
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r15
	popq	%r14
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r14
	popq	%r13
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r13
	popq	%r12
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r12
	popq	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbx
	popq	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbp
	ret
	.cfi_endproc
	.size	switch_stack, . - switch_stack

	.globl	switch_entry
	.hidden	switch_entry
	.type	switch_entry, @function
	.p2align 4
switch_entry:
	.cfi_startproc
	.cfi_undefined %rip
	endbr64
	xorl	%ebp, %ebp
	callq	*%rbx
	ud2
	.cfi_endproc
	.size	switch_entry, . - switch_entry

	.section .note.GNU-stack, "", @progbits
