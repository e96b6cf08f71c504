/*
 * step.h - the atomic operations of the protocols between workers
 *
 * Layer      runtime, inside only
 * Cost       none: they are the operations of <stdatomic.h>
 *
 * A test that explores the orders in which workers can take their steps
 * defines these its own way before it includes the source (explore.h).
 */
#pragma once

#include <stdatomic.h>

#ifndef step_load
#	define step_load(at, order) atomic_load_explicit((at), (order))
#	define step_store(at, value, order)                                   \
		atomic_store_explicit((at), (value), (order))
#	define step_exchange(at, value, order)                                \
		atomic_exchange_explicit((at), (value), (order))
#	define step_compare_exchange(at, expected, value, order)              \
		atomic_compare_exchange_weak_explicit(                         \
		    (at), (expected), (value), (order), memory_order_relaxed)
/* Somebody else holds what @at says for a few instructions. */
#	define step_spin(at) sync_spin(at)
#endif
