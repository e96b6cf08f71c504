/*
 * error.h - one space of error codes: -errno, and our own below -1000
 *
 * Layer      base
 * Sources    errors.tbl is the one truth: texts, fault, retry, HTTP status
 */
#pragma once

#include "base/cc.h"

enum error_fault { FAULT_PEER, FAULT_LOCAL, FAULT_CONFIG };

enum error_code {
#define ERROR(name, value, fault, again, status, text) E_##name = (value),
#include "base/errors.tbl"
#undef ERROR
};

/* The text of an error, ours or the system's; never NULL. */
const char *error_text(int error);

/* A short name for logs and counters: "H1_BARE_LF", "ETIMEDOUT". */
const char *error_name(int error);

/* Whose fault it is; system errors count as local. */
enum error_fault error_fault(int error);

/* Whether the same operation may succeed when tried again. */
bool error_again(int error);

/* The status that answers a request which failed with @error (400-599). */
int error_http_status(int error);
