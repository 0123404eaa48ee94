/* A weights file damaged in every way, each with its own status: weights FILE OTHER_MODEL'S_FILE FOLDER. Prints "fine". */
#include <unistd.h>

#include "host.h"
#include "runtime/weights.h"

static unsigned char *whole, *copy;   /* the file; what is opened */
static size_t size;

static unsigned char *read_file(const char *path, size_t *bytes)
{
    FILE *f = fopen(path, "rb");
    REQUIRE(f && !fseek(f, 0, SEEK_END));
    *bytes = (size_t)ftell(f);
    rewind(f);
    unsigned char *data = aligned_alloc(4096, (*bytes + 8191) / 4096 * 4096);
    REQUIRE(data && fread(data, 1, *bytes, f) == *bytes);
    fclose(f);
    return data;
}

static model_status open_bytes(const unsigned char *bytes, size_t n)
{
    model_model *m = (model_model *)&size;
    const model_status s = model_open_memory(&m, bytes, n);
    REQUIRE((s == MODEL_OK) == (m != NULL));
    model_close(m);
    return s;
}

static model_status open_file(const char *folder, const unsigned char *bytes, size_t n)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/damaged", folder);
    FILE *f = fopen(path, "wb");
    REQUIRE(f && fwrite(bytes, 1, n, f) == n && !fclose(f));
    model_model *m = (model_model *)&size;
    const model_status s = model_open(&m, path);
    REQUIRE((s == MODEL_OK) == (m != NULL));
    model_close(m);
    return s;
}

/* By where the header or table is damaged. */
static model_status expected(size_t at, bool longer)
{
    if (at < offsetof(weights_header, format)) return MODEL_NOT_WEIGHTS;
    if (at < offsetof(weights_header, sections)) return MODEL_VERSION;
    if (at < offsetof(weights_header, bytes)) return MODEL_WRONG_MODEL;
    if (at < offsetof(weights_header, model)) return longer ? MODEL_TRUNCATED : MODEL_CORRUPT;
    if (at < offsetof(weights_header, table_checksum)) return MODEL_WRONG_MODEL;
    return MODEL_CORRUPT;
}

static void damage_header_and_table(void)
{
    const weights_header *h = (const weights_header *)(const void *)whole;
    const size_t end = sizeof *h + h->sections * sizeof(weights_entry);
    for (size_t at = 0; at < end; at++)
        for (int bit = 0; bit < 8; bit++) {
            copy[at] ^= (unsigned char)(1 << bit);
            const bool longer = copy[at] > whole[at];   /* of a field of the file's size */
            REQUIRE(open_bytes(copy, size) == expected(at, longer));
            copy[at] = whole[at];
        }
}

/* A table with a good checksum but with a section out of bounds. */
static void move_section(uint64_t offset, uint64_t bytes)
{
    weights_header *h = (weights_header *)(void *)copy;
    weights_entry *e = (weights_entry *)(void *)(copy + sizeof *h);
    const weights_entry before = e[1];
    const uint64_t checksum = h->table_checksum;
    e[1].offset = offset, e[1].bytes = bytes;
    h->table_checksum = checksum_bytes(e, h->sections * sizeof *e);
    REQUIRE(open_bytes(copy, size) == MODEL_CORRUPT);
    e[1] = before;
    h->table_checksum = checksum;
}

static void damage_sections(void)
{
    const weights_header *h = (const weights_header *)(const void *)whole;
    const weights_entry *e = (const weights_entry *)(const void *)(whole + sizeof *h);
    for (uint32_t i = 0; i < h->sections; i++)
        for (int part = 0; part < 3; part++) {
            const size_t at = e[i].offset + (part == 0 ? 0 : part == 1 ? e[i].bytes / 2 : e[i].bytes - 1);
            copy[at] ^= 0x10;
            model_model *m;
            REQUIRE(model_open_memory(&m, copy, size) == MODEL_OK && model_verify(m) == MODEL_CORRUPT);
            copy[at] = whole[at];
            REQUIRE(model_verify(m) == MODEL_OK);
            model_close(m);
        }
}

static void truncate_it(const char *folder)
{
    static unsigned char nothing;
    REQUIRE(open_file(folder, &nothing, 0) == MODEL_NOT_WEIGHTS);
    for (size_t n = 1; n < size; n += n < 400 ? 1 : size / 50) {
        REQUIRE(open_bytes(copy, n) == MODEL_TRUNCATED);
        REQUIRE(open_file(folder, copy, n) == MODEL_TRUNCATED);
    }
    REQUIRE(open_bytes(copy, size - 1) == MODEL_TRUNCATED && open_bytes(copy, size + 1) == MODEL_CORRUPT);
}

static void check_messages(void)
{
    for (int s = 0; s <= MODEL_THREADS; s++) {
        REQUIRE(strlen(model_status_text((model_status)s)) > 3);
        for (int other = 0; other < s; other++) REQUIRE(strcmp(model_status_text((model_status)s), model_status_text((model_status)other)));
    }
    REQUIRE(!strcmp(model_status_text((model_status)1000), model_status_text((model_status)-1)));
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 4);
    size_t other_size;
    whole = read_file(argv[1], &size);
    copy = read_file(argv[1], &size);
    unsigned char *other = read_file(argv[2], &other_size);
    REQUIRE(open_bytes(whole, size) == MODEL_OK && open_file(argv[3], whole, size) == MODEL_OK);
    damage_header_and_table();
    damage_sections();
    move_section(size, 64);
    move_section(0, 64);
    move_section(4096 + 4, 64);
    move_section(4096, UINT64_MAX);
    move_section(UINT64_MAX / 64 * 64, 128);
    truncate_it(argv[3]);
    REQUIRE(open_bytes(other, other_size) == MODEL_WRONG_MODEL && open_file(argv[3], other, other_size) == MODEL_WRONG_MODEL);
    memmove(copy + 4, whole, size);
    REQUIRE(open_bytes(copy + 4, size) == MODEL_MISALIGNED);
    REQUIRE(model_open(&(model_model *){ NULL }, argv[3]) == MODEL_NOT_FOUND && model_open(&(model_model *){ NULL }, "/no/such/file") == MODEL_NOT_FOUND);
    REQUIRE(model_open(&(model_model *){ NULL }, "/dev/null") == MODEL_NOT_FOUND && model_open(&(model_model *){ NULL }, NULL) == MODEL_NOT_FOUND);
    check_messages();
    free(whole);
    free(copy);
    free(other);
    puts("fine");
    return 0;
}
