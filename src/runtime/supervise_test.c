#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/clock.h"
#include "runtime/runtime.h"
#include "runtime/supervise.h"

static const struct runtime_options one_worker = {.worker_count = 1};

static void
in_task(task_fn fn)
{
	assert_int_equal(runtime_run(&one_worker, fn, NULL), 0);
	/* Nothing is left of what was supervised. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* What happened, a word each. */
static char story[4096];

static void
tell(const char *what, const char *name)
{
	(void)snprintf(story + strlen(story), sizeof(story) - strlen(story),
	    "%s%s:%s", story[0] == '\0' ? "" : " ", name, what);
}

/* Who is started again, and not before when. */
static const struct supervise_child *again;
static instant again_at;

static void
on_event(const struct supervise_event *event, void *arg)
{
	static const char *const words[] = {"start", "end", "gave-up"};

	if (event->what == SUPERVISE_ENDED && event->again) {
		again = event->child;
		again_at = instant_after(runtime_now(), event->pause);
	} else if (event->what == SUPERVISE_STARTED && event->child == again) {
		assert_false(instant_before(runtime_now(), again_at));
		again = NULL;
	}
	tell(event->what == SUPERVISE_ENDED && event->again
		? "again"
		: words[event->what],
	    event->child->name);
}

static const struct supervise_options quick = {
    .backoff = {.first = {1000000},
	.max = {4000000},
	.healthy = {60 * INT64_C(1000000000)}},
    .restart_max = 5,
    .window = {60 * INT64_C(1000000000)},
    .event = on_event,
};

/* ---- children that are tasks ---- */

struct actor {
	const char *name;
	int runs; /* so many short ones before it stays */
	int result; /* of the short ones */
};

static int
act(void *arg)
{
	struct actor *actor = arg;
	int r;

	if (actor->runs-- > 0) {
		r = task_sleep(duration_ms(5));
		return r < 0 ? r : actor->result;
	}
	r = task_sleep(duration_s(1000));
	tell("stopped", actor->name);
	return r;
}

struct call {
	struct supervise_options options;
	struct supervise_child *children;
	unsigned count;
	int result;
	char failure[SUPERVISE_TEXT_BYTES];
};

static int
call_run(void *arg)
{
	struct call *call = arg;

	call->result = supervise(
	    &call->options, call->children, call->count, call->failure);
	return 0;
}

/* Supervise until the story holds @last, a little longer, for what must not
 * come after it, then cancel. */
static void
call_until(struct call *call, const char *last)
{
	instant end = instant_after(clock_now(), duration_s(60));
	struct scope scope;

	story[0] = '\0';
	scope_init(&scope, instant_never());
	assert_int_equal(task_start(&scope, "supervisor", call_run, call), 0);
	while (strstr(story, last) == NULL) {
		if (!instant_before(clock_now(), end))
			fail_msg("no '%s' in '%s'", last, story);
		assert_int_equal(task_sleep(duration_ms(2)), 0);
	}
	assert_int_equal(task_sleep(duration_ms(20)), 0);
	scope_cancel(&scope, 0);
	(void)scope_fini(&scope);
}

static struct supervise_child
child_of(struct actor *actor, enum restart_when when)
{
	return (struct supervise_child){
	    .name = actor->name, .task = act, .arg = actor, .when = when};
}

static int
one_for_one_task(void *arg)
{
	struct actor a = {"a"}, b = {"b", 2, -EIO}, c = {"c"};
	struct supervise_child children[] = {child_of(&a, RESTART_PERMANENT),
	    child_of(&b, RESTART_PERMANENT), child_of(&c, RESTART_PERMANENT)};
	struct call call = {.options = quick, .children = children, .count = 3};

	call_until(&call, "c:start b:again b:start b:again b:start");
	assert_int_equal(call.result, -ECANCELED);
	assert_string_equal(story,
	    "a:start b:start c:start b:again b:start b:again b:start "
	    "c:stopped b:stopped a:stopped");
	return 0;
}

static void
test_one_for_one(void **state)
{
	in_task(one_for_one_task);
}

static int
groups_task(void *arg)
{
	struct actor a = {"a"}, b = {"b", 1, -EIO}, c = {"c"};
	struct supervise_child children[] = {child_of(&a, RESTART_PERMANENT),
	    child_of(&b, RESTART_PERMANENT), child_of(&c, RESTART_PERMANENT)};
	struct call call = {.options = quick, .children = children, .count = 3};

	call.options.strategy = SUPERVISE_ONE_FOR_ALL;
	call_until(
	    &call, "b:again c:stopped a:stopped a:start b:start c:start");
	assert_string_equal(story,
	    "a:start b:start c:start b:again c:stopped a:stopped "
	    "a:start b:start c:start c:stopped b:stopped a:stopped");
	b.runs = 1;
	call.options.strategy = SUPERVISE_REST_FOR_ONE;
	call_until(&call, "b:again c:stopped b:start c:start");
	assert_string_equal(story,
	    "a:start b:start c:start b:again c:stopped "
	    "b:start c:start c:stopped b:stopped a:stopped");
	return 0;
}

static void
test_groups(void **state)
{
	in_task(groups_task);
}

static int
kinds_task(void *arg)
{
	struct actor well = {"well", 9, 0}, ill = {"ill", 1, -EIO},
		     once = {"once", 9, -EIO};
	struct supervise_child children[] = {child_of(&well, RESTART_TRANSIENT),
	    child_of(&once, RESTART_TEMPORARY),
	    child_of(&ill, RESTART_TRANSIENT)};
	struct call call = {.options = quick, .children = children, .count = 2};

	/* All end for good: so does the supervisor. */
	story[0] = '\0';
	assert_int_equal(call_run(&call), 0);
	assert_int_equal(call.result, 0);
	assert_string_equal(story, "well:start once:start well:end once:end");
	call.count = 3;
	call_until(&call, "ill:again");
	assert_non_null(strstr(story, "ill:again"));
	assert_null(strstr(story, "well:again"));
	assert_int_equal(supervise(&quick, children, 1001, NULL), -EINVAL);
	children[1].task = NULL;
	assert_int_equal(supervise(&quick, children, 2, NULL), -EINVAL);
	return 0;
}

static void
test_kinds(void **state)
{
	in_task(kinds_task);
}

/* ---- giving up, trees ---- */

static int
give_up_task(void *arg)
{
	struct actor a = {"a"};
	char *argv[] = {"sh", "-c", "exit 3", NULL};
	struct process_options program = {.argv = argv};
	struct supervise_child children[] = {
	    child_of(&a, RESTART_PERMANENT), {"b", .process = &program}};
	struct call call = {.options = quick, .children = children, .count = 2};

	story[0] = '\0';
	assert_int_equal(call_run(&call), 0);
	assert_int_equal(call.result, -ECHILD);
	assert_string_equal(call.failure,
	    "b exited with code 3, and 5 restarts in 60000 ms were the most "
	    "allowed");
	assert_non_null(strstr(story, "b:gave-up a:stopped"));

	program.path = "/nonexistent";
	assert_int_equal(call_run(&call), 0);
	assert_non_null(strstr(call.failure, "b could not be started: "));
	return 0;
}

static void
test_give_up(void **state)
{
	in_task(give_up_task);
}

/* An inner supervisor that gives up is a child that failed. */
static int
tree_task(void *arg)
{
	struct actor bad = {"bad", 1000, -EIO};
	struct supervise_child leaf = child_of(&bad, RESTART_PERMANENT);
	struct call inner = {.options = quick, .children = &leaf, .count = 1};
	struct supervise_child branch = {
	    .name = "branch", .task = call_run, .arg = &inner};
	struct supervise_options outer = quick;
	char failure[SUPERVISE_TEXT_BYTES];

	outer.restart_max = 2;
	inner.options.event = NULL;
	inner.options.restart_max = 1;
	story[0] = '\0';
	/* It returns 0 but is permanent. */
	assert_int_equal(supervise(&outer, &branch, 1, failure), -ECHILD);
	assert_int_equal(inner.result, -ECHILD);
	assert_string_equal(story,
	    "branch:start branch:again branch:start branch:again "
	    "branch:start branch:gave-up");
	/* Three times the leaf was started, and once again each time. */
	assert_int_equal(bad.runs, 1000 - 6);
	return 0;
}

static void
test_tree(void **state)
{
	in_task(tree_task);
}

/* ---- children that are processes ---- */

static int
processes_task(void *arg)
{
	char *stubborn[] = {"sh", "-c",
	    "trap '' TERM; while :; do read x; sleep 0.01; done", NULL};
	char *mortal[] = {"sh", "-c", "sleep 0.03; kill -KILL $$", NULL};
	char *polite[] = {"sleep", "1000", NULL};
	const struct process_options programs[] = {{.argv = polite},
	    {.argv = mortal}, {.argv = stubborn, .in.kind = PROCESS_NULL}};
	struct supervise_child children[] = {
	    {"polite", .process = &programs[0], .grace = duration_s(60)},
	    {"mortal", .process = &programs[1]},
	    {"stubborn", .process = &programs[2], .grace = duration_ms(30)}};
	struct call call = {.options = quick, .children = children, .count = 3};

	call.options.restart_max = 0;
	call_until(&call, "mortal:again");
	assert_int_equal(call.result, -ECANCELED);
	assert_non_null(strstr(story, "mortal:again"));
	assert_null(strstr(story, "polite:again"));
	return 0;
}

static void
test_processes(void **state)
{
	in_task(processes_task);
}

/* ---- a task beside each life of a process ---- */

/* A child that sends what it reads, with a number for its life. It does not
 * mind SIGTERM, and goes when it is told. */
struct beside {
	struct supervise_child child;
	struct process_options program;
	char life[16];
	char *argv[5];
	int lives;
	int refused; /* so many starts */
	bool mute; /* it does not tell it to go */
};

static int
beside_prepare(void *arg)
{
	struct beside *beside = arg;

	tell("prepare", "it");
	if (beside->refused-- > 0)
		return -EMFILE;
	(void)snprintf(
	    beside->life, sizeof(beside->life), "%d", ++beside->lives);
	return 0;
}

static void
beside_attend(struct process *process, void *arg)
{
	struct beside *beside = arg;
	struct io_fd *channel = process_channel(process);
	char text[16] = "";
	ssize_t length;

	length = io_recv(channel, text, sizeof(text) - 1, instant_never());
	assert_int_equal(length, 2);
	assert_string_equal(text, beside->lives == 1 ? "1\n" : "2\n");
	tell("heard", "it");
	if (beside->lives == 1) {
		/* Before its end is seen: it runs no more all the same. */
		assert_int_equal(process_signal(process, SIGKILL), 0);
		return;
	}
	length = io_recv(channel, text, sizeof(text) - 1, instant_never());
	assert_int_equal(length, -ECANCELED);
	if (beside->mute)
		return;
	task_shield(duration_s(60));
	assert_int_equal(io_send(channel, "go", 2, NULL, instant_never()), 2);
	assert_int_equal(io_recv(channel, text, 8, instant_never()), 4);
	assert_memory_equal(text, "bye\n", 4);
	tell("bye", "it");
	task_unshield();
}

static void
beside_init(struct beside *beside)
{
	*beside = (struct beside){
	    .argv = {"sh", "-c",
		"trap '' TERM; echo $0 >&7; head -c 2 <&7 >/dev/null; "
		"echo bye >&7; exec sleep 1000",
		beside->life, NULL},
	    .program = {.channel_fd = 7},
	};
	beside->program.argv = beside->argv;
	beside->child = (struct supervise_child){
	    .name = "it",
	    .process = &beside->program,
	    .arg = beside,
	    .grace = duration_ms(20),
	    .prepare = beside_prepare,
	    .attend = beside_attend,
	};
}

static int
beside_task(void *arg)
{
	struct beside beside;
	struct call call = {.options = quick, .count = 1};

	beside_init(&beside);
	call.children = &beside.child;
	call_until(&call, "it:again it:prepare it:start it:heard");
	assert_int_equal(call.result, -ECANCELED);
	assert_string_equal(story,
	    "it:prepare it:start it:heard it:again "
	    "it:prepare it:start it:heard it:bye");
	beside_init(&beside);
	beside.mute = true;
	beside.refused = 1;
	call_until(&call, "it:heard it:again it:prepare it:start it:heard");
	assert_string_equal(story,
	    "it:prepare it:again it:prepare it:start it:heard it:again "
	    "it:prepare it:start it:heard");
	beside.child.process = NULL;
	beside.child.task = act;
	assert_int_equal(supervise(&quick, &beside.child, 1, NULL), -EINVAL);
	return 0;
}

static void
test_beside(void **state)
{
	in_task(beside_task);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one_for_one),
	    cmocka_unit_test(test_groups),
	    cmocka_unit_test(test_kinds),
	    cmocka_unit_test(test_give_up),
	    cmocka_unit_test(test_tree),
	    cmocka_unit_test(test_processes),
	    cmocka_unit_test(test_beside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
