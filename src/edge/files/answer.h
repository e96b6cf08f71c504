/*
 * answer.h - one file as an answer: whole, in part, or not at all
 *
 * Layer      edge/files
 * Sources    RFC 9110 §13 (conditional requests), §14 (ranges), §15.3.7 (206)
 */
#pragma once

#include "edge/files/entry.h"
#include "http/exchange.h"

/*
 * answer_file - answer GET or HEAD with @entry
 *
 * The caller holds a reference to @entry. When this returns, ex->response
 * has no field that points into it.
 */
SUSPENDS
MUST_CHECK
int answer_file(struct exchange *ex, const struct files_entry *entry);

/* The file as the page of an error: @status, no validators, no ranges. */
SUSPENDS
MUST_CHECK
int answer_page(
    struct exchange *ex, const struct files_entry *entry, uint16_t status);
