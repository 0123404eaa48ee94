/* digits: the model, phase by phase. Between phases all threads wait; within one they claim panels of rows. */
#include "digits.h"
#include "digits_kernels.h"
#include "digits_trace.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cpu.h"
#include "runtime/jit.h"
#include "runtime/team.h"
#include "runtime/weights.h"

/* The constants that are read outside the repeated blocks. */
struct constants {
    const float *w0;   /* [192,48], packed */
    const float *table1;   /* [1,16,48] */
    const float *table2;   /* [1,1,48] */
    const float *w3;   /* [48,48], packed */
    const float *b4;   /* [48] */
    const float *w5;   /* [48,48], packed */
    const float *w6;   /* [48,48], packed */
    const float *w7;   /* [48,48], packed */
    const float *b8;   /* [48] */
    const float *up_w9;   /* [48,96], packed */
    const float *up_b10;   /* [96] */
    const float *down_w11;   /* [96,48], packed */
    const float *down_b12;   /* [48] */
    const float *w13;   /* [48,10], packed */
    const float *b14;   /* [10] */
};

/* What one call of encoder_block reads. Packed: [N/block][K][block], as the matrix kernels take them. */
struct encoder_block {
    const float *w0;   /* [48,48], packed */
    const float *b1;   /* [48] */
    const float *w2;   /* [48,48], packed */
    const float *w3;   /* [48,48], packed */
    const float *w4;   /* [48,48], packed */
    const float *b5;   /* [48] */
    const float *up_w6;   /* [48,96], packed */
    const float *up_b7;   /* [96] */
    const float *down_w8;   /* [96,48], packed */
    const float *down_b9;   /* [48] */
};

struct digits_model {
    weights file;
    const struct digits_kernels *kernels;   /* of the best instruction-set level of this CPU */
    gemm_code *code[36];   /* matrix kernels; NULL: the portable one runs */
    int generated;
    struct constants constants;
    struct encoder_block encoder_block[2];
};

struct digits_session {
    const digits_model *model;
    team team;
    int64_t max_batch, group;         /* images in a run, and that a thread runs at a time, at most */
    unsigned char *frame, *scratch;   /* of each thread, for `group` images each */
    void *owned;                      /* freed when the session stops */
    _Atomic int busy;
    /* of the running call */
    int64_t batch, alone, groups;     /* images in all; those that a thread does by itself, a group at a time */
    _Atomic int64_t next;
    digits_inputs in;
    digits_outputs out;
#ifdef DIGITS_TRACE
    trace trace;
#endif
};

static void encoder_block_run(worker *w, const struct digits_model *m, const struct encoder_block *c, unsigned char *frame, unsigned char *scratch,
    const float *in0 /* [1,17,48] */,
    float *out0 /* [1,17,48] */)
{
    const struct digits_kernels *const k = m->kernels;
    float *const norm11 = (float *)(scratch + 0);   /* [1,17,48], a panel of it */
    float *const linear12 = (float *)(frame + 9408);   /* [1,17,48] */
    float *const linear14 = (float *)(scratch + 3264);   /* [1,17,48], a panel of it */
    float *const keys17 = (float *)(frame + 0);   /* [1,4,12,32] */
    float *const linear18 = (float *)(frame + 12672);   /* [1,17,48] */
    float *const attention20 = (float *)(scratch + 0);   /* [1,17,4,12], a panel of it */
    float *const linear22 = (float *)(scratch + 6528);   /* [1,17,48], a panel of it */
    float *const norm23 = (float *)(scratch + 9792);   /* [1,17,48], a panel of it */
    for (int64_t p; team_claim(w, 1, &p);) {
        const int64_t row = 0, rows = 17;
        k->norm_48(in0 + row * 48, norm11, rows);   /* 10 'node_layer_norm', 53 'node_layer_norm_2' */
        TRACE(encoder_block, 0, norm11);
        k->linear_48_to_48(m->code, norm11, c->w0, c->b1, linear12 + row * 48, rows);   /* 11 'node_MatMul_27', 12 'node_linear', 54 'node_MatMul_96' and 1 more */
        TRACE(encoder_block, 1, linear12);
        k->linear_48_to_48_v2(m->code, norm11, c->w2, linear14, rows);   /* 15 'node_MatMul_35', 16 'node_linear_1', 58 'node_MatMul_104' and 1 more */
        TRACE(encoder_block, 2, linear14);
        k->keys_4x12(linear14, keys17, row, rows);   /* 32 'node_Mul_67', 33 'node_Mul_69', 35 'node_MatMul_73' and 13 more */
        k->linear_48_to_48_v2(m->code, norm11, c->w3, linear18 + row * 48, rows);   /* 19 'node_MatMul_43', 20 'node_linear_2', 62 'node_MatMul_112' and 1 more */
        TRACE(encoder_block, 4, linear18);
    }
    team_barrier(w);
    TRACE_LATE(encoder_block, 3, keys17);
    for (int64_t p; team_claim(w, 1, &p);) {
        const int64_t row = 0, rows = 17;
        k->attention_4x12_over_17(m->code, linear12 + row * 48, keys17, linear18, attention20, (float *)(scratch + 3264), row, rows);   /* 32 'node_Mul_67', 33 'node_Mul_69', 35 'node_MatMul_73' and 13 more */
        TRACE(encoder_block, 5, attention20);
        k->linear_48_to_48_add(m->code, attention20, c->w4, c->b5, in0 + row * 48, linear22, rows);   /* 43 'node_MatMul_90', 44 'node_linear_3', 45 'node_add_117' and 3 more */
        TRACE(encoder_block, 6, linear22);
        k->norm_48(linear22, norm23, rows);   /* 46 'node_layer_norm_1', 88 'node_layer_norm_3' */
        TRACE(encoder_block, 7, norm23);
        k->mlp_48_96_48_gelu_add(m->code, norm23, c->up_w6, c->up_b7, c->down_w8, c->down_b9, linear22, (float *)(scratch + 0), out0 + row * 48, rows);   /* 47 'node_MatMul_92', 48 'node_linear_4', 49 'node_gelu' and 9 more */
        TRACE(encoder_block, 8, out0);
    }
    team_barrier(w);
}

static void phase_1(worker *w, const struct digits_model *m, const struct constants *c, unsigned char *frame, unsigned char *scratch, const digits_inputs *in)
{
    const struct digits_kernels *const k = m->kernels;
    float *const move237 = (float *)(scratch + 0);   /* [1,16,192], a panel of it */
    float *const concat440 = (float *)(frame + 6144);   /* [1,17,48] */
    for (int64_t p; team_claim(w, 1, &p);) {
        const int64_t row = 0, rows = 16;
        k->move(in->pixel_values, move237, row, rows);   /* 1 'node_conv2d' */
        TRACE(constants, 0, move237);
        k->linear_192_to_48_add(m->code, move237, c->w0, c->table1 + row * 48, concat440 + 48 + row * 48, rows);   /* 1 'node_conv2d', 2 'node_Reshape_251', 3 'node_transpose' and 1 more */
        TRACE(constants, 1, concat440 + 48);
        if (row == 0) k->concat_part(c->table2, concat440, 1);   /* 6 'node_cat', 7 'node_add_17' */
    }
    team_barrier(w);
    TRACE_LATE(constants, 2, concat440);
}

static void phase_4(worker *w, const struct digits_model *m, const struct constants *c, unsigned char *frame, unsigned char *scratch, const digits_inputs *in)
{
    const struct digits_kernels *const k = m->kernels;
    (void)c, (void)scratch, (void)in;
    float *const call459 = (float *)(frame + 6144);   /* [1,17,48] */
    float *const norm383 = (float *)(frame + 9408);   /* [1,17,48] */
    for (int64_t p; team_claim(w, 1, &p);) {
        const int64_t row = 0, rows = 17;
        k->norm_48(call459 + row * 48, norm383 + row * 48, rows);   /* 95 'node_layer_norm_4' */
        TRACE(constants, 3, norm383);
    }
    team_barrier(w);
}

static void phase_5(worker *w, const struct digits_model *m, const struct constants *c, unsigned char *frame, unsigned char *scratch, const digits_inputs *in)
{
    const struct digits_kernels *const k = m->kernels;
    (void)scratch, (void)in;
    float *const norm383 = (float *)(frame + 9408);   /* [1,17,48] */
    float *const linear442 = (float *)(frame + 15936);   /* [1,1,48] */
    float *const linear422 = (float *)(frame + 12672);   /* [1,17,48] */
    for (int64_t p; team_claim(w, 1, &p);) {
        const int64_t row = 0, rows = 1;
        k->linear_48_to_48_v3(m->code, norm383 + row * 48, c->w3, c->b4, linear442 + row * 48, rows);   /* 96 'node_MatMul_162', 97 'node_linear_12' */
        TRACE(constants, 4, linear442);
        k->linear_48_to_48_v2(m->code, norm383 + row * 816, c->w5, linear422 + row * 816, rows * 17);   /* 100 'node_MatMul_170', 101 'node_linear_13' */
        TRACE(constants, 5, linear422);
    }
    team_barrier(w);
}

static void phase_6(worker *w, const struct digits_model *m, const struct constants *c, unsigned char *frame, unsigned char *scratch, const digits_inputs *in)
{
    const struct digits_kernels *const k = m->kernels;
    (void)scratch, (void)in;
    float *const keys457 = (float *)(frame + 0);   /* [1,4,12,32] */
    float *const linear422 = (float *)(frame + 12672);   /* [1,17,48] */
    float *const norm383 = (float *)(frame + 9408);   /* [1,17,48] */
    float *const linear431 = (float *)(frame + 12672);   /* [1,17,48] */
    for (int64_t p; team_claim(w, 1, &p);) {
        const int64_t row = 0, rows = 17;
        k->keys_4x12(linear422 + row * 48, keys457, row, rows);   /* 117 'node_Mul_199', 118 'node_Mul_201', 119 'node_MatMul_205' and 5 more */
        k->linear_48_to_48_v2(m->code, norm383 + row * 48, c->w6, linear431 + row * 48, rows);   /* 104 'node_MatMul_178', 105 'node_linear_14' */
        TRACE(constants, 7, linear431);
    }
    team_barrier(w);
    TRACE_LATE(constants, 6, keys457);
}

static void phase_7(worker *w, const struct digits_model *m, const struct constants *c, unsigned char *frame, unsigned char *scratch, const digits_inputs *in, const digits_outputs *out)
{
    const struct digits_kernels *const k = m->kernels;
    (void)in;
    float *const linear442 = (float *)(frame + 15936);   /* [1,1,48] */
    float *const keys457 = (float *)(frame + 0);   /* [1,4,12,32] */
    float *const linear431 = (float *)(frame + 12672);   /* [1,17,48] */
    float *const attention444 = (float *)(scratch + 192);   /* [1,1,4,12], a panel of it */
    float *const call459 = (float *)(frame + 6144);   /* [1,17,48] */
    float *const linear447 = (float *)(scratch + 384);   /* [1,1,48], a panel of it */
    float *const norm448 = (float *)(scratch + 576);   /* [1,1,48], a panel of it */
    float *const mlp449 = (float *)(scratch + 768);   /* [1,1,48], a panel of it */
    float *const norm450 = (float *)(scratch + 0);   /* [1,1,48], a panel of it */
    float *const linear192 = out->logits ? out->logits : (float *)(frame + 9408);   /* [1,10] */
    for (int64_t p; team_claim(w, 1, &p);) {
        const int64_t row = 0, rows = 1;
        k->attention_4x12_over_17_v2(m->code, linear442 + row * 48, keys457, linear431, attention444, (float *)(scratch + 0), row, rows);   /* 117 'node_Mul_199', 118 'node_Mul_201', 119 'node_MatMul_205' and 5 more */
        TRACE(constants, 8, attention444);
        k->linear_48_to_48_add_v2(m->code, attention444, c->w7, c->b8, call459 + row * 48, linear447, rows);   /* 127 'node_MatMul_222', 128 'node_linear_15', 129 'node_add_323' */
        TRACE(constants, 9, linear447);
        k->norm_48(linear447, norm448, rows);   /* 130 'node_layer_norm_5' */
        TRACE(constants, 10, norm448);
        k->mlp_48_96_48_gelu_add_v2(m->code, norm448, c->up_w9, c->up_b10, c->down_w11, c->down_b12, linear447, (float *)(scratch + 0), mlp449, rows);   /* 131 'node_MatMul_224', 132 'node_linear_16', 133 'node_gelu_2' and 3 more */
        TRACE(constants, 11, mlp449);
        k->norm_48(mlp449, norm450, rows);   /* 137 'node_layer_norm_6' */
        TRACE(constants, 12, norm450);
        k->linear_48_to_10(m->code, norm450, c->w13, c->b14, linear192 + row * 10, rows);   /* 139 'node_linear_18' */
        TRACE(constants, 13, linear192);
    }
    team_barrier(w);
}

/* One image. frame: 16128 bytes that the image's values share; scratch: 13056 bytes of this worker. */
static void run_images(worker *w, const struct digits_model *m, unsigned char *frame, unsigned char *scratch, int64_t images, const digits_inputs *in, const digits_outputs *out)
{
    (void)images;
    phase_1(w, m, &m->constants, frame, scratch, in);
    static const size_t encoder_block_at[2][2] = {   /* where each call reads, then writes: bytes in the frame */
        { 6144, 6144 },
        { 6144, 6144 },
    };
    for (int i = 0; i < 2; i++) {
        const size_t *const at = encoder_block_at[i];
        encoder_block_run(w, m, &m->encoder_block[i], frame, scratch,
            (float *)(frame + at[0]), (float *)(frame + at[1]));
    }
    phase_4(w, m, &m->constants, frame, scratch, in);
    phase_5(w, m, &m->constants, frame, scratch, in);
    phase_6(w, m, &m->constants, frame, scratch, in);
    phase_7(w, m, &m->constants, frame, scratch, in, out);
}

/* The matrix kernels: c[n][ldc] = b[n][ldb] a[k][lda], m features of a, n rows of b. Heights that do not occur are left out. */
static const gemm_shape gemm_shapes[2][36] = {
         /*   m,  n,    k,  lda,  ldb,  ldc, add, batch */
    {   /* SSE and AVX2 */
        [0] = {  32, 16,  192,   32,  192,   48, 0, 0 },
        [2] = {  16, 16,  192,   16,  192,   48, 0, 0 },
        [4] = {  32,  1,   48,   32,   48,   48, 0, 0 },
        [6] = {  16,  1,   48,   16,   48,   48, 0, 0 },
        [8] = {  32, 17,   48,   32,   48,   48, 0, 0 },
        [10] = {  16, 17,   48,   16,   48,   48, 0, 0 },
        [12] = {  32,  1,   12,   32,   48,   32, 0, 0 },
        [13] = {  12,  1,   17,   48,   32,   48, 0, 0 },
        [14] = {  32,  1,   48,   32,   48,   96, 0, 0 },
        [18] = {  32,  1,   96,   32,   96,   48, 0, 0 },
        [20] = {  16,  1,   96,   16,   96,   48, 0, 0 },
        [22] = {  10,  1,   48,   10,   48,   10, 0, 0 },
        [26] = {  32, 17,   12,   32,   48,   32, 0, 0 },
        [27] = {  12, 17,   17,   48,   32,   48, 0, 0 },
        [28] = {  32, 17,   48,   32,   48,   96, 0, 0 },
        [32] = {  32, 17,   96,   32,   96,   48, 0, 0 },
        [34] = {  16, 17,   96,   16,   96,   48, 0, 0 },
    },
    {   /* AVX-512 */
        [0] = {  32, 16,  192,   32,  192,   48, 0, 0 },
        [2] = {  16, 16,  192,   16,  192,   48, 0, 0 },
        [4] = {  32,  1,   48,   32,   48,   48, 0, 0 },
        [6] = {  16,  1,   48,   16,   48,   48, 0, 0 },
        [8] = {  32, 17,   48,   32,   48,   48, 0, 0 },
        [10] = {  16, 17,   48,   16,   48,   48, 0, 0 },
        [12] = {  32,  1,   12,   32,   48,   32, 0, 0 },
        [13] = {  12,  1,   17,   48,   32,   48, 0, 0 },
        [14] = {  32,  1,   48,   32,   48,   96, 0, 0 },
        [18] = {  32,  1,   96,   32,   96,   48, 0, 0 },
        [20] = {  16,  1,   96,   16,   96,   48, 0, 0 },
        [22] = {  10,  1,   48,   10,   48,   10, 0, 0 },
        [26] = {  32, 17,   12,   32,   48,   32, 0, 0 },
        [27] = {  12, 17,   17,   48,   32,   48, 0, 0 },
        [28] = {  32, 17,   48,   32,   48,   96, 0, 0 },
        [32] = {  32, 17,   96,   32,   96,   48, 0, 0 },
        [34] = {  16, 17,   96,   16,   96,   48, 0, 0 },
    },
};

/* Points every field at its section of the weights. */
static void fill(struct digits_model *m)
{
    int s = 0;
    m->constants.w0 = weights_section(&m->file, s++);
    m->constants.table1 = weights_section(&m->file, s++);
    m->constants.table2 = weights_section(&m->file, s++);
    m->constants.w3 = weights_section(&m->file, s++);
    m->constants.b4 = weights_section(&m->file, s++);
    m->constants.w5 = weights_section(&m->file, s++);
    m->constants.w6 = weights_section(&m->file, s++);
    m->constants.w7 = weights_section(&m->file, s++);
    m->constants.b8 = weights_section(&m->file, s++);
    m->constants.up_w9 = weights_section(&m->file, s++);
    m->constants.up_b10 = weights_section(&m->file, s++);
    m->constants.down_w11 = weights_section(&m->file, s++);
    m->constants.down_b12 = weights_section(&m->file, s++);
    m->constants.w13 = weights_section(&m->file, s++);
    m->constants.b14 = weights_section(&m->file, s++);
    for (int i = 0; i < 2; i++) {
        m->encoder_block[i].w0 = weights_section(&m->file, s++);
        m->encoder_block[i].b1 = weights_section(&m->file, s++);
        m->encoder_block[i].w2 = weights_section(&m->file, s++);
        m->encoder_block[i].w3 = weights_section(&m->file, s++);
        m->encoder_block[i].w4 = weights_section(&m->file, s++);
        m->encoder_block[i].b5 = weights_section(&m->file, s++);
        m->encoder_block[i].up_w6 = weights_section(&m->file, s++);
        m->encoder_block[i].up_b7 = weights_section(&m->file, s++);
        m->encoder_block[i].down_w8 = weights_section(&m->file, s++);
        m->encoder_block[i].down_b9 = weights_section(&m->file, s++);
    }
    (void)s;
}

const digits_tensor *digits_tensor_info(int i)
{
    static const digits_tensor tensors[] = {
        { "pixel_values", "<f4", 4, { 0, 3, 32, 32 } },
        { "logits", "<f4", 2, { 0, 10 } },
    };
    return i >= 0 && i < 2 ? &tensors[i] : NULL;
}

static int inputs_complete(const digits_inputs *in)
{
    return 1 && in->pixel_values;
}

static digits_inputs inputs_of(const digits_inputs *all, int64_t image)
{
    (void)image;
    return (digits_inputs){
        .pixel_values = all->pixel_values ? all->pixel_values + image * 3072 : NULL,
    };
}

static digits_outputs outputs_of(const digits_outputs *all, const digits_inputs *in, int64_t image)
{
    (void)image, (void)in;
    return (digits_outputs){
        .logits = all->logits ? all->logits + image * 10 : NULL,
    };
}

/* The kernels' table for an instruction-set level. */
static const struct digits_kernels *kernels_of(int level)
{
#if defined(__x86_64__)
    if (level >= CPU_AVX512) return &digits_kernels_avx512;
    if (level >= CPU_AVX2) return &digits_kernels_avx2;
#endif
    (void)level;
    return &digits_kernels_base;
}

const struct digits_kernels **digits_kernels_of(void *model)
{
    return &((digits_model *)model)->kernels;
}

static const uint8_t model_digest[16] = { 0xfe, 0xd0, 0x47, 0xf2, 0xfc, 0xd9, 0xfe, 0xdd, 0x96, 0x90, 0xf8, 0x6b, 0x75, 0x15, 0x21, 0x99 };
static const uint8_t packing_digest[16] = { 0x5f, 0x0c, 0xe7, 0x01, 0x88, 0x12, 0x6d, 0x66, 0x3f, 0x76, 0x7d, 0x9b, 0x82, 0xf0, 0xaf, 0xe1 };

#define MODEL(name) digits_##name
#define STATUS(name) DIGITS_##name
#define API DIGITS_API
enum {
    FRAME_BYTES = 16384,
    SCRATCH_BYTES = 16384,
    SECTIONS = 35,
    GEMMS = 36,
    FIXED_BATCH = 0,   /* 0: any */
    TOGETHER = 1   /* images that a thread runs at a time, at most */
};
#include "runtime/interface.h"
