/*
 * http1_lines.h - one line of a message head at a time
 *
 * Layer      wire, inside http1 only
 *
 * A prefix check judges the bytes of a line that has not ended; the check of
 * the whole line begins with the same one. So an error that a prefix shows is
 * the error of every line that begins so, and a message gives one result
 * however it was cut.
 */
#pragma once

#include "base/bytes.h"
#include "wire/http.h"

#define HTTP1_METHOD_BYTES_MAX 32
#define HTTP1_NAME_BYTES_MAX   255

enum http1_kind { HTTP1_REQUEST, HTTP1_RESPONSE, HTTP1_TRAILERS };

/* 0 or E_H1_*; *@ret_end: where the method or name ends so far. */
int http1_method_check(struct bytes line, size_t *ret_end);
int http1_name_check(struct bytes line, size_t *ret_end);
int http1_status_check(struct bytes line);

/* The error of a control character behind @line, a prefix that is in order. */
int http1_control_error(
    enum http1_kind kind, bool first, struct bytes line, char control);

/* A whole line without its CRLF, free of control characters; they set what
 * they find in @head, request target and field values unjudged. */
int http1_request_line(struct bytes line, struct http_head *head);
int http1_status_line(struct bytes line, struct http_head *head);
int http1_field_line(
    enum http1_kind kind, struct bytes line, struct http_field *ret_field);

/* What the whole head says, once its lines are in order. Bit i of @repeated:
 * field id i is there more than once. */
int http1_request_judge(struct http_head *head, uint64_t repeated);
int http1_response_judge(
    struct http_head *head, uint64_t repeated, enum http_method method);
