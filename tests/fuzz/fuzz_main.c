/*
 * fuzz_main: runs a fuzz target without libFuzzer.
 *
 *	TARGET FILE...		these inputs, e.g. one a fuzzer has left; of a
 *				directory all that is in it
 *	TARGET [-n COUNT]	inputs by chance, the same ones each time
 */
#include <dirent.h>
#include <err.h>
#include <inttypes.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/sim/random.h"

#define INPUT_MAX 4096

static void run_file(const char *name);

static void run_directory(const char *name, DIR *dir)
{
	char path[4096];
	struct dirent *entry;

	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", name,
			       entry->d_name);
		run_file(path);
	}
}

static void run_file(const char *name)
{
	DIR *dir = opendir(name);
	static uint8_t data[1 << 20];
	FILE *file = fopen(name, "rb");
	size_t len;

	if (dir) {
		run_directory(name, dir);
		(void)closedir(dir);
		if (file)
			(void)fclose(file);
		return;
	}
	if (!file)
		err(EXIT_FAILURE, "%s", name);
	len = fread(data, 1, sizeof(data), file);
	if (ferror(file))
		err(EXIT_FAILURE, "%s", name);
	(void)fclose(file);
	(void)LLVMFuzzerTestOneInput(data, len);
}

static void run_seed(uint64_t seed)
{
	struct sim_random random = {.state = seed};
	uint8_t data[INPUT_MAX];
	size_t len = sim_random_below(&random, INPUT_MAX + 1);

	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)sim_random_u64(&random);
	(void)LLVMFuzzerTestOneInput(data, len);
}

int main(int argc, char **argv)
{
	uint64_t count = 20000;

	if (argc == 3 && strcmp(argv[1], "-n") == 0) {
		count = strtoull(argv[2], NULL, 10);
		argc = 1;
	}
	for (int i = 1; i < argc; i++)
		run_file(argv[i]);
	if (argc > 1)
		return EXIT_SUCCESS;
	for (uint64_t seed = 0; seed < count; seed++)
		run_seed(seed);
	(void)printf("%" PRIu64 " inputs\n", count);
	return EXIT_SUCCESS;
}
