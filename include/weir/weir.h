/*
 * weir/weir.h - the whole library
 */
#ifndef WEIR_WEIR_H
#define WEIR_WEIR_H

#include <weir/frame.h>
#include <weir/channel.h>
#include <weir/deadlock.h>
#include <weir/future.h>
#include <weir/generator.h>
#include <weir/io.h>
#include <weir/local.h>
#include <weir/lock.h>
#include <weir/pool.h>
#include <weir/protocol.h>
#include <weir/process.h>
#include <weir/runtime.h>
#include <weir/sync.h>
#include <weir/select.h>
#include <weir/task.h>
#include <weir/time.h>
#include <weir/version.h>

#endif
