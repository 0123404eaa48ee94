/* The planner's own parts, in the order plan_make runs them. */
#ifndef VITCC_PLAN_PRIVATE_H
#define VITCC_PLAN_PRIVATE_H

#include "plan.h"

/* No panel has more: each reads all weights once. On Zen 3 an MLP runs at 87 % of peak with 197 rows, 83 with 99, 77 with 50. */
enum { PLAN_PANEL_ROWS = 200 };

/* Products in one float sum; an output is the sum of such sums: half the error of one long sum, as fast. */
enum { PLAN_PART = 256 };

/* batch.c: shows that no operator of the graph mixes images, or reports E311. Sets batch_symbol. */
bool plan_check_batch(plan *p, diag *d);

/* check.c: what the parts below rely on, or E403: functions that call none and make every result themselves, parameters that are constants in every
 * call or in none, values not beyond 2^31 elements an image. */
bool plan_check_graph(const plan *p, diag *d);
/* The same of steps: operands of an epilogue that it can follow. */
bool plan_check_steps(const plan_scope *s, diag *d);
/* Is parameter i of this function a constant in every call? */
bool plan_is_constant_parameter(const plan *p, const ir_graph *function, int i);

/* place.c: every value's shape at N = 1, and which values are views of others. */
void plan_place_values(plan *p, plan_scope *s);

/* steps.c: what a node reads and writes by rows. */
void plan_describe_step(plan_step *s, const plan_options *o);
/* Is value x, read or written by rows, a panel of its base for every panel of a phase? */
bool plan_is_panel_of_base(const plan_value *x);

/* winograd.c: whether a conv_last is computed by Winograd's tiles, and its rows then; its kernel and scratch. */
void plan_describe_winograd(plan_step *s);
void plan_winograd_kernels(plan *p, plan_step *t, const plan_phase *f, int tile);

/* conv.c: rows of a conv_last that other kernels run; its kernels and scratch, of panels of `rows` pixels, or of all pixels where it runs by columns. */
void plan_describe_conv(plan_step *s);
void plan_conv_kernels(plan *p, plan_step *t, int64_t rows, int tile, int wide_tile);

/* phases.c: steps into phases, phases into panels. */
void plan_make_phases(plan *p, plan_scope *s, const plan_options *o);

/* together.c: how many images a worker runs at a time, and which phases then have all of them in one panel. */
void plan_join_images(plan *p, const plan_options *o);

/* kernels.c: tiles and matrix kernels of every step, and its own scratch. */
void plan_choose_kernels(plan *p, plan_scope *s, const plan_options *o);

/* The same for conv.c and winograd.c. Bytes of so many floats, as whole cache lines. */
int64_t plan_float_bytes(int64_t floats);
/* The tallest tile, and the tallest of at most PLAN_FEW_ROWS rows. */
typedef struct plan_tallest { int tile, few; } plan_tallest;

static inline plan_tallest plan_tallest_of(int tile)
{
    return (plan_tallest){ tile, tile };
}

/* A cut into the heights that occur. */
plan_cut plan_cut_of(const bool *occurs, plan_tallest tallest);
/* The heights that occur in any panel, of which `share` rows at most are cut at a time: panels of a number of neighbouring tiles of the phase that as
 * even a cut as can be may give, or of the whole of up to `together` images. */
plan_cut plan_cut_tiles(plan *p, const plan_phase *f, int64_t scale, int64_t share, plan_tallest tallest, int together);
/* A step's two cuts, without AVX-512 and with it. */
void plan_set_cuts(plan_step *t, plan_cut cut, plan_cut wide);
/* Inputs summed at a time, about `part`: parts are nearly equal, and whole lines. */
int plan_part_of(int depth, int part);
/* The heights of all rows of up to `together` images, each of which has `rows`. */
plan_cut plan_cut_whole(plan *p, int64_t rows, plan_tallest tallest, int together);
/* A cut of so few rows an image that they wait for weights: step by step for all tiles, while these are at most PLAN_FEW_ROWS rows. */
plan_cut plan_cut_waiting(plan_cut c, int64_t rows);
/* Index of the kernels of both cuts of a product with packed weights, whose part, steps and, if it is 0, ldx (rows lie step by step) are set; -1: none is
 * needed. */
int plan_linear_kernels(plan *p, plan_tiles *t, int depth, int part, bool direct);
/* Index of these kernels side by side, and of those in their place with AVX-512; added if they are new. */
int plan_add_gemms(plan *p, const plan_gemm *g, const plan_gemm *for_wide, int count);

/* allocate.c: when buffers live, in moments, and where. A moment is a tick (a phase of the main scope, those of calls counted) times PLAN_MOMENTS
 * and, in it, 2 step for reading, 2 step + 1 for writing; PLAN_MOMENTS - 1 is the end of the phase. */
enum { PLAN_MOMENTS = 1 << 20 };

typedef struct plan_interval {
    int64_t from, to;            /* inclusive */
    bool from_panel, to_panel;   /* at this end only the panel at hand is touched */
    bool to_in_place;            /* the step that reads last may overwrite */
} plan_interval;

typedef struct plan_memory_buffer {
    plan_scope *scope;           /* NULL: a step's own scratch */
    plan_value *value;
    plan_step *step;
    int intervals;
    plan_interval *interval;
    int64_t bytes, address;
} plan_memory_buffer;

typedef struct plan_buffers {
    arena *arena;
    int count;
    plan_memory_buffer *item;
    bool sequential;             /* of one thread: panels do not overlap in time */
} plan_buffers;

/* Sets every address; returns the end of the highest buffer, and a lower bound of it. */
int64_t plan_allocate(plan_buffers *all, int64_t *bound);

/* memory.c: liveness, then addresses in frame and scratch, and the lower bounds. */
void plan_assign_memory(plan *p);

bool plan_is_folded(const ir_node *n);
/* Is n, of the main graph, computed once a run? */
bool plan_is_prelude(const plan *p, const plan_scope *s, const ir_node *n);
plan_value *plan_value_at(plan_scope *s, const ir_value *v);
plan_value *plan_base(plan_scope *s, const ir_value *v);

#endif
