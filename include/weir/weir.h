/*
 * weir/weir.h - the whole library
 */
#ifndef WEIR_WEIR_H
#define WEIR_WEIR_H

#include <weir/channel.h>
#include <weir/deadlock.h>
#include <weir/frame.h>
#include <weir/future.h>
#include <weir/generator.h>
#include <weir/http.h>
#include <weir/io.h>
#include <weir/ipc.h>
#include <weir/local.h>
#include <weir/lock.h>
#include <weir/net.h>
#include <weir/pool.h>
#include <weir/process.h>
#include <weir/process_pool.h>
#include <weir/protocol.h>
#include <weir/resolve.h>
#include <weir/ring.h>
#include <weir/runtime.h>
#include <weir/schedule.h>
#include <weir/select.h>
#include <weir/sim.h>
#include <weir/supervise.h>
#include <weir/sync.h>
#include <weir/task.h>
#include <weir/thread.h>
#include <weir/time.h>
#include <weir/udp.h>
#include <weir/unix.h>
#include <weir/version.h>

#endif
