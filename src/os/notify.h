/*
 * notify.h - telling the service manager (sd_notify(3)'s protocol)
 *
 * Layer      os
 */
#pragma once

/* Waiting for a service manager that does not read ends after this. */
#define NOTIFY_WAIT_MS 200

/* One state, or several lines of them: "READY=1". Nothing happens when
 * $NOTIFY_SOCKET is not set or nobody listens. */
void notify_send(const char *state);
