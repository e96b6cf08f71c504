/*
 * replay.c - runs every file of the folders named on the command line through
 * a fuzz target, each also cut at every eighth byte
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
replay_file(const char *path)
{
	static uint8_t buffer[1 << 20];
	FILE *f = fopen(path, "rb");
	size_t length;

	if (f == NULL) {
		perror(path);
		return -1;
	}
	length = fread(buffer, 1, sizeof(buffer), f);
	fclose(f);
	for (size_t cut = 0; cut < length; cut += 8) {
		/* An exact allocation lets the sanitizers see an overread. */
		uint8_t *copy = malloc(cut + 1);

		memcpy(copy, buffer, cut);
		LLVMFuzzerTestOneInput(copy, cut);
		free(copy);
	}
	LLVMFuzzerTestOneInput(buffer, length);
	return 0;
}

static int
replay_folder(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	int count = 0;

	if (folder == NULL) {
		perror(path);
		return -1;
	}
	while ((entry = readdir(folder)) != NULL) {
		char file[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		if (replay_file(file) < 0) {
			closedir(folder);
			return -1;
		}
		count++;
	}
	closedir(folder);
	printf("%s: %d inputs\n", path, count);
	return count;
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		/* An empty corpus would be a test that cannot fail. */
		if (replay_folder(argv[i]) <= 0)
			return 1;
	}
	return 0;
}
