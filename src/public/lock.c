/*
 * public/lock.c - <weir/lock.h> over the runtime
 */
#include <weir/lock.h>

#include "public/inner.h"
#include "runtime/lock.h"

_Static_assert(sizeof(struct mutex) <= sizeof(struct weir_mutex), "");
_Static_assert(sizeof(struct rwlock) <= sizeof(struct weir_rwlock), "");

static struct mutex *
inner_mutex(struct weir_mutex *m)
{
	return (struct mutex *)m;
}

static struct rwlock *
inner_rwlock(struct weir_rwlock *l)
{
	return (struct rwlock *)l;
}

void
weir_mutex_init_at(struct weir_mutex *m, const char *name, bool reentrant,
    const char *file, int line)
{
	*m = (struct weir_mutex){.name = name,
	    .file = file,
	    .line = line,
	    .kind = reentrant ? SYNC_KIND_REENTRANT : SYNC_KIND_MUTEX};
}

int
weir_mutex_lock_at(
    struct weir_mutex *m, weir_time deadline, const char *file, int line)
{
	return mutex_lock_at(inner_mutex(m), inner_time(deadline), file, line);
}

int
weir_mutex_try_at(struct weir_mutex *m, const char *file, int line)
{
	return mutex_try_at(inner_mutex(m), file, line);
}

int
weir_mutex_unlock(struct weir_mutex *m)
{
	return mutex_unlock(inner_mutex(m));
}

int
weir_mutex_fini(struct weir_mutex *m)
{
	return mutex_fini(inner_mutex(m));
}

void
weir_rwlock_init_at(
    struct weir_rwlock *l, const char *name, const char *file, int line)
{
	*l = (struct weir_rwlock){
	    .name = name, .file = file, .line = line, .kind = SYNC_KIND_RWLOCK};
}

int
weir_rwlock_read_at(
    struct weir_rwlock *l, weir_time deadline, const char *file, int line)
{
	return rwlock_read_at(
	    inner_rwlock(l), inner_time(deadline), file, line);
}

int
weir_rwlock_write_at(
    struct weir_rwlock *l, weir_time deadline, const char *file, int line)
{
	return rwlock_write_at(
	    inner_rwlock(l), inner_time(deadline), file, line);
}

int
weir_rwlock_try_read_at(struct weir_rwlock *l, const char *file, int line)
{
	return rwlock_try_read_at(inner_rwlock(l), file, line);
}

int
weir_rwlock_try_write_at(struct weir_rwlock *l, const char *file, int line)
{
	return rwlock_try_write_at(inner_rwlock(l), file, line);
}

int
weir_rwlock_unlock(struct weir_rwlock *l)
{
	return rwlock_unlock(inner_rwlock(l));
}

int
weir_rwlock_fini(struct weir_rwlock *l)
{
	return rwlock_fini(inner_rwlock(l));
}
