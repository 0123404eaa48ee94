/* The passes: each takes a verified graph and leaves one. passes.def lists them in order. */
#ifndef VITCC_PASSES_PASSES_H
#define VITCC_PASSES_PASSES_H

#include "../ir/ir.h"

/* What the fusing passes look for; the compile report is a table of these. */
typedef enum fusion_kind { FUSION_ATTENTION, FUSION_MLP, FUSION_NORM, FUSION_GELU, FUSION_KINDS } fusion_kind;

typedef struct fusion_miss { fusion_kind kind; const char *node, *reason; } fusion_miss;

typedef struct pass_report {
    int found[FUSION_KINDS], fused[FUSION_KINDS];
    int misses;
    fusion_miss *miss;
    int narrowed;                       /* nodes that compute fewer rows */
    double narrowed_flop, total_flop;   /* saved by `narrow`, and all of the model's before it (a multiply-add is 2; per image) */
    int rolled, functions;              /* blocks that became calls, of how many functions */
    int notes;
    const char **note;                  /* what was dropped and why, for the report */
} pass_report;

typedef struct pass_context {
    arena *arena;
    diag *diag;
    pass_report *report;
} pass_context;

typedef struct pass {
    const char *name, *summary;
    bool (*run)(ir_graph *g, pass_context *c);   /* false: an error was reported */
} pass;

extern const pass passes[];
extern const int passes_count;

/* For the passes themselves. */
void pass_note(pass_context *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void pass_miss(pass_context *c, fusion_kind kind, const ir_node *n, const char *format, ...) __attribute__((format(printf, 4, 5)));
const char *fusion_name(fusion_kind kind);

#endif
