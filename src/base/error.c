/*
 * error.c - what an error means; all of it read from errors.tbl
 */
#include "base/error.h"

#include <errno.h>
#include <string.h>

struct error_row {
	int value;
	enum error_fault fault;
	bool again;
	int status;
	const char *name;
	const char *text;
};

static const struct error_row error_rows[] = {
#define ERROR(name, value, fault, again, status, text)                         \
	{(value), (fault), (again), (status), #name, (text)},
#include "base/errors.tbl"
#undef ERROR
};

static const struct error_row *
error_find(int error)
{
	for (size_t i = 0; i < array_count(error_rows); i++) {
		if (error_rows[i].value == error)
			return &error_rows[i];
	}
	return NULL;
}

const char *
error_text(int error)
{
	const struct error_row *row = error_find(error);
	const char *text;

	if (row != NULL)
		return row->text;
	text = strerrordesc_np(error < 0 ? -error : error);
	return text != NULL ? text : "unknown error";
}

const char *
error_name(int error)
{
	const struct error_row *row = error_find(error);
	const char *name;

	if (row != NULL)
		return row->name;
	name = strerrorname_np(error < 0 ? -error : error);
	return name != NULL ? name : "UNKNOWN";
}

enum error_fault
error_fault(int error)
{
	const struct error_row *row = error_find(error);

	return row != NULL ? row->fault : FAULT_LOCAL;
}

bool
error_again(int error)
{
	const struct error_row *row = error_find(error);

	if (row != NULL)
		return row->again;
	return error == -EAGAIN || error == -EINTR || error == -ENOMEM ||
	    error == -ECONNREFUSED || error == -ENOBUFS;
}

int
error_http_status(int error)
{
	const struct error_row *row = error_find(error);

	if (row != NULL)
		return row->status;
	switch (error) {
	case -ETIMEDOUT:
		return 504;
	case -ENOMEM:
	case -EMFILE:
	case -ENFILE:
	case -ENOBUFS:
	case -EAGAIN:
		return 503;
	case -ENOENT:
	case -ENOTDIR:
	case -ENAMETOOLONG:
		return 404;
	case -EACCES:
	case -EPERM:
	case -ELOOP:
	case -EXDEV:
		return 403;
	default:
		return 500;
	}
}
