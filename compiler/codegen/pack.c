/* One section of the weights file: a constant, evaluated and packed for the kernel that reads it. */
#include "codegen_private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../ir/eval.h"

/* Room for `size` bytes, whose contents are lost. Large ones lie in large pages: touching fresh memory costs more than what is done with it. */
static status make_room(section_bytes *s, size_t size)
{
    if (size > s->room_size || !s->room) {
        free(s->room);
        s->room_size = (size + LARGE_PAGE) / LARGE_PAGE * LARGE_PAGE;
        s->room = aligned_alloc(LARGE_PAGE, s->room_size);
        if (!s->room) return STATUS_MEMORY;
        if (size >= LARGE_PAGE) madvise(s->room, s->room_size, MADV_HUGEPAGE);
    }
    s->bytes = s->room;
    s->size = size;
    return STATUS_OK;
}

/* w [K, N] into blocks of `block` columns, each [K][columns of the block]: these rows of w, from row `first` on.
 * They may lie unaligned. */
static void pack_rows(const void *w, int64_t first, int64_t rows, float *to, int64_t k, int64_t n, int64_t block)
{
    for (int64_t j = 0; j < n; j += block) {
        const int64_t width = n - j < block ? n - j : block;
        float *line = to + j * k + first * width;
        for (int64_t i = 0; i < rows; i++) memcpy(line + i * width, (const char *)w + (size_t)(i * n + j) * sizeof *to, (size_t)width * sizeof *to);
    }
}

/* G g of three weights `apart` apart, as templates/winograd_f32.h has it. */
static void winograd_line(const double *g, int apart, double *to)
{
    const double even = g[0] + g[2 * apart], odd = g[apart];
    to[0] = g[0], to[1] = (even + odd) / 2, to[2] = (even - odd) / 2, to[3] = g[2 * apart];
}

/* w [9 C, N], places of a 3 x 3 window outermost, to [16 C, N]: G g G' of each channel's places. */
static void winograd(const float *w, float *to, int64_t inputs, int64_t n)
{
    const int64_t size = inputs / 9 * n;
    for (int64_t i = 0; i < size; i++) {
        double place[9], half[3 * 4], whole[4];
        for (int p = 0; p < 9; p++) place[p] = (double)w[p * size + i];
        for (int x = 0; x < 3; x++) winograd_line(place + x, 3, half + 4 * x);
        for (int y = 0; y < 4; y++) {
            winograd_line(half + y, 4, whole);
            for (int x = 0; x < 4; x++) to[(4 * y + x) * size + i] = (float)whole[x];
        }
    }
}

/* So many rows at a time that they stay in the second-level cache from being computed to being packed. */
static status pack(const eval_reader *r, section_bytes *to, int64_t block)
{
    enum { NEAR_BYTES = 256 << 10 };
    const int64_t k = r->value.shape[0], n = r->value.shape[1], line = n * 4, at_once = line > 0 && line < NEAR_BYTES ? NEAR_BYTES / line : 1;
    float *room = malloc((size_t)(at_once * n + 1) * sizeof *room);
    const void *w;
    status fine = room ? make_room(to, (size_t)(k * n) * sizeof *room) : STATUS_MEMORY;
    for (int64_t i = 0; i < k && fine == STATUS_OK; i += at_once) {
        const int64_t rows = k - i < at_once ? k - i : at_once;
        fine = eval_reader_read(r, i * n, rows * n, room, &w);
        if (fine == STATUS_OK) pack_rows(w, i, rows, to->room, k, n, block);
    }
    free(room);
    return fine;
}

static status pack_winograd(const eval_reader *r, section_bytes *to, int64_t block)
{
    const int64_t k = r->value.shape[0], n = r->value.shape[1], tiles = k / 9 * 16;
    float *room = malloc((size_t)(k * n + 1) * sizeof *room), *transformed = malloc((size_t)(tiles * n + 1) * sizeof *room);
    status fine = room && transformed ? make_room(to, (size_t)(tiles * n) * sizeof *room) : STATUS_MEMORY;
    if (fine == STATUS_OK) fine = eval_reader_copy(r, room);
    if (fine == STATUS_OK) {
        winograd(room, transformed, k, n);
        pack_rows(transformed, 0, tiles, to->room, tiles, n, block);
    }
    free(room);
    free(transformed);
    return fine;
}

/* A const's bytes stay in the model's file. */
static status take_plain(const eval_reader *r, section_bytes *to, bool is_const)
{
    const size_t size = (size_t)r->value.elements * elem_size(r->value.elem);
    if (is_const) {
        to->size = size;
        return eval_reader_read(r, 0, r->value.elements, NULL, &to->bytes);
    }
    const status fine = make_room(to, size);
    return fine == STATUS_OK ? eval_reader_copy(r, to->room) : fine;
}

static status copy_flags(const eval_reader *r, section_bytes *to)
{
    eval_tensor t = r->value;
    t.data = malloc((size_t)t.elements * elem_size(t.elem) + 1);
    status fine = t.data ? make_room(to, (size_t)t.elements * sizeof(float)) : STATUS_MEMORY;
    if (fine == STATUS_OK) fine = eval_reader_copy(r, t.data);
    for (int64_t i = 0; fine == STATUS_OK && i < t.elements; i++) ((float *)to->room)[i] = eval_integer(EVAL_TYPED, &t, i) ? 1 : 0;
    eval_free(&t);
    return fine;
}

status codegen_pack(const codegen *g, const section *s, section_bytes *to, diag *d)
{
    eval_reader r;
    status fine = eval_reader_open(&r, s->value, g->plan->symbol, d);
    if (fine == STATUS_OK) {
        switch (s->layout) {
        case LAYOUT_PLAIN: fine = take_plain(&r, to, ir_is_const(s->value)); break;
        case LAYOUT_PACKED: fine = pack(&r, to, s->block); break;
        case LAYOUT_WINOGRAD: fine = pack_winograd(&r, to, s->block); break;
        case LAYOUT_FLAGS: fine = copy_flags(&r, to); break;
        }
    }
    eval_reader_close(&r);
    return fine;
}

void codegen_release(section_bytes *s)
{
    free(s->room);
    *s = (section_bytes){ 0 };
}
