/*
 * tool.h - what the programs of the benchmark share
 *
 * They are tools of one thread on loopback. A mistake of the caller or a
 * refusal of the kernel ends them with a line that says what failed.
 */
#pragma once

#include <stdint.h>
#include <sys/epoll.h>

__attribute__((format(printf, 1, 2), noreturn)) void
die(const char *format, ...);

/* The monotonic clock. */
uint64_t now_ns(void);

/* As many descriptors as the hard limit allows. */
void raise_descriptor_limit(void);

/* A listening socket on 127.0.0.1:@port, or a connected one; both without
 * blocking and with TCP_NODELAY where it applies. Both die on refusal, and
 * so does a connection that is refused at once. */
int listen_local(int port);
int connect_local(int port);

/* Every connection that waits on @listener, at most 64 a call; -1: no more. */
int accept_local(int listener);

/* Add @fd with @data, or change its events when @known. */
void watch(int epoll, int fd, uint32_t events, void *data, int known);
