/*
 * http1_scan.h - finding the next byte that ends or spoils a line
 *
 * Layer      wire, inside only
 * Cost       16 bytes a step with SSE2 (every x86-64) or NEON; the scalar twin
 *            is what tests compare with
 */
#pragma once

#include "base/cc.h"

/*
 * The first byte in [at, end) that is a control character other than tab, or
 * DEL: the CR of the line's end, or a byte that may not be in a line at all.
 * @end when there is none.
 */
const char *http1_scan_control(const char *at, const char *end);
const char *http1_scan_control_scalar(const char *at, const char *end);
