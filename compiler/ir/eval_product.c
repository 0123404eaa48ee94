/* Matrix products in double, blocked and packed as in BLIS; modulo 2^64 for integers.
 * Each element is summed over k in one order on every CPU. Products of narrower floats are exact in double, so that typed results do not depend on
 * whether the CPU fuses multiply and add.
 * Source: Van Zee and van de Geijn, "BLIS: A Framework for Rapidly Instantiating BLAS Functionality", 2015. */
#include "eval_private.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_M = 96, BLOCK_N = 768, BLOCK_K = 256, TILE_MAX = 8 * 24 };

/* tile [rows, columns] = panel a [k, rows]ᵀ · panel b [k, columns] */
typedef void tile_kernel(int64_t k, const double *a, const double *b, double *tile);

/* Loops, not memcpy of the whole: only then do the sums stay in registers. */
#define UNROLL _Pragma("GCC unroll 8")
#define TILE_KERNEL(NAME, LANES, ROWS, VECTORS, TARGET) \
    typedef double NAME##_vector __attribute__((vector_size(LANES * 8))); \
    TARGET static void NAME(int64_t k, const double *a, const double *b, double *tile) \
    { \
        NAME##_vector sum[ROWS][VECTORS]; \
        UNROLL for (int i = 0; i < ROWS; i++) { \
            UNROLL for (int v = 0; v < VECTORS; v++) sum[i][v] = (NAME##_vector){0}; \
        } \
        for (int64_t p = 0; p < k; p++, a += ROWS, b += LANES * VECTORS) { \
            NAME##_vector w[VECTORS]; \
            UNROLL for (int v = 0; v < VECTORS; v++) memcpy(&w[v], b + v * LANES, sizeof w[v]); \
            UNROLL for (int i = 0; i < ROWS; i++) { \
                UNROLL for (int v = 0; v < VECTORS; v++) sum[i][v] += a[i] * w[v]; \
            } \
        } \
        UNROLL for (int i = 0; i < ROWS; i++) { \
            UNROLL for (int v = 0; v < VECTORS; v++) memcpy(tile + (i * VECTORS + v) * LANES, &sum[i][v], sizeof sum[i][v]); \
        } \
    }

typedef struct tiling {
    int rows, columns;         /* they divide BLOCK_M and BLOCK_N */
    tile_kernel *kernel;
} tiling;

TILE_KERNEL(tile_any, 2, 4, 2, )
#if defined(__x86_64__)
TILE_KERNEL(tile_avx2, 4, 6, 2, __attribute__((target("avx2,fma"))))
TILE_KERNEL(tile_avx512, 8, 8, 3, __attribute__((target("avx512f"))))
#endif

static tiling tiling_of_cpu(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return (tiling){8, 24, tile_avx512};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return (tiling){6, 8, tile_avx2};
#endif
    return (tiling){4, 4, tile_any};
}

/* Elements (start + i * across + p * along), i < count, p < k, as panels [k][width]; the last is filled with zeros. */
static void pack(elem stored, const void *data, int64_t start, int64_t across, int64_t along, int64_t count, int64_t k, int width, double *to)
{
    double run[BLOCK_K];
    for (int64_t i = 0; i < count; i += width, to += k * width) {
        int used = count - i < width ? (int)(count - i) : width;
        int64_t at = start + i * across;
        if (used < width) memset(to, 0, (size_t)(k * width) * sizeof *to);
        if (across == 1) {
            for (int64_t p = 0; p < k; p++) eval_load_floats(stored, data, at + p * along, 1, used, to + p * width);
        } else {
            for (int j = 0; j < used; j++) {
                eval_load_floats(stored, data, at + j * across, along, k, run);
                for (int64_t p = 0; p < k; p++) to[p * width + j] = run[p];
            }
        }
    }
}

/* sum [m, n], rows `pitch` apart, += packed a [m, k] · packed b [k, n] */
static void multiply_block(const tiling *t, int64_t m, int64_t n, int64_t k, const double *a, const double *b, double *sum, int64_t pitch)
{
    double tile[TILE_MAX];
    for (int64_t j = 0; j < n; j += t->columns) {
        int64_t columns = n - j < t->columns ? n - j : t->columns;
        for (int64_t i = 0; i < m; i += t->rows) {
            int64_t rows = m - i < t->rows ? m - i : t->rows;
            t->kernel(k, a + i * k, b + j * k, tile);
            for (int64_t r = 0; r < rows; r++) {
                double *to = sum + (i + r) * pitch + j;
                for (int64_t s = 0; s < columns; s++) to[s] += tile[r * t->columns + s];
            }
        }
    }
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void multiply_floats(const tiling *t, int64_t m, int64_t n, int64_t k, const eval_matrix *a, const eval_matrix *b, double *sum, double *panels_a,
                            double *panels_b)
{
    for (int64_t j = 0; j < n; j += BLOCK_N) {
        int64_t columns = least(n - j, BLOCK_N);
        for (int64_t p = 0; p < k; p += BLOCK_K) {
            int64_t depth = least(k - p, BLOCK_K);
            pack(b->stored, b->data, b->start + p * b->row + j * b->column, b->column, b->row, columns, depth, t->columns, panels_b);
            for (int64_t i = 0; i < m; i += BLOCK_M) {
                int64_t rows = least(m - i, BLOCK_M);
                pack(a->stored, a->data, a->start + i * a->row + p * a->column, a->row, a->column, rows, depth, t->rows, panels_a);
                multiply_block(t, rows, columns, depth, panels_a, panels_b, sum + i * n + j, n);
            }
        }
    }
}

/* One row, in the same order: each block of k is summed by itself. line, part: [n] */
static void multiply_row(int64_t n, int64_t k, const eval_matrix *a, const eval_matrix *b, double *sum, double *line, double *part)
{
    for (int64_t first = 0; first < k; first += BLOCK_K) {
        memset(part, 0, (size_t)n * sizeof *part);
        for (int64_t p = first; p < least(k, first + BLOCK_K); p++) {
            double x;
            eval_load_floats(a->stored, a->data, a->start + p * a->column, 1, 1, &x);
            eval_load_floats(b->stored, b->data, b->start + p * b->row, b->column, n, line);
            for (int64_t j = 0; j < n; j++) part[j] += x * line[j];
        }
        for (int64_t j = 0; j < n; j++) sum[j] += part[j];
    }
}

/* line: [n] */
static void multiply_integers(int64_t m, int64_t n, int64_t k, const eval_matrix *a, const eval_matrix *b, int64_t *sum, int64_t *line)
{
    for (int64_t p = 0; p < k; p++) {
        eval_load_integers(b->stored, b->data, b->start + p * b->row, b->column, n, line);
        for (int64_t i = 0; i < m; i++) {
            int64_t x;
            eval_load_integers(a->stored, a->data, a->start + i * a->row + p * a->column, 1, 1, &x);
            int64_t *to = sum + i * n;
            for (int64_t j = 0; j < n; j++) to[j] = (int64_t)((uint64_t)to[j] + (uint64_t)x * (uint64_t)line[j]);
        }
    }
}

status eval_product(const eval_context *c, const ir_node *node, int64_t m, int64_t n, int64_t k, const eval_matrix *a, const eval_matrix *b,
                    elem stored, void *sum)
{
    if (m == 0 || n == 0) return STATUS_OK;
    memset(sum, 0, (size_t)(m * n) * sizeof(double));
    if (k == 0) return STATUS_OK;
    if (stored == ELEM_I64) {
        int64_t *line = eval_allocate(n, sizeof *line);
        if (!line) return eval_out_of_memory(c, node);
        multiply_integers(m, n, k, a, b, sum, line);
        free(line);
        return STATUS_OK;
    }
    if (m == 1) {
        double *line = eval_allocate(2 * n, sizeof *line);
        if (!line) return eval_out_of_memory(c, node);
        multiply_row(n, k, a, b, sum, line, line + n);
        free(line);
        return STATUS_OK;
    }
    tiling t = tiling_of_cpu();
    int64_t depth = least(k, BLOCK_K), rows = least(m, BLOCK_M) + t.rows, columns = least(n, BLOCK_N) + t.columns;
    double *panels_a = eval_allocate(depth * rows, sizeof *panels_a), *panels_b = eval_allocate(depth * columns, sizeof *panels_b);
    status s = panels_a && panels_b ? STATUS_OK : eval_out_of_memory(c, node);
    if (s == STATUS_OK) multiply_floats(&t, m, n, k, a, b, sum, panels_a, panels_b);
    free(panels_a);
    free(panels_b);
    return s;
}

int64_t eval_rows_at_once(int64_t rows, int64_t columns)
{
    int64_t block = ((int64_t)1 << 21) / (columns > 0 ? columns : 1);
    return least(block < BLOCK_M ? BLOCK_M : block, rows);
}
