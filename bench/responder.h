/*
 * responder.h - answers GET /s<N> with N bytes, and nothing else
 *
 * The origin behind the proxies, and the floor beside the static files: the
 * least that a program on epoll can do for an answer. Keep-alive, pipelining
 * and "Connection: close" work; a request is not checked.
 */
#pragma once

/*
 * responder_run - serve on 127.0.0.1:@port for ever
 *
 * @root  NULL: head and body lie in memory and leave in one send(2);
 *        else the body is sent by sendfile(2) from the file @root/s<N>
 */
__attribute__((noreturn)) void responder_run(int port, const char *root);
