/*
 * generator.c - values one at a time, sent ones back, and an early end
 *
 *   cc generator.c $(pkg-config --cflags --libs weir)
 *
 * A generator is a function that keeps its place between the values that it
 * hands out. Python's yield and send, in C.
 */
#include <weir/weir.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>

/* Without end: who asks decides how many there are. */
static int
fibonacci(struct weir_generator *generator, void *arg)
{
	intptr_t a = 0, b = 1, sum;
	int error;

	(void)arg;
	while (
	    (error = weir_generator_yield(generator, (void *)a, NULL)) == 0) {
		sum = a + b;
		a = b;
		b = sum;
	}
	/* Closed: whatever the body holds is given back here. */
	printf("fibonacci: closed at %ld\n", (long)a);
	return error;
}

/* Hands out the mean of all that it was sent. */
static int
mean(struct weir_generator *generator, void *arg)
{
	static double value;
	double sum = 0;
	void *sent;
	int count = 0, error;

	(void)arg;
	while ((error = weir_generator_yield(generator, &value, &sent)) == 0) {
		sum += *(double *)sent;
		value = sum / ++count;
	}
	return error;
}

/* A generator that reads another one: every second value. */
static int
every_second(struct weir_generator *generator, void *arg)
{
	struct weir_generator *from = arg;
	void *value;
	int error = 0;

	while (error == 0 && weir_generator_next(from, NULL, &value) == 1 &&
	    weir_generator_next(from, NULL, &value) == 1)
		error = weir_generator_yield(generator, value, NULL);
	return error;
}

/* It owns the inner one: a generator is used by one task alone. */
static int
every_second_fibonacci(struct weir_generator *generator, void *arg)
{
	struct weir_generator inner;
	int error;

	weir_generator_init(&inner, fibonacci, arg);
	error = every_second(generator, &inner);
	weir_generator_fini(&inner);
	return error;
}

static int
root(void *arg)
{
	static double samples[] = {3, 5, 10};
	struct weir_generator generator;
	void *value;

	(void)arg;
	weir_generator_init(&generator, fibonacci, NULL);
	for (int i = 0; i < 10; i++) {
		assert(weir_generator_next(&generator, NULL, &value) == 1);
		printf("%ld ", (long)(intptr_t)value);
	}
	printf("\n");
	assert(weir_generator_fini(&generator) == -ECANCELED);

	weir_generator_init(&generator, mean, NULL);
	assert(weir_generator_next(&generator, NULL, &value) == 1);
	for (int i = 0; i < 3; i++) {
		assert(
		    weir_generator_next(&generator, &samples[i], &value) == 1);
		printf(
		    "sent %g, the mean is %g\n", samples[i], *(double *)value);
	}
	weir_generator_fini(&generator);

	weir_generator_init(&generator, every_second_fibonacci, NULL);
	for (int i = 0; i < 5; i++) {
		assert(weir_generator_next(&generator, NULL, &value) == 1);
		printf("%ld ", (long)(intptr_t)value);
	}
	printf("\n");
	weir_generator_fini(&generator);
	return 0;
}

int
main(void)
{
	struct weir_options options = {.worker_count = 1};

	return weir_run(&options, root, NULL) < 0;
}
