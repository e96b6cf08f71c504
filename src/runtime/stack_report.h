/*
 * stack_report.h - how deep the stacks of each kind of task were
 *
 * Layer      runtime, inside only
 * Threads    any worker; the table is under a lock
 * Cost       a load for each task; when the environment has WEIR_STACK_REPORT,
 *            every stack is painted before its task runs (64 KiB, 2 us and
 *            resident memory) and what was overwritten is found at its end
 * Limits     STACK_REPORT_SITES places that start tasks; the rest is not told
 */
#pragma once

#include "base/cc.h"

#define STACK_REPORT_SITES 256

struct task;

extern bool stack_report_on;

void stack_report_start(void);
/* To stderr, the deepest first. */
void stack_report_end(void);

void stack_report_paint(struct task *task);
/* Bytes below @task that were ever used. */
size_t stack_report_high(struct task *task);
void stack_report_task_ended(struct task *task);
