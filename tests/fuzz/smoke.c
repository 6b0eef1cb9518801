/*
 * Runs one fuzz target without libFuzzer: every seed of the corpus, then mutations of them from a
 * fixed seed, so that each build and compiler exercises the decoders as part of the tests.
 */
#include "base/prng.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_SIZE_MAX 65536
#define SEEDS_MAX 512
#define MUTATIONS_DEFAULT 20000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seed {
    uint8_t *data;
    size_t size;
};

static size_t load_corpus(const char *folder, struct seed *seeds)
{
    size_t count = 0;
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        perror(folder);
        exit(2);
    }
    for (struct dirent *entry = readdir(dir); entry != NULL && count < SEEDS_MAX;
         entry = readdir(dir)) {
        char path[4096];
        if (entry->d_name[0] == '.') {
            continue;
        }
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        FILE *file = fopen(path, "rb");
        if (file == NULL) {
            perror(path);
            exit(2);
        }
        seeds[count].data = malloc(INPUT_SIZE_MAX);
        seeds[count].size = fread(seeds[count].data, 1, INPUT_SIZE_MAX, file);
        fclose(file);
        count++;
    }
    closedir(dir);
    return count;
}

static size_t mutate(struct prng *prng, const struct seed *seeds, size_t count, uint8_t *out)
{
    const struct seed *from = &seeds[prng_below(prng, count)];
    size_t size = from->size;
    memcpy(out, from->data, size);
    for (uint64_t changes = 1 + prng_below(prng, 8); changes > 0; changes--) {
        size_t at = size == 0 ? 0 : (size_t)prng_below(prng, size);
        switch (prng_below(prng, 5)) {
        case 0: /* flip a bit */
            if (size > 0) {
                out[at] ^= (uint8_t)(1u << prng_below(prng, 8));
            }
            break;
        case 1: /* another byte, often a telling one */
            if (size > 0) {
                static const uint8_t telling[] = {0,   1,   0x7f, 0x80, 0xff, '\r', '\n',
                                                  '*', '$', '-',  '0',  '9',  '"'};
                out[at] = telling[prng_below(prng, sizeof(telling))];
            }
            break;
        case 2: /* cut */ size = at; break;
        case 3: /* splice the tail of another seed */
        {
            const struct seed *other = &seeds[prng_below(prng, count)];
            size_t skip = other->size == 0 ? 0 : (size_t)prng_below(prng, other->size);
            size_t take = other->size - skip;
            take = take > INPUT_SIZE_MAX - at ? INPUT_SIZE_MAX - at : take;
            memcpy(out + at, other->data + skip, take);
            size = at + take;
            break;
        }
        default: /* insert a byte */
            if (size < INPUT_SIZE_MAX) {
                memmove(out + at + 1, out + at, size - at);
                out[at] = (uint8_t)prng_next(prng);
                size++;
            }
        }
    }
    return size;
}

int main(int argc, char **argv)
{
    static struct seed seeds[SEEDS_MAX];
    int mutations = argc == 3 ? atoi(argv[2]) : MUTATIONS_DEFAULT;
    if (argc < 2 || argc > 3 || mutations <= 0) {
        fprintf(stderr, "usage: %s CORPUS-FOLDER [MUTATIONS]\n", argv[0]);
        return 2;
    }
    size_t count = load_corpus(argv[1], seeds);
    if (count == 0) {
        fprintf(stderr, "%s: no seeds\n", argv[1]);
        return 2;
    }
    for (size_t i = 0; i < count; i++) {
        LLVMFuzzerTestOneInput(seeds[i].data, seeds[i].size);
    }
    struct prng prng;
    prng_init(&prng, 1);
    static uint8_t scratch[INPUT_SIZE_MAX + 1];
    for (int i = 0; i < mutations; i++) {
        size_t size = mutate(&prng, seeds, count, scratch);
        /* An exact allocation, so that the sanitizer sees a read past the end. */
        uint8_t *input = malloc(size == 0 ? 1 : size);
        memcpy(input, scratch, size);
        LLVMFuzzerTestOneInput(input, size);
        free(input);
    }
    for (size_t i = 0; i < count; i++) {
        free(seeds[i].data);
    }
    printf("%zu seeds, %d mutations\n", count, mutations);
    return 0;
}
