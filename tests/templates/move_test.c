/* Moves: random digits, negative steps, expansions and rolls, in ranges, for each element size. */
#include "level_test.h"

#include "move.h"
#include "move_reference.h"

static int whole(int low, int high)
{
    const int n = (int)test_random((float)low, (float)high + .999f);
    return n > high ? high : n;
}

static size_t elements_of(const move_shape *m)
{
    size_t n = 1;
    for (int d = 0; d < m->digits; d++) n *= m->extent[d];
    return n;
}

/* A random move within its source; *size: the source's elements. */
static move_shape random_move(size_t *size)
{
    move_shape m = { .digits = whole(0, 5), .rank = whole(1, 4) };
    ptrdiff_t low[MOVE_SHAPE_RANK] = { 0 }, high[MOVE_SHAPE_RANK] = { 0 };
    for (int d = 0; d < m.digits; d++) {
        m.extent[d] = (size_t)whole(1, 6);
        m.axis[d] = whole(-1, m.rank - 1);
        m.step[d] = d == m.digits - 1 && whole(0, 1) ? 1 : whole(-3, 3);
        if (m.axis[d] < 0) continue;
        const ptrdiff_t reach = (ptrdiff_t)(m.extent[d] - 1) * m.step[d];
        *(reach < 0 ? &low[m.axis[d]] : &high[m.axis[d]]) += reach;
    }
    *size = 1;
    for (int a = m.rank - 1; a >= 0; a--) {
        ptrdiff_t extent = high[a] - low[a] + 1 + whole(0, 2);
        m.offset[a] = -low[a];
        if (whole(0, 2) == 0) {
            extent = whole(1, 5);
            m.wrap[a] = extent;
            m.offset[a] = whole(-7, 7);
        }
        m.stride[a] = (ptrdiff_t)*size;
        *size *= (size_t)extent;
    }
    return m;
}

static void check(const move_shape *m, size_t source_size, size_t element, size_t first, size_t last)
{
    const size_t bytes = (source_size * element + 3) / 4;
    floats source = floats_random(bytes, -1, 1), target = floats_new(((last - first) * element + 3) / 4);
    unsigned char *to = (unsigned char *)(target.data + target.n) - (last - first) * element;
    const unsigned char *from = (const unsigned char *)source.data;
    switch (element) {
    case 1: move_elements(m, 1, from, to, first, last); break;
    case 2: move_elements(m, 2, from, to, first, last); break;
    case 4: move_elements(m, 4, from, to, first, last); break;
    default: move_elements(m, 8, from, to, first, last);
    }
    for (size_t i = first; i < last; i++) assert_memory_equal(to + (i - first) * element, from + move_index_reference(m, i) * element, element);
    floats_free(source);
    floats_free(target);
}

static void test_random_moves(void **state)
{
    (void)state;
    for (int i = 0; i < 1500; i++) {
        size_t size;
        const move_shape m = random_move(&size);
        const size_t all = elements_of(&m), first = (size_t)whole(0, (int)all), last = first + (size_t)whole(0, (int)(all - first));
        check(&m, size, (size_t)1 << (i % 4), 0, all);
        check(&m, size, (size_t)1 << (i % 4), first, last);
    }
}

/* Patches of an image: [3,224,224] to [196, 3 * 16 * 16]. */
static void test_patches(void **state)
{
    (void)state;
    const move_shape m = { .digits = 5, .rank = 3, .extent = { 14, 14, 3, 16, 16 }, .axis = { 1, 2, 0, 1, 2 }, .step = { 16, 16, 1, 1, 1 },
                           .stride = { 224 * 224, 224, 1 } };
    check(&m, 3 * 224 * 224, 4, 0, 196 * 768);
    check(&m, 3 * 224 * 224, 4, 50 * 768, 99 * 768);
}

#include "level_end.h"

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_moves), cmocka_unit_test(test_patches) };
    return RUN_AT_LEVEL(tests);
}
