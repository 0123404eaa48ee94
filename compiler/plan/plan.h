/* The plan: which steps run in which phase, over which rows, with which data where. Everything is planned for one image (N = 1): a batch runs the
 * plan image by image (batch.c shows that no operator mixes images).
 *
 * A *scope* is the main graph or one of its functions. A scope is a list of *items*: phases and calls. A *phase* has one space of rows, cut into
 * tiles; a few neighbouring tiles are a panel, which a thread claims (the more threads, the fewer tiles a panel); its *steps* run one after another
 * on a panel, reading only rows of that panel of what the phase itself makes. Between phases stands a barrier.
 * A value lives in one place: a graph's parameter or result (the caller's pointer), the frame (one an image in flight), or the scratch (one a thread:
 * values that live within one phase, a panel of rows at a time). An input whose images lie in between one another is copied to the frame first.
 * What no image has a part in (CLIP's texts, where the batch is images) is computed once a run, before the images: the *prelude*, the first items of
 * the main scope, whose values are in memory that all threads share.
 * Where an image has few rows, a worker may run several images of the batch together, each step for all of them before the next, so that weights are
 * read once for all. Then every value stands once for each image, image after image, and addresses are multiplied by the images. */
#ifndef VITCC_PLAN_PLAN_H
#define VITCC_PLAN_PLAN_H

#include "../ir/ir.h"

enum {
    PLAN_ALIGN = 64,
    PLAN_BLOCK = 32,                 /* output features a block of weights: on AVX2 (Zen 3) 92 % of peak where 64 gives 74 */
    PLAN_FEW_ROWS = 64,              /* layers of so few rows and many weights wait for these: threads share them, and fetch the next while they multiply */
    PLAN_MANY_WEIGHTS = 1 << 18      /* so many: 1 MB of them take a thread 50 times as long as a barrier */
};

typedef enum plan_space { SPACE_CONSTANT, SPACE_ARGUMENT, SPACE_FRAME, SPACE_SCRATCH, SPACE_SHARED } plan_space;

typedef struct plan_step plan_step;
typedef struct plan_scope plan_scope;

/* A moment of a scope: an item (a phase or a call), and a step in it. */
typedef struct plan_time { int item, step; } plan_time;

typedef struct plan_value {
    const ir_value *value;
    int64_t elements;
    int64_t shape[IR_RANK_MAX];      /* with N = 1, lengths at their capacity */
    struct plan_value *base;         /* a view: whose storage it shares; itself otherwise */
    int64_t offset;                  /* of a view, in elements from base's first */
    int64_t row_elements, row_stride;  /* elements lie in runs of row_elements, row_stride apart; equal: contiguous */
    bool view;                       /* nothing to do: the source's elements are its own */
    bool assembled;                  /* of a concatenation: nothing to do, every part is made in place */
    plan_space space;                /* of bases */
    int64_t bytes;                   /* of bases: in the frame the whole value, in the scratch one panel of it */
    int64_t address;                 /* of bases in frame, scratch or shared memory: byte offset */
    bool argument_result;            /* of bases in a function: the caller passes where it goes */
    bool result_views;               /* of bases in a function: a view of it is a result */
    plan_time def, last;             /* of bases: the first writer, the last reader; item -1: before the first; step -1: before the item's first */
    int written;                     /* of bases: the item of the last writer */
    bool def_by_panel;               /* written by panel, in one step */
    bool last_by_panel;              /* every reader of the last item reads by panel */
    bool last_in_place;              /* the last reader may overwrite what it reads with its result */
    bool local;                      /* every reader is in the defining phase and reads by panel */
} plan_value;

/* A product of fixed shape: c[n][ldc] (+)= b[n][ldb] a[k][lda], as in runtime/gemm.h; batch: a sum of several. */
typedef struct plan_gemm { int m, n, k, lda, ldb, ldc, add, batch; } plan_gemm;

/* How a panel's rows are cut into tiles for products, ceil(rows / tile) of nearly equal height, and the inputs of a linear layer or MLP into steps. */
typedef struct plan_cut {
    int tile, low, heights;
    const bool *occurs;              /* [heights] */
    int step;                        /* inputs of a kernel's call; before each, some of the weights to come are fetched. 0: a part's, none are */
    int share;                       /* so many rows or fewer all take a step's weights before the next step's are read, more do tile by tile */
    int few;                         /* in place of tile, of at most `share` rows */
    bool row;                        /* a single row is on the kernel of templates/row_f32.h */
} plan_cut;

/* gemm: index of the first of the kernels [height - low][remainder block][remainder part] of linear layers (with steps: [height - low][remainder
 * block][adding][remainder step]), [height - low] of attention; -1: none. gemm_add: of attention, [height - low][remainder], adding to the result. */
typedef struct plan_tiles {
    plan_cut cut, wide;              /* wide: with AVX-512, where linear layers and MLPs may have a cut of their own; else as cut */
    int gemm, gemm_add;
    int width;                       /* features a block */
    int n, k, ldx, ldy;              /* features, products summed, row strides of source and result */
    int part;                        /* linear, mlp, conv_last: products summed at a time */
    int chunk;                       /* mlp: hidden features at a time; attention: keys whose values are summed at a time; conv_last: pieces or tiles of 2 x 2 pixels at a time */
    int taps, phases;                /* conv_last: places of the window in a run of elements; a kernel takes every so many'th pixel */
} plan_tiles;

struct plan_step {
    const ir_node *node;
    plan_scope *scope;
    int64_t rows;                    /* of the step itself: a multiple of the phase's */
    bool unit;                       /* a panel is exactly one row of the phase */
    int64_t window;                  /* attention of several windows or images, and their keys: rows in each row of the step; else 0 */
    bool once;                       /* the first panel does it for all */
    bool columns;                    /* linear, conv_last: its rows are blocks of output features, and a panel makes its blocks of all rows */
    int64_t piece;                   /* conv_last on matrix kernels: pixels in a row of the step, a line of the result or a part of one; else 0 */
    bool winograd;                   /* conv_last by templates/winograd_f32.h; its rows are tiles of 2 x 2 pixels, or (columns) blocks of features */
    bool scattered;                  /* reads by panel, but what it writes is complete only after the phase */
    bool *aligned;                   /* [inputs] whether input i is read by panel */
    int64_t scratch, scratch_bytes;  /* the step's own scratch: offset and size */
    plan_tiles tiles[2];             /* linear: one; mlp: up, down; attention: scores, values; gemm is -1 elsewhere */
};

typedef struct plan_phase {
    int64_t rows;
    int tiles;                       /* as many panels there may be */
    int panels;                      /* as few */
    int64_t panel_rows;              /* of the largest panel that may occur */
    int steps;
    plan_step **step;
    int64_t scratch_bytes, scratch_bound;
    bool all_once;                   /* no step runs by panel */
    bool joint;                      /* images that run together are one panel; else they run the phase one after another */
} plan_phase;

typedef struct plan_item { plan_phase *phase; const ir_node *call; int function; } plan_item;   /* one of phase and call is NULL */

struct plan_scope {
    const ir_graph *graph;
    bool is_function;
    bool shared;                     /* of a function: its calls are in the prelude */
    int items;
    plan_item *item;
    int values;
    plan_value *value;               /* by id of the IR value; .value NULL: not used */
    int ticks;                       /* phases, those of calls included */
};

/* One array of the weights file, used by one field of the code: a constant of the main graph, in the layout its reader wants. */
typedef enum plan_layout {
    LAYOUT_PLAIN, LAYOUT_PACKED,
    LAYOUT_WINOGRAD,                 /* of 3 x 3 places, transformed to 4 x 4, packed */
    LAYOUT_FLAGS                     /* truth values as floats, 0 or 1, for vectors */
} plan_layout;
typedef struct plan_weight {
    const ir_value *value;           /* of the main graph, ir_is_constant */
    plan_layout layout;
    int block;                       /* packed: features a block */
} plan_weight;

/* A constant that a scope reads: a field of its weights. In a function `value` is a parameter, and each call has its own weight. */
typedef struct plan_field { const ir_value *value; plan_layout layout; int block; const char *name; } plan_field;
typedef struct plan_fields { int count; plan_field *field; } plan_fields;

typedef struct plan_buffer {         /* of the frame, for the report */
    const plan_scope *scope;
    const plan_value *value;
    int64_t address, bytes;
} plan_buffer;

typedef struct plan {
    arena *arena;
    const ir_graph *graph;
    int64_t *symbol;                 /* every run-time symbol's value while planning: 1, of a length its capacity */
    int batch_symbol;                /* -1: a static model */
    const int64_t *inner;            /* by id of the main graph's values: elements below the batch in the row-major index; 0: it has no part in them */
    int length_symbol;               /* -1: none */
    bool streams;                    /* the weights of linear layers and MLPs do not stay near the core from one run to the next */
    int together;                    /* images that a worker runs at a time, at most */
    int prelude;                     /* items of the main scope that are computed once a run, before the images */
    plan_scope main;
    int functions;
    plan_scope *function;            /* as graph->function */
    plan_fields *fields;             /* [0] of the main scope, [1 + f] of function f */
    int gemms;
    plan_gemm *gemm, *wide_gemm;     /* wide: with AVX-512. Kernel i has the same use in both */
    int buffers;
    plan_buffer *buffer;
    int64_t frame_bytes, frame_bound, scratch_bytes, scratch_bound, weight_bytes;
    int64_t shared_bytes, shared_bound;   /* of what the prelude makes */
    double flop, gemm_flop;          /* a multiply-add is 2; of linear, mlp, attention, matmul, conv; those that run on matrix kernels */
    double linear_flop, linear_gemm_flop, linear_row_flop;        /* of linear and mlp; of one image, those on kernels made for their shape; of single rows */
} plan;

typedef struct plan_options { int panel_rows, tile_rows, panel_images, many_weights; } plan_options;   /* 0: chosen */

/* Plans a verified graph. Errors (a graph that mixes images, a function that cannot be planned by itself) are reported to d; NULL then. */
plan *plan_make(arena *a, const ir_graph *g, const plan_options *o, diag *d);

/* A conv_last of one channel a group, which has no matrix kernel. */
bool plan_is_depthwise(const ir_node *n);
/* Does the step multiply blocks of rows by packed weights? */
bool plan_is_product(const plan_step *t);
/* Is this the padding of a transposition that hands an attention its keys? The two are one step, which runs by rows of the transposition's source. */
bool plan_is_key_transpose(const ir_node *n);
/* Does a gather take whole rows of the last axis by a constant table? Its step is one by rows. */
bool plan_gathers_rows(const plan_scope *s, const ir_node *n);
/* Tiles of 2 x 2 pixels of a convolution's result, as templates/winograd_f32.h counts them. */
int64_t plan_winograd_tiles(const plan_value *out);
/* What the step of n reads as its i-th input: the node's input, or the transposition's source. */
const ir_value *plan_input(const ir_node *n, int i);
const plan_value *plan_value_of(const plan_scope *s, const ir_value *v);   /* NULL v: NULL */
int64_t plan_round_up(int64_t n, int64_t to);
int64_t plan_dim(const plan *p, dim d);                                    /* with N = 1 */
/* First row of panel i, if the phase is cut into f->panels of them; i = panels: the row after the last. */
int64_t plan_panel_row(const plan_phase *f, int i);
/* The axis of this input or output that is the batch; -1: it has none. */
int plan_batch_axis(const plan *p, const ir_value *v);
/* Places of that axis that an image has side by side. */
int64_t plan_image_places(const plan *p, const plan_value *x);
/* Do the images' parts of this input or output lie in between one another, rows being outside of them? Such an input is gathered into the frame before
 * the images' first item. */
bool plan_is_interleaved(const plan *p, const plan_value *x);
/* Has each image its own part of this storage? All have but constants, inputs without a batch, and what the prelude makes. */
bool plan_is_of_images(const plan *p, const plan_scope *s, const plan_value *base);
/* Is v the whole of its storage, without gaps, so that those of several images are one array of rows? */
bool plan_is_whole(const plan_value *x);
/* The field through which scope s reads constant v in this layout; added if it is new. index: 0 main, 1 + f function f. */
int plan_field_of(plan *p, int index, const ir_value *v, plan_layout layout, int block, const char *name);

#endif
