/*
 * dial.h - a connection to an address: TCP or Unix, attached to the worker
 *
 * Layer      net
 * Threads    the worker that calls
 * Cost       socket, setsockopt, connect, and what io_attach() needs
 */
#pragma once

#include "base/error.h"
#include "runtime/io.h"

struct dial_options {
	/* Connect from this address; NULL: the kernel chooses. */
	const struct sockaddr *from;
	socklen_t from_length;
};

/*
 * dial - open a stream socket, connect it to @address
 *
 * @io            not attached; on success it is, and io_close() ends it
 * @ret_os_error  written on E_CONNECT_FAILED and E_CONNECT_TIMEOUT: errno, a
 *                positive number, for messages; may be NULL
 *
 * Suspends   until the handshake is done
 * Returns    0; E_CONNECT_TIMEOUT (@deadline, or the kernel gave up);
 *            E_CONNECT_FAILED (the server or the way there is at fault); the
 *            cancel error of the scope (-ETIMEDOUT past its deadline);
 *            -EMFILE, -ENFILE, -ENOMEM, -ENOBUFS, -ENOSPC, -EADDRNOTAVAIL
 *            when we lack something, which says nothing about the server
 * On error   @io is not attached
 */
SUSPENDS
MUST_CHECK
int dial(struct io_fd *io, const struct sockaddr *address, socklen_t length,
    const struct dial_options *options, instant deadline, int *ret_os_error);
