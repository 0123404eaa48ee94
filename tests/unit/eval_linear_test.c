/* linear, mlp, matmul, attention and conv against plain loops. */
#include "eval_fixture.h"

static const elem floats[] = {ELEM_F32, ELEM_F64, ELEM_F16, ELEM_BF16};

static const expr *parse(fixture *f, const char *text, int inputs, elem e)
{
    elem type[OPERANDS_MAX] = {e, e, e, e};
    const char *end, *error = NULL;
    const expr *x = expr_parse(f->arena, text, &end, type, inputs, &error);
    if (!x) fail_msg("%s: %s", text, error);
    return x;
}

static double rounded(const fixture *f, elem e, double x)
{
    if (f->mode == EVAL_DOUBLE || e == ELEM_F64) return x;
    return e == ELEM_F32 ? (double)(float)x : e == ELEM_F16 ? (double)eval_from_f16(eval_to_f16(x)) : (double)eval_from_bf16(eval_to_bf16(x));
}

/* sum [m, n] = a [m, k] b [k, n] + c [n] */
static void plain_product(int m, int n, int k, const double *a, const double *b, const double *c, double *sum)
{
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++) {
            sum[i * n + j] = c ? c[j] : 0;
            for (int p = 0; p < k; p++) sum[i * n + j] += a[i * k + p] * b[p * n + j];
        }
    }
}

static ir_node *begin(fixture *f, ir_op op, int inputs, ir_value *const *input)
{
    ir_node *n = ir_begin(f->g, op);
    for (int i = 0; i < inputs; i++) ir_input(n, input[i]);
    return n;
}

static void linear_of_size(int variant, elem e, int m, int n, int k)
{
    fixture *f = fixture_new(variant);
    double *x = random_numbers(f, (int64_t)m * k), *w = random_numbers(f, (int64_t)k * n), *b = random_numbers(f, n);
    double *expected = arena_array(f->arena, (size_t)(m * n), sizeof *expected);
    plain_product(m, n, k, x, w, b, expected);
    ir_value *in[3] = {operand(f, e, SHAPE(m, k), x), operand(f, e, SHAPE(k, n), w), operand(f, e, SHAPE(n), b)};
    expect(f, add(begin(f, IR_LINEAR, 3, in), f), e, SHAPE(m, n), expected);
}

/* Sizes on both sides of every block and tile. */
static void linear_sizes(void **unused)
{
    (void)unused;
    static const int size[][3] = {{1, 1, 1}, {5, 7, 3}, {8, 24, 256}, {97, 23, 257}, {3, 769, 2}, {100, 25, 300}};
    for (int i = 0; i < COUNT(size); i++) {
        for (int variant = 0; variant < VARIANTS; variant++) linear_of_size(variant, ELEM_F32, size[i][0], size[i][1], size[i][2]);
    }
    for (int i = 0; i < COUNT(floats); i++) {
        for (int variant = 0; variant < VARIANTS; variant++) linear_of_size(variant, floats[i], 6, 9, 40);
    }
}

/* Three axes, no bias, an epilogue with an input that broadcasts: each of its steps rounds. */
static void linear_epilogue(void **unused)
{
    (void)unused;
    enum { A = 2, B = 3, K = 5, N = 4 };
    for (int variant = 0; variant < VARIANTS; variant++) {
        for (int t = 0; t < COUNT(floats); t++) {
            elem e = floats[t];
            fixture *f = fixture_new(variant);
            double *x = random_numbers(f, A * B * K), *w = random_numbers(f, K * N), *r = random_numbers(f, B * N), expected[A * B * N];
            plain_product(A * B, N, K, x, w, NULL, expected);
            for (int i = 0; i < A * B * N; i++) {
                double y = rounded(f, e, expected[i]);
                expected[i] = rounded(f, e, (y < 0 ? 0 : y) + r[i % (B * N)]);
            }
            ir_value *in[4] = {operand(f, e, SHAPE(A, B, K), x), operand(f, e, SHAPE(K, N), w), NULL, operand(f, e, SHAPE(B, N), r)};
            ir_node *n = begin(f, IR_LINEAR, 4, in);
            ir_set_expr(n, KEY_EPILOGUE, parse(f, "add(relu(in0), in1)", 2, e));
            expect(f, add(n, f), e, SHAPE(A, B, N), expected);
        }
    }
}

/* Weights of another type than the activations, at an odd address. They get it after the node is built, as from a pass that chooses types. */
static void linear_bf16_weights(void **unused)
{
    (void)unused;
    enum { M = 3, K = 4, N = 2 };
    const double w[K * N] = {1, 0.5, -0.25, 3.140625, 2, -1, 0, 96};
    for (int mode = EVAL_TYPED; mode <= EVAL_DOUBLE; mode++) {
        fixture *f = fixture_new(mode == EVAL_TYPED ? 1 : 3);
        double *x = random_numbers(f, M * K), expected[M * N];
        for (int i = 0; i < M * K; i++) x[i] = (double)(float)(x[i] + 1e-3);
        plain_product(M, N, K, x, w, NULL, expected);
        ir_value *in[2] = {parameter(f, ELEM_F32, SHAPE(M, K), x), constant(f, ELEM_BF16, SHAPE(K, N), w)};
        in[1]->type.elem = ELEM_F32;
        ir_value *y = add(begin(f, IR_LINEAR, 2, in), f);
        in[1]->type.elem = ELEM_BF16;
        expect(f, y, ELEM_F32, SHAPE(M, N), expected);
    }
}

/* A NaN or infinity in one row stays in that row. */
static void linear_nan(void **unused)
{
    (void)unused;
    const double nan_ = (double)NAN, inf = (double)INFINITY;
    for (int variant = 0; variant < VARIANTS; variant++) {
        fixture *f = fixture_new(variant);
        ir_value *in[2] = {operand(f, ELEM_F32, SHAPE(3, 2), NUMBERS(1, 2, nan_, 1, inf, 1)), operand(f, ELEM_F32, SHAPE(2, 2), NUMBERS(1, 0, 2, 1))};
        expect(f, add(begin(f, IR_LINEAR, 2, in), f), ELEM_F32, SHAPE(3, 2), NUMBERS(5, 2, nan_, nan_, inf, nan_));
    }
}

static void mlp_of(int variant, bool gated)
{
    enum { M = 7, K = 6, H = 5, N = 3 };
    int width = gated ? 2 * H : H;
    fixture *f = fixture_new(variant);
    double *x = random_numbers(f, M * K), *w1 = random_numbers(f, K * width), *b1 = random_numbers(f, width);
    double *w2 = random_numbers(f, H * N), *r = random_numbers(f, M * N);
    double up[M * 2 * H], hidden[M * H], expected[M * N];
    plain_product(M, width, K, x, w1, b1, up);
    for (int i = 0; i < M; i++) {
        for (int j = 0; j < H; j++) {
            double a = rounded(f, ELEM_F32, up[i * width + j]), g = a < 0 ? 0 : a;
            hidden[i * H + j] = gated ? rounded(f, ELEM_F32, g * rounded(f, ELEM_F32, up[i * width + H + j])) : g;
        }
    }
    plain_product(M, N, H, hidden, w2, NULL, expected);
    for (int i = 0; i < M * N; i++) expected[i] = rounded(f, ELEM_F32, rounded(f, ELEM_F32, expected[i]) + r[i]);
    ir_value *in[6] = {operand(f, ELEM_F32, SHAPE(M, K), x), operand(f, ELEM_F32, SHAPE(K, width), w1), operand(f, ELEM_F32, SHAPE(width), b1),
                       operand(f, ELEM_F32, SHAPE(H, N), w2), NULL, operand(f, ELEM_F32, SHAPE(M, N), r)};
    ir_node *n = begin(f, IR_MLP, 6, in);
    ir_set_expr(n, KEY_EXPR, gated ? parse(f, "mul(relu(in0), in1)", 2, ELEM_F32) : parse(f, "relu(in0)", 1, ELEM_F32));
    ir_set_expr(n, KEY_EPILOGUE, parse(f, "add(in0, in1)", 2, ELEM_F32));
    expect(f, add(n, f), ELEM_F32, SHAPE(M, N), expected);
}

static void mlp(void **unused)
{
    (void)unused;
    for (int variant = 0; variant < VARIANTS; variant++) {
        mlp_of(variant, false);
        mlp_of(variant, true);
    }
}

static void matmul_batches(void **unused)
{
    (void)unused;
    enum { A = 2, B = 3, M = 4, K = 5, N = 6 };
    for (int variant = 0; variant < VARIANTS; variant++) {
        fixture *f = fixture_new(variant);
        double *x = random_numbers(f, A * M * K), *y = random_numbers(f, B * K * N), expected[A * B * M * N];
        for (int a = 0; a < A; a++) {
            for (int b = 0; b < B; b++) plain_product(M, N, K, x + a * M * K, y + b * K * N, NULL, expected + (a * B + b) * M * N);
        }
        ir_value *in[2] = {operand(f, ELEM_F32, SHAPE(A, 1, M, K), x), operand(f, ELEM_F32, SHAPE(B, K, N), y)};
        expect(f, add(begin(f, IR_MATMUL, 2, in), f), ELEM_F32, SHAPE(A, B, M, N), expected);
    }
}

/* Integers wrap; in double mode as well. */
static void matmul_integers(void **unused)
{
    (void)unused;
    for (int variant = 0; variant < VARIANTS; variant++) {
        fixture *f = fixture_new(variant);
        ir_value *in[2] = {operand(f, ELEM_I32, SHAPE(2, 2), NUMBERS(1, -2, 65536, 3)), operand(f, ELEM_I32, SHAPE(2, 2), NUMBERS(5, 65536, 7, -1))};
        expect(f, add(begin(f, IR_MATMUL, 2, in), f), ELEM_I32, SHAPE(2, 2), NUMBERS(-9, 65538, 327701, -3));
    }
}

/* ---- attention ---- */

enum { B = 2, TQ = 3, TK = 4, H = 4, G = 2, D = 3, E = 2 };

typedef struct masking {
    const double *mask;        /* added, [H, TQ, TK]; NULL: none */
    bool causal;
} masking;

/* Rows all -inf come out as NaN. */
static void plain_attention(const double *q, const double *k, const double *v, double scale, masking m, double *out, double *weights)
{
    for (int b = 0; b < B; b++) for (int h = 0; h < H; h++) for (int i = 0; i < TQ; i++) {
        double *p = weights + ((b * H + h) * TQ + i) * TK, sum = 0, largest = (double)-INFINITY;
        int g = h / (H / G);
        for (int j = 0; j < TK; j++) {
            p[j] = 0;
            for (int d = 0; d < D; d++) p[j] += q[((b * TQ + i) * H + h) * D + d] * k[((b * TK + j) * G + g) * D + d];
            p[j] = p[j] * scale + (m.mask ? m.mask[(h * TQ + i) * TK + j] : 0);
            if (m.causal && j > i + TK - TQ) p[j] = (double)-INFINITY;
            largest = fmax(largest, p[j]);
        }
        for (int j = 0; j < TK; j++) sum += p[j] = exp(p[j] - largest);
        for (int e = 0; e < E; e++) {
            double *o = out + ((b * TQ + i) * H + h) * E + e;
            *o = 0;
            for (int j = 0; j < TK; j++) *o += p[j] / sum * v[((b * TK + j) * G + g) * E + e];
        }
        for (int j = 0; j < TK; j++) p[j] /= sum;
    }
}

typedef struct heads { double *q, *k, *v; ir_value *in[4]; } heads;

static heads random_heads(fixture *f, elem e)
{
    heads h = {random_numbers(f, B * TQ * H * D), random_numbers(f, B * TK * G * D), random_numbers(f, B * TK * G * E), {0}};
    h.in[0] = operand(f, e, SHAPE(B, TQ, H, D), h.q);
    h.in[1] = operand(f, e, SHAPE(B, TK, G, D), h.k);
    h.in[2] = operand(f, e, SHAPE(B, TK, G, E), h.v);
    return h;
}

static ir_node *attention_node(fixture *f, const heads *h, double scale, bool causal)
{
    ir_node *n = begin(f, IR_ATTENTION, h->in[3] ? 4 : 3, h->in);
    ir_set_number(n, KEY_SCALE, scale);
    if (causal) ir_set_int(n, KEY_CAUSAL, 1);
    return n;
}

static void attention_grouped(void **unused)
{
    (void)unused;
    double out[B * TQ * H * E], weights[B * H * TQ * TK];
    for (int variant = 0; variant < VARIANTS; variant++) {
        for (int causal = 0; causal < 2; causal++) {
            for (int t = 0; t < COUNT(floats); t++) {
                fixture *f = fixture_new(variant);
                heads h = random_heads(f, floats[t]);
                plain_attention(h.q, h.k, h.v, 0.5, (masking){NULL, causal != 0}, out, weights);
                expect(f, add(attention_node(f, &h, 0.5, causal != 0), f), floats[t], SHAPE(B, TQ, H, E), out);
            }
        }
    }
}

/* A float mask [H, TQ, TK] and the same as bool; the third query of head 1 sees nothing. */
static void attention_masks(void **unused)
{
    (void)unused;
    double mask[H * TQ * TK], allowed[H * TQ * TK], out[B * TQ * H * E], weights[B * H * TQ * TK];
    for (int i = 0; i < H * TQ * TK; i++) {
        allowed[i] = i % 3 != 0 && i / TK != TQ + 2;
        mask[i] = allowed[i] != 0 ? 0 : (double)-INFINITY;
    }
    for (int variant = 0; variant < VARIANTS; variant++) {
        for (int kind = 0; kind < 4; kind++) {
            bool is_bool = kind % 2 != 0, zero = kind / 2 != 0;
            fixture *f = fixture_new(variant);
            heads h = random_heads(f, ELEM_F32);
            plain_attention(h.q, h.k, h.v, 1, (masking){mask, false}, out, weights);
            for (int i = 0; zero && i < COUNT(out); i++) out[i] = isnan(out[i]) ? 0 : out[i];
            h.in[3] = operand(f, is_bool ? ELEM_BOOL : ELEM_F32, SHAPE(H, TQ, TK), is_bool ? allowed : mask);
            ir_node *n = attention_node(f, &h, 1, false);
            if (zero) ir_set_name(n, KEY_EMPTY, "zero");
            assert_true(zero || isnan(out[(2 * H + 1) * E]));
            expect(f, add(n, f), ELEM_F32, SHAPE(B, TQ, H, E), out);
        }
    }
}

/* Keys as [B, G, d, T] with a column too many. */
static void attention_transposed(void **unused)
{
    (void)unused;
    double out[B * TQ * H * E], weights[B * H * TQ * TK], turned[B * G * D * (TK + 1)];
    for (int variant = 0; variant < VARIANTS; variant++) {
        fixture *f = fixture_new(variant);
        heads h = random_heads(f, ELEM_F32);
        for (int b = 0; b < B; b++) for (int g = 0; g < G; g++) for (int d = 0; d < D; d++) for (int j = 0; j <= TK; j++) {
            turned[((b * G + g) * D + d) * (TK + 1) + j] = j < TK ? h.k[((b * TK + j) * G + g) * D + d] : (double)NAN;
        }
        plain_attention(h.q, h.k, h.v, 0.5, (masking){NULL, false}, out, weights);
        h.in[1] = operand(f, ELEM_F32, SHAPE(B, G, D, TK + 1), turned);
        ir_node *n = attention_node(f, &h, 0.5, false);
        ir_set_int(n, KEY_TRANSPOSED, 1);
        expect(f, add(n, f), ELEM_F32, SHAPE(B, TQ, H, E), out);
    }
}

/* The softmax as a second output. */
static void attention_weights(void **unused)
{
    (void)unused;
    double out[B * TQ * H * E], weights[B * H * TQ * TK];
    for (int variant = 0; variant < VARIANTS; variant++) {
        fixture *f = fixture_new(variant);
        heads h = random_heads(f, ELEM_F32);
        plain_attention(h.q, h.k, h.v, 0.5, (masking){NULL, true}, out, weights);
        ir_node *n = attention_node(f, &h, 0.5, true);
        n->outputs = 2;
        add(n, f);
        expect(f, n->output[1], ELEM_F32, SHAPE(B, H, TQ, TK), weights);
    }
}

/* ---- conv ---- */

typedef struct window { int in, out, size, begin, end, stride, dilation; } window;

/* One image, two spatial axes, groups. */
static void plain_conv(int channels, int features, int groups, window y, window x, const double *image, const double *w, const double *bias,
                       double *out)
{
    int per_group = channels / groups;
    for (int m = 0; m < features; m++) for (int i = 0; i < y.out; i++) for (int j = 0; j < x.out; j++) {
        double sum = bias ? bias[m] : 0;
        for (int c = 0; c < per_group; c++) for (int p = 0; p < y.size; p++) for (int q = 0; q < x.size; q++) {
            int a = i * y.stride - y.begin + p * y.dilation, b = j * x.stride - x.begin + q * x.dilation;
            if (a < 0 || a >= y.in || b < 0 || b >= x.in) continue;
            sum += image[((m / (features / groups) * per_group + c) * y.in + a) * x.in + b] * w[((m * per_group + c) * y.size + p) * x.size + q];
        }
        out[(m * y.out + i) * x.out + j] = sum;
    }
}

static void conv_of(int variant, int images, int channels, int features, int groups, window y, window x, bool bias)
{
    fixture *f = fixture_new(variant);
    double *image = random_numbers(f, images * channels * y.in * x.in), *w = random_numbers(f, features * channels / groups * y.size * x.size);
    double *b = random_numbers(f, features), *expected = arena_array(f->arena, (size_t)(images * features * y.out * x.out), sizeof *expected);
    for (int i = 0; i < images; i++) {
        plain_conv(channels, features, groups, y, x, image + i * channels * y.in * x.in, w, bias ? b : NULL, expected + i * features * y.out * x.out);
    }
    ir_value *in[3] = {operand(f, ELEM_F32, SHAPE(images, channels, y.in, x.in), image),
                       operand(f, ELEM_F32, SHAPE(features, channels / groups, y.size, x.size), w),
                       bias ? operand(f, ELEM_F32, SHAPE(features), b) : NULL};
    ir_node *n = begin(f, IR_CONV, bias ? 3 : 2, in);
    ir_set_ints(n, KEY_PADS, (const int64_t[]){y.begin, x.begin, y.end, x.end}, 4);
    ir_set_ints(n, KEY_STRIDES, (const int64_t[]){y.stride, x.stride}, 2);
    ir_set_ints(n, KEY_DILATIONS, (const int64_t[]){y.dilation, x.dilation}, 2);
    ir_set_int(n, KEY_GROUP, groups);
    expect(f, add(n, f), ELEM_F32, SHAPE(images, features, y.out, x.out), expected);
}

static void conv(void **unused)
{
    (void)unused;
    for (int variant = 0; variant < VARIANTS; variant++) {
        conv_of(variant, 2, 3, 5, 1, (window){8, 2, 4, 0, 0, 4, 1}, (window){8, 2, 4, 0, 0, 4, 1}, true);        /* patches */
        conv_of(variant, 1, 4, 4, 4, (window){5, 5, 3, 1, 1, 1, 1}, (window){6, 6, 3, 1, 1, 1, 1}, true);        /* depthwise */
        conv_of(variant, 1, 4, 6, 2, (window){7, 3, 3, 2, 4, 3, 2}, (window){9, 5, 2, 0, 3, 2, 3}, false);       /* uneven pads, dilation */
        conv_of(variant, 1, 1, 1, 1, (window){1, 3, 1, 1, 1, 1, 1}, (window){2, 4, 1, 1, 1, 1, 1}, false);       /* windows wholly in the padding */
    }
}

static void conv_one_axis(void **unused)
{
    (void)unused;
    for (int variant = 0; variant < VARIANTS; variant++) {
        fixture *f = fixture_new(variant);
        ir_value *in[2] = {operand(f, ELEM_F32, SHAPE(1, 1, 5), NUMBERS(1, 2, 3, 4, 5)), operand(f, ELEM_F32, SHAPE(2, 1, 2), NUMBERS(1, 1, 1, -1))};
        ir_node *n = begin(f, IR_CONV, 2, in);
        ir_set_ints(n, KEY_PADS, (const int64_t[]){1, 0}, 2);
        ir_set_ints(n, KEY_STRIDES, (const int64_t[]){2}, 1);
        ir_set_ints(n, KEY_DILATIONS, (const int64_t[]){1}, 1);
        ir_set_int(n, KEY_GROUP, 1);
        expect(f, add(n, f), ELEM_F32, SHAPE(1, 2, 3), NUMBERS(1, 5, 9, -1, -1, -1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_sizes), cmocka_unit_test(linear_epilogue), cmocka_unit_test(linear_bf16_weights), cmocka_unit_test(linear_nan),
        cmocka_unit_test(mlp), cmocka_unit_test(matmul_batches), cmocka_unit_test(matmul_integers), cmocka_unit_test(attention_grouped),
        cmocka_unit_test(attention_masks), cmocka_unit_test(attention_transposed), cmocka_unit_test(attention_weights),
        cmocka_unit_test(conv), cmocka_unit_test(conv_one_axis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
