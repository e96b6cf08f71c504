/*
 * switch_aarch64.S - AAPCS64: x19-x29, sp and the low halves of v8-v15 are
 * the callee's; x30 is where to continue
 */
	.text
	.globl	switch_stack
	.hidden	switch_stack
	.type	switch_stack, %function
	.p2align 4
switch_stack:
	.cfi_startproc
	hint	#34		/* bti c */
	sub	sp, sp, #160
	.cfi_def_cfa_offset 160
	stp	d8, d9, [sp, #0]
	stp	d10, d11, [sp, #16]
	stp	d12, d13, [sp, #32]
	stp	d14, d15, [sp, #48]
	stp	x19, x20, [sp, #64]
	stp	x21, x22, [sp, #80]
	stp	x23, x24, [sp, #96]
	stp	x25, x26, [sp, #112]
	stp	x27, x28, [sp, #128]
	stp	x29, x30, [sp, #144]
	.cfi_offset x19, -96
	.cfi_offset x20, -88
	.cfi_offset x21, -80
	.cfi_offset x22, -72
	.cfi_offset x23, -64
	.cfi_offset x24, -56
	.cfi_offset x25, -48
	.cfi_offset x26, -40
	.cfi_offset x27, -32
	.cfi_offset x28, -24
	.cfi_offset x29, -16
	.cfi_offset x30, -8
	mov	x9, sp
	str	x9, [x0]
	mov	sp, x1
	ldp	d8, d9, [sp, #0]
	ldp	d10, d11, [sp, #16]
	ldp	d12, d13, [sp, #32]
	ldp	d14, d15, [sp, #48]
	ldp	x19, x20, [sp, #64]
	ldp	x21, x22, [sp, #80]
	ldp	x23, x24, [sp, #96]
	ldp	x25, x26, [sp, #112]
	ldp	x27, x28, [sp, #128]
	ldp	x29, x30, [sp, #144]
	add	sp, sp, #160
	.cfi_def_cfa_offset 0
	ret
	.cfi_endproc
	.size	switch_stack, . - switch_stack

	.globl	switch_entry
	.hidden	switch_entry
	.type	switch_entry, %function
	.p2align 4
switch_entry:
	.cfi_startproc
	.cfi_undefined x30
	hint	#34		/* bti c */
	mov	x29, xzr
	mov	x30, xzr
	blr	x19
	brk	#1
	.cfi_endproc
	.size	switch_entry, . - switch_entry

	.section .note.GNU-stack, "", %progbits
