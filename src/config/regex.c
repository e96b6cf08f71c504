#include "config/regex.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#ifdef HAVE_VALGRIND
#	include <valgrind/valgrind.h>
#else
#	define RUNNING_ON_VALGRIND 0
#endif

#define REGEX_JIT_STACK_FIRST (32 << 10)
#define REGEX_JIT_STACK_MAX   (256 << 10)
/* KiB; what the interpreter may take where there is no JIT. */
#define REGEX_HEAP_LIMIT 1024
#define REGEX_CAPTURES   10

struct config_regex {
	pcre2_code *code;
	struct bytes pattern;
	unsigned groups;
};

/* ---- compiling ---- */

int
config_regex_compile(struct arena *arena, struct bytes pattern,
    const struct config_regex **ret, struct config_regex_error *ret_error)
{
	struct config_regex *regex = arena_zero(arena, sizeof(*regex));
	PCRE2_SIZE offset = 0;
	uint32_t groups = 0;
	int error = 0;

	if (regex == NULL)
		return -ENOMEM;
	regex->pattern = arena_copy(arena, pattern);
	if (regex->pattern.at == NULL)
		return -ENOMEM;
	regex->code = pcre2_compile((PCRE2_SPTR)pattern.at, pattern.length,
	    PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C, &error, &offset, NULL);
	if (regex->code == NULL) {
		if (error == PCRE2_ERROR_HEAP_FAILED)
			return -ENOMEM;
		pcre2_get_error_message(error, (PCRE2_UCHAR *)ret_error->text,
		    sizeof(ret_error->text));
		ret_error->offset = offset;
		return -EINVAL;
	}
	/* Where there is no JIT, or no memory for it, the interpreter runs. */
	if (!RUNNING_ON_VALGRIND)
		(void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE);
	pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &groups);
	regex->groups = groups;
	*ret = regex;
	return 0;
}

void
config_regex_free(const struct config_regex *regex)
{
	if (regex != NULL)
		pcre2_code_free(regex->code);
}

unsigned
config_regex_groups(const struct config_regex *regex)
{
	return regex->groups;
}

struct bytes
config_regex_pattern(const struct config_regex *regex)
{
	return regex->pattern;
}

/* ---- what a thread matches with ---- */

struct regex_thread {
	pcre2_match_context *context;
	pcre2_match_data *data;
	pcre2_jit_stack *stack;
};

static __thread struct regex_thread *regex_thread_here;
static pthread_key_t regex_thread_key;
static pthread_once_t regex_thread_once = PTHREAD_ONCE_INIT;
static bool regex_thread_key_made;

static void
regex_thread_free(void *argument)
{
	struct regex_thread *thread = argument;

	pcre2_match_data_free(thread->data);
	pcre2_match_context_free(thread->context);
	pcre2_jit_stack_free(thread->stack);
	free(thread);
	regex_thread_here = NULL;
}

/* The first thread of a process ends without its keys' destructors. */
static void
regex_thread_free_last(void)
{
	if (regex_thread_here != NULL)
		regex_thread_free(regex_thread_here);
}

static void
regex_thread_key_make(void)
{
	regex_thread_key_made =
	    pthread_key_create(&regex_thread_key, regex_thread_free) == 0;
	atexit(regex_thread_free_last);
}

static struct regex_thread *
regex_thread_new(void)
{
	struct regex_thread *thread = calloc(1, sizeof(*thread));

	if (thread == NULL)
		return NULL;
	thread->context = pcre2_match_context_create(NULL);
	thread->data = pcre2_match_data_create(REGEX_CAPTURES, NULL);
	/* The default would be 32 KB of the caller's stack. */
	thread->stack = pcre2_jit_stack_create(
	    REGEX_JIT_STACK_FIRST, REGEX_JIT_STACK_MAX, NULL);
	if (thread->context == NULL || thread->data == NULL) {
		regex_thread_free(thread);
		return NULL;
	}
	pcre2_set_match_limit(thread->context, REGEX_MATCH_LIMIT);
	pcre2_set_heap_limit(thread->context, REGEX_HEAP_LIMIT);
	if (thread->stack != NULL)
		pcre2_jit_stack_assign(thread->context, NULL, thread->stack);
	return thread;
}

static struct regex_thread *
regex_thread_get(void)
{
	if (likely(regex_thread_here != NULL))
		return regex_thread_here;
	pthread_once(&regex_thread_once, regex_thread_key_make);
	if (!regex_thread_key_made)
		return NULL;
	regex_thread_here = regex_thread_new();
	if (regex_thread_here != NULL)
		pthread_setspecific(regex_thread_key, regex_thread_here);
	return regex_thread_here;
}

/* ---- matching ---- */

static void
regex_captures_take(const struct regex_thread *thread, int count,
    struct bytes subject, struct bytes captures[REGEX_CAPTURES])
{
	const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(thread->data);

	/* 0: matched, with more groups than there is room for. */
	if (count == 0)
		count = REGEX_CAPTURES;
	for (int i = 0; i < REGEX_CAPTURES; i++) {
		captures[i] = bytes_of(NULL, 0);
		if (i < count && ends[2 * i] != PCRE2_UNSET &&
		    ends[2 * i + 1] >= ends[2 * i])
			captures[i] = bytes_of(subject.at + ends[2 * i],
			    ends[2 * i + 1] - ends[2 * i]);
	}
}

bool
config_regex_match(const struct config_regex *regex, struct bytes subject,
    struct bytes captures[REGEX_CAPTURES])
{
	struct regex_thread *thread = regex_thread_get();
	int r;

	if (thread == NULL)
		return false;
	r = pcre2_match(regex->code,
	    (PCRE2_SPTR)(subject.at != NULL ? subject.at : ""), subject.length,
	    0, thread->stack == NULL ? PCRE2_NO_JIT : 0, thread->data,
	    thread->context);
	if (r < 0)
		return false;
	if (captures != NULL)
		regex_captures_take(thread, r, subject, captures);
	return true;
}
