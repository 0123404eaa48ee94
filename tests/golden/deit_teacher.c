/* deit_teacher: the model, phase by phase. Between phases all threads wait; within one they claim panels of rows. */
#include "deit_teacher.h"
#include "deit_teacher_kernels.h"
#include "deit_teacher_trace.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cpu.h"
#include "runtime/jit.h"
#include "runtime/team.h"
#include "runtime/weights.h"

/* The constants that are read outside the repeated blocks. */
struct constants {
    const float *w0;   /* [48,32], packed */
    const float *table1;   /* [1,16,32] */
    const float *table2;   /* [1,1,32] */
    const float *table3;   /* [1,1,32] */
    const float *w4;   /* [32,32], packed */
    const float *b5;   /* [32] */
    const float *w6;   /* [32,32], packed */
    const float *w7;   /* [32,32], packed */
    const float *w8;   /* [32,32], packed */
    const float *b9;   /* [32] */
    const float *up_w10;   /* [32,64], packed */
    const float *up_b11;   /* [64] */
    const float *down_w12;   /* [64,32], packed */
    const float *down_b13;   /* [32] */
    const float *w14;   /* [32,32], packed */
    const float *b15;   /* [32] */
    const float *w16;   /* [32,32], packed */
    const float *w17;   /* [32,32], packed */
    const float *w18;   /* [32,32], packed */
    const float *b19;   /* [32] */
    const float *up_w20;   /* [32,64], packed */
    const float *up_b21;   /* [64] */
    const float *down_w22;   /* [64,32], packed */
    const float *down_b23;   /* [32] */
    const float *w24;   /* [32,5], packed */
    const float *b25;   /* [5] */
    const float *w26;   /* [32,5], packed */
    const float *b27;   /* [5] */
    const float *table28;   /* [] */
};

struct deit_teacher_model {
    weights file;
    const struct deit_teacher_kernels *kernels;   /* of the best instruction-set level of this CPU */
    gemm_code *code[36];   /* matrix kernels; NULL: the portable one runs */
    int generated;
    struct constants constants;
};

struct deit_teacher_session {
    const deit_teacher_model *model;
    team team;
    int64_t max_batch, group;         /* images in a run, and that a thread runs at a time, at most */
    unsigned char *frame, *scratch;   /* of each thread, for `group` images each */
    void *owned;                      /* freed when the session stops */
    _Atomic int busy;
    /* of the running call */
    int64_t batch, alone, groups;     /* images in all; those that a thread does by itself, a group at a time */
    _Atomic int64_t next;
    deit_teacher_inputs in;
    deit_teacher_outputs out;
#ifdef DEIT_TEACHER_TRACE
    trace trace;
#endif
};

static void phase_1(worker *w, const struct deit_teacher_model *m, const struct constants *c, unsigned char *frame, unsigned char *scratch, const deit_teacher_inputs *in)
{
    const struct deit_teacher_kernels *const k = m->kernels;
    float *const move178 = (float *)(scratch + 0);   /* [1,16,48], a panel of it */
    float *const concat331 = (float *)(frame + 0);   /* [1,18,32] */
    for (int64_t p; team_claim(w, 1, &p);) {
        const int64_t row = 0, rows = 16;
        k->move(in->pixel_values, move178, row, rows);   /* 0 'node_conv2d' */
        TRACE(constants, 0, move178);
        k->linear_48_to_32_add(m->code, move178, c->w0, c->table1 + row * 32, concat331 + 64 + row * 32, rows);   /* 0 'node_conv2d', 1 'node_view', 2 'node_transpose' and 1 more */
        TRACE(constants, 1, concat331 + 64);
        if (row == 0) k->concat_part(c->table2, concat331, 1);   /* 3 'node_cat', 4 'node_add' */
        if (row == 0) k->concat_part_v2(c->table3, concat331, 1);   /* 3 'node_cat', 4 'node_add' */
    }
    team_barrier(w);
    TRACE_LATE(constants, 2, concat331);
}

static void phase_2(worker *w, const struct deit_teacher_model *m, const struct constants *c, unsigned char *frame, unsigned char *scratch, const deit_teacher_inputs *in)
{
    const struct deit_teacher_kernels *const k = m->kernels;
    (void)in;
    float *const concat331 = (float *)(frame + 0);   /* [1,18,32] */
    float *const norm240 = (float *)(scratch + 0);   /* [1,18,32], a panel of it */
    float *const linear145 = (float *)(frame + 6400);   /* [1,18,32] */
    float *const linear301 = (float *)(scratch + 2304);   /* [1,18,32], a panel of it */
    float *const linear310 = (float *)(frame + 8704);   /* [1,18,32] */
    float *const keys345 = (float *)(frame + 2304);   /* [1,2,16,32] */
    for (int64_t p; team_claim(w, 1, &p);) {
        const int64_t row = 0, rows = 18;
        k->norm_32(concat331 + row * 32, norm240, rows);   /* 5 'node_layer_norm' */
        TRACE(constants, 3, norm240);
        k->linear_32_to_32(m->code, norm240, c->w4, c->b5, linear145 + row * 32, rows);   /* 6 'node_MatMul_31', 7 'node_linear' */
        TRACE(constants, 4, linear145);
        k->linear_32_to_32_v2(m->code, norm240, c->w6, linear301, rows);   /* 10 'node_MatMul_39', 11 'node_linear_1' */
        TRACE(constants, 5, linear301);
        k->linear_32_to_32_v2(m->code, norm240, c->w7, linear310 + row * 32, rows);   /* 14 'node_MatMul_47', 15 'node_linear_2' */
        TRACE(constants, 6, linear310);
        k->keys_2x16(linear301, keys345, row, rows);   /* 21 'node_Mul_71', 22 'node_Mul_73', 23 'node_MatMul_77' and 5 more */
    }
    team_barrier(w);
    TRACE_LATE(constants, 7, keys345);
}

static void phase_3(worker *w, const struct deit_teacher_model *m, const struct constants *c, unsigned char *frame, unsigned char *scratch, const deit_teacher_inputs *in)
{
    const struct deit_teacher_kernels *const k = m->kernels;
    (void)in;
    float *const linear145 = (float *)(frame + 6400);   /* [1,18,32] */
    float *const keys345 = (float *)(frame + 2304);   /* [1,2,16,32] */
    float *const linear310 = (float *)(frame + 8704);   /* [1,18,32] */
    float *const attention193 = (float *)(scratch + 2432);   /* [1,18,2,16], a panel of it */
    float *const concat331 = (float *)(frame + 0);   /* [1,18,32] */
    float *const linear212 = (float *)(scratch + 6912);   /* [1,18,32], a panel of it */
    float *const norm249 = (float *)(scratch + 0);   /* [1,18,32], a panel of it */
    float *const mlp213 = (float *)(frame + 0);   /* [1,18,32] */
    float *const norm274 = (float *)(frame + 6400);   /* [1,18,32] */
    for (int64_t p; team_claim(w, 1, &p);) {
        const int64_t row = 0, rows = 18;
        k->attention_2x16_over_18(m->code, linear145 + row * 32, keys345, linear310, attention193, (float *)(scratch + 0), row, rows);   /* 21 'node_Mul_71', 22 'node_Mul_73', 23 'node_MatMul_77' and 5 more */
        TRACE(constants, 8, attention193);
        k->linear_32_to_32_add(m->code, attention193, c->w8, c->b9, concat331 + row * 32, linear212, rows);   /* 31 'node_MatMul_94', 32 'node_linear_3', 33 'node_add_3' */
        TRACE(constants, 9, linear212);
        k->norm_32(linear212, norm249, rows);   /* 34 'node_layer_norm_1' */
        TRACE(constants, 10, norm249);
        k->mlp_32_64_32_gelu_add(m->code, norm249, c->up_w10, c->up_b11, c->down_w12, c->down_b13, linear212, (float *)(scratch + 2304), mlp213 + row * 32, rows);   /* 35 'node_MatMul_96', 36 'node_linear_4', 37 'node_gelu' and 3 more */
        TRACE(constants, 11, mlp213);
        k->norm_32(mlp213 + row * 32, norm274 + row * 32, rows);   /* 41 'node_layer_norm_2' */
        TRACE(constants, 12, norm274);
    }
    team_barrier(w);
}

static void phase_4(worker *w, const struct deit_teacher_model *m, const struct constants *c, unsigned char *frame, unsigned char *scratch, const deit_teacher_inputs *in)
{
    const struct deit_teacher_kernels *const k = m->kernels;
    (void)scratch, (void)in;
    float *const norm274 = (float *)(frame + 6400);   /* [1,18,32] */
    float *const linear333 = (float *)(frame + 4608);   /* [1,2,32] */
    float *const linear311 = (float *)(frame + 8960);   /* [1,18,32] */
    float *const linear320 = (float *)(frame + 2304);   /* [1,18,32] */
    for (int64_t p; team_claim(w, 1, &p);) {
        const int64_t row = 0, rows = 2;
        k->linear_32_to_32_v3(m->code, norm274 + row * 32, c->w14, c->b15, linear333 + row * 32, rows);   /* 42 'node_MatMul_100', 43 'node_linear_6' */
        TRACE(constants, 13, linear333);
        k->linear_32_to_32_v2(m->code, norm274 + row * 288, c->w16, linear311 + row * 288, rows * 9);   /* 46 'node_MatMul_108', 47 'node_linear_7' */
        TRACE(constants, 14, linear311);
        k->linear_32_to_32_v2(m->code, norm274 + row * 288, c->w17, linear320 + row * 288, rows * 9);   /* 50 'node_MatMul_116', 51 'node_linear_8' */
        TRACE(constants, 15, linear320);
    }
    team_barrier(w);
}

static void phase_5(worker *w, const struct deit_teacher_model *m, const struct constants *c, unsigned char *frame, unsigned char *scratch, const deit_teacher_inputs *in)
{
    const struct deit_teacher_kernels *const k = m->kernels;
    (void)c, (void)scratch, (void)in;
    float *const keys347 = (float *)(frame + 4864);   /* [1,2,16,32] */
    float *const linear311 = (float *)(frame + 8960);   /* [1,18,32] */
    for (int64_t p; team_claim(w, 1, &p);) {
        const int64_t row = 0, rows = 18;
        k->keys_2x16(linear311 + row * 32, keys347, row, rows);   /* 57 'node_Mul_137', 58 'node_Mul_139', 59 'node_MatMul_143' and 5 more */
    }
    team_barrier(w);
    TRACE_LATE(constants, 16, keys347);
}

static void phase_6(worker *w, const struct deit_teacher_model *m, const struct constants *c, unsigned char *frame, unsigned char *scratch, const deit_teacher_inputs *in)
{
    const struct deit_teacher_kernels *const k = m->kernels;
    (void)in;
    float *const linear333 = (float *)(frame + 4608);   /* [1,2,32] */
    float *const keys347 = (float *)(frame + 4864);   /* [1,2,16,32] */
    float *const linear320 = (float *)(frame + 2304);   /* [1,18,32] */
    float *const attention335 = (float *)(scratch + 320);   /* [1,2,2,16], a panel of it */
    float *const mlp213 = (float *)(frame + 0);   /* [1,18,32] */
    float *const linear338 = (float *)(scratch + 768);   /* [1,2,32], a panel of it */
    float *const norm339 = (float *)(scratch + 1024);   /* [1,2,32], a panel of it */
    float *const mlp340 = (float *)(scratch + 0);   /* [1,2,32], a panel of it */
    float *const norm341 = (float *)(frame + 4608);   /* [1,2,32] */
    for (int64_t p; team_claim(w, 1, &p);) {
        const int64_t row = 0, rows = 2;
        k->attention_2x16_over_18_v2(m->code, linear333 + row * 32, keys347, linear320, attention335, (float *)(scratch + 0), row, rows);   /* 57 'node_Mul_137', 58 'node_Mul_139', 59 'node_MatMul_143' and 5 more */
        TRACE(constants, 17, attention335);
        k->linear_32_to_32_add_v2(m->code, attention335, c->w18, c->b19, mlp213 + row * 32, linear338, rows);   /* 67 'node_MatMul_160', 68 'node_linear_9', 69 'node_add_5' */
        TRACE(constants, 18, linear338);
        k->norm_32(linear338, norm339, rows);   /* 70 'node_layer_norm_3' */
        TRACE(constants, 19, norm339);
        k->mlp_32_64_32_gelu_add_v2(m->code, norm339, c->up_w20, c->up_b21, c->down_w22, c->down_b23, linear338, (float *)(scratch + 256), mlp340, rows);   /* 71 'node_MatMul_162', 72 'node_linear_10', 73 'node_gelu_1' and 3 more */
        TRACE(constants, 20, mlp340);
        k->norm_32(mlp340, norm341 + row * 32, rows);   /* 77 'node_layer_norm_4' */
        TRACE(constants, 21, norm341);
    }
    team_barrier(w);
}

static void phase_7(worker *w, const struct deit_teacher_model *m, const struct constants *c, unsigned char *frame, unsigned char *scratch, const deit_teacher_inputs *in, const deit_teacher_outputs *out)
{
    const struct deit_teacher_kernels *const k = m->kernels;
    (void)scratch, (void)in;
    float *const norm341 = (float *)(frame + 4608);   /* [1,2,32] */
    float *const linear133 = out->cls_logits ? out->cls_logits : (float *)(frame + 0);   /* [1,5] */
    float *const linear141 = out->distillation_logits ? out->distillation_logits : (float *)(frame + 64);   /* [1,5] */
    float *const map348 = out->logits ? out->logits : (float *)(frame + 128);   /* [1,5] */
    for (int64_t p; team_claim(w, 1, &p);) {
        const int64_t row = 0, rows = 1;
        k->linear_32_to_5(m->code, norm341 + row * 32, c->w24, c->b25, linear133 + row * 5, rows);   /* 79 'node_linear_12' */
        TRACE(constants, 22, linear133);
        k->linear_32_to_5(m->code, norm341 + 32 + row * 32, c->w26, c->b27, linear141 + row * 5, rows);   /* 81 'node_linear_13' */
        TRACE(constants, 23, linear141);
        k->map_add_div_5(linear133 + row * 5, linear141 + row * 5, c->table28 + row, map348 + row * 5, rows);   /* 82 'node_add_7', 83 'node_div' */
        TRACE(constants, 24, map348);
    }
    team_barrier(w);
}

/* One image. frame: 11264 bytes that the image's values share; scratch: 9216 bytes of this worker. */
static void run_images(worker *w, const struct deit_teacher_model *m, unsigned char *frame, unsigned char *scratch, int64_t images, const deit_teacher_inputs *in, const deit_teacher_outputs *out)
{
    (void)images;
    phase_1(w, m, &m->constants, frame, scratch, in);
    phase_2(w, m, &m->constants, frame, scratch, in);
    phase_3(w, m, &m->constants, frame, scratch, in);
    phase_4(w, m, &m->constants, frame, scratch, in);
    phase_5(w, m, &m->constants, frame, scratch, in);
    phase_6(w, m, &m->constants, frame, scratch, in);
    phase_7(w, m, &m->constants, frame, scratch, in, out);
}

/* The matrix kernels: c[n][ldc] = b[n][ldb] a[k][lda], m features of a, n rows of b. Heights that do not occur are left out. */
static const gemm_shape gemm_shapes[2][36] = {
         /*   m,  n,    k,  lda,  ldb,  ldc, add, batch */
    {   /* SSE and AVX2 */
        [0] = {  32, 16,   48,   32,   48,   32, 0, 0 },
        [4] = {  32, 18,   32,   32,   32,   32, 0, 0 },
        [8] = {  32, 18,   16,   32,   32,   32, 0, 0 },
        [9] = {  16, 18,   18,   32,   32,   32, 0, 0 },
        [10] = {  32, 18,   32,   32,   32,   64, 0, 0 },
        [14] = {  32, 18,   64,   32,   64,   32, 0, 0 },
        [18] = {  32,  2,   32,   32,   32,   32, 0, 0 },
        [22] = {  32,  2,   16,   32,   32,   32, 0, 0 },
        [23] = {  16,  2,   18,   32,   32,   32, 0, 0 },
        [24] = {  32,  2,   32,   32,   32,   64, 0, 0 },
        [28] = {  32,  2,   64,   32,   64,   32, 0, 0 },
        [32] = {   5,  1,   32,    5,   32,    5, 0, 0 },
    },
    {   /* AVX-512 */
        [0] = {  32, 16,   48,   32,   48,   32, 0, 0 },
        [4] = {  32, 18,   32,   32,   32,   32, 0, 0 },
        [8] = {  32, 18,   16,   32,   32,   32, 0, 0 },
        [9] = {  16, 18,   18,   32,   32,   32, 0, 0 },
        [10] = {  32, 18,   32,   32,   32,   64, 0, 0 },
        [14] = {  32, 18,   64,   32,   64,   32, 0, 0 },
        [18] = {  32,  2,   32,   32,   32,   32, 0, 0 },
        [22] = {  32,  2,   16,   32,   32,   32, 0, 0 },
        [24] = {  32,  2,   32,   32,   32,   64, 0, 0 },
        [28] = {  32,  2,   64,   32,   64,   32, 0, 0 },
        [32] = {   5,  1,   32,    5,   32,    5, 0, 0 },
    },
};

/* Points every field at its section of the weights. */
static void fill(struct deit_teacher_model *m)
{
    int s = 0;
    m->constants.w0 = weights_section(&m->file, s++);
    m->constants.table1 = weights_section(&m->file, s++);
    m->constants.table2 = weights_section(&m->file, s++);
    m->constants.table3 = weights_section(&m->file, s++);
    m->constants.w4 = weights_section(&m->file, s++);
    m->constants.b5 = weights_section(&m->file, s++);
    m->constants.w6 = weights_section(&m->file, s++);
    m->constants.w7 = weights_section(&m->file, s++);
    m->constants.w8 = weights_section(&m->file, s++);
    m->constants.b9 = weights_section(&m->file, s++);
    m->constants.up_w10 = weights_section(&m->file, s++);
    m->constants.up_b11 = weights_section(&m->file, s++);
    m->constants.down_w12 = weights_section(&m->file, s++);
    m->constants.down_b13 = weights_section(&m->file, s++);
    m->constants.w14 = weights_section(&m->file, s++);
    m->constants.b15 = weights_section(&m->file, s++);
    m->constants.w16 = weights_section(&m->file, s++);
    m->constants.w17 = weights_section(&m->file, s++);
    m->constants.w18 = weights_section(&m->file, s++);
    m->constants.b19 = weights_section(&m->file, s++);
    m->constants.up_w20 = weights_section(&m->file, s++);
    m->constants.up_b21 = weights_section(&m->file, s++);
    m->constants.down_w22 = weights_section(&m->file, s++);
    m->constants.down_b23 = weights_section(&m->file, s++);
    m->constants.w24 = weights_section(&m->file, s++);
    m->constants.b25 = weights_section(&m->file, s++);
    m->constants.w26 = weights_section(&m->file, s++);
    m->constants.b27 = weights_section(&m->file, s++);
    m->constants.table28 = weights_section(&m->file, s++);
    (void)s;
}

const deit_teacher_tensor *deit_teacher_tensor_info(int i)
{
    static const deit_teacher_tensor tensors[] = {
        { "pixel_values", "<f4", 4, { 1, 3, 16, 16 } },
        { "logits", "<f4", 2, { 1, 5 } },
        { "cls_logits", "<f4", 2, { 1, 5 } },
        { "distillation_logits", "<f4", 2, { 1, 5 } },
    };
    return i >= 0 && i < 4 ? &tensors[i] : NULL;
}

static int inputs_complete(const deit_teacher_inputs *in)
{
    return 1 && in->pixel_values;
}

static deit_teacher_inputs inputs_of(const deit_teacher_inputs *all, int64_t image)
{
    (void)image;
    return (deit_teacher_inputs){
        .pixel_values = all->pixel_values,
    };
}

static deit_teacher_outputs outputs_of(const deit_teacher_outputs *all, const deit_teacher_inputs *in, int64_t image)
{
    (void)image, (void)in;
    return (deit_teacher_outputs){
        .logits = all->logits,
        .cls_logits = all->cls_logits,
        .distillation_logits = all->distillation_logits,
    };
}

/* The kernels' table for an instruction-set level. */
static const struct deit_teacher_kernels *kernels_of(int level)
{
#if defined(__x86_64__)
    if (level >= CPU_AVX512) return &deit_teacher_kernels_avx512;
    if (level >= CPU_AVX2) return &deit_teacher_kernels_avx2;
#endif
    (void)level;
    return &deit_teacher_kernels_base;
}

const struct deit_teacher_kernels **deit_teacher_kernels_of(void *model)
{
    return &((deit_teacher_model *)model)->kernels;
}

static const uint8_t model_digest[16] = { 0xa3, 0x79, 0xf1, 0x9f, 0x4f, 0x74, 0x2a, 0x4c, 0x5c, 0x48, 0xa7, 0xed, 0x51, 0xcb, 0x06, 0x0a };
static const uint8_t packing_digest[16] = { 0x4b, 0x9a, 0x9f, 0x4e, 0xf0, 0xf7, 0x8e, 0xd7, 0xe9, 0x05, 0xbb, 0x96, 0x35, 0x53, 0x75, 0x77 };

#define MODEL(name) deit_teacher_##name
#define STATUS(name) DEIT_TEACHER_##name
#define API DEIT_TEACHER_API
enum {
    FRAME_BYTES = 12288,
    SCRATCH_BYTES = 12288,
    SECTIONS = 29,
    GEMMS = 36,
    FIXED_BATCH = 1,   /* 0: any */
    TOGETHER = 1   /* images that a thread runs at a time, at most */
};
#include "runtime/interface.h"
