/*
 * weir/thread.h - pthread locks on a worker's thread
 *
 * A pthread lock may be held for a few lines. A task that waits while it holds
 * one stops its whole worker as soon as another task wants it; so between these
 * two a call that would wait ends the process and says so. Locks that may be
 * held longer are in weir/lock.h.
 */
#ifndef WEIR_THREAD_H
#define WEIR_THREAD_H

#include <pthread.h>

#include <weir/api.h>
#include <weir/task.h>

WEIR_BEGIN

static inline void
weir_pthread_lock(pthread_mutex_t *lock)
{
	pthread_mutex_lock(lock);
	weir_nosuspend_enter();
}

static inline void
weir_pthread_unlock(pthread_mutex_t *lock)
{
	weir_nosuspend_leave();
	pthread_mutex_unlock(lock);
}

WEIR_END

#endif
