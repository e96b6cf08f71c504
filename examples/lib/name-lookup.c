/*
 * name-lookup.c - from names to addresses, and what is said when there is none
 *
 *   cc name-lookup.c $(pkg-config --cflags --libs weir)
 *   ./a.out [NAME...]
 *
 * All names are looked up at once, a task each.
 */
#include <weir/weir.h>

#include <stdio.h>

#define NAMES_MAX 16

static const char *own[] = {
    "localhost", "192.0.2.7", "nobody.invalid", "not..a name"};

struct lookup {
	const char *name;
	int result;
	unsigned count;
	struct weir_address addresses[8];
	struct weir_resolve_error error;
};

static int
lookup_run(void *arg)
{
	struct lookup *lookup = arg;

	lookup->result = weir_resolve(lookup->name, 80, lookup->addresses, 8,
	    &lookup->count, &lookup->error, weir_after(10 * WEIR_SECOND));
	return 0;
}

static void
lookup_print(const struct lookup *lookup)
{
	char text[WEIR_ADDRESS_TEXT];

	printf("%s:\n", lookup->name);
	if (lookup->result < 0)
		printf("  %s\n", lookup->error.text);
	for (unsigned i = 0; lookup->result == 0 && i < lookup->count; i++)
		printf("  %s\n",
		    weir_address_format(
			&lookup->addresses[i], text, sizeof(text)));
}

struct names {
	int count;
	const char **names;
};

static int
root(void *arg)
{
	static struct lookup lookups[NAMES_MAX];
	const struct names *names = arg;
	struct weir_scope scope;
	int error = 0;

	weir_scope_init(&scope, WEIR_NEVER);
	for (int i = 0; i < names->count && error == 0; i++) {
		lookups[i].name = names->names[i];
		error =
		    weir_task_start(&scope, "lookup", lookup_run, &lookups[i]);
	}
	if (error == 0)
		error = weir_scope_wait(&scope);
	weir_scope_fini(&scope);
	for (int i = 0; i < names->count && error == 0; i++)
		lookup_print(&lookups[i]);
	return error;
}

int
main(int argc, char **argv)
{
	struct weir_options options = {.worker_count = 1};
	struct names names = {sizeof(own) / sizeof(own[0]), own};

	if (argc > 1 && argc <= NAMES_MAX)
		names = (struct names){argc - 1, (const char **)argv + 1};
	return weir_run(&options, root, &names) < 0;
}
