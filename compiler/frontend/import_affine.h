/* Indices that are affine in their own place. An import_value has them beside its tensor, or instead of one. */
#ifndef VITCC_FRONTEND_IMPORT_AFFINE_H
#define VITCC_FRONTEND_IMPORT_AFFINE_H

#include "import.h"

enum { COORDINATES_MAX = 4 };

/* The number at place p (one number an axis) is offset + sum of step[a] * p[a] + added[p]. */
typedef struct affine_form {
    int64_t offset, step[IR_RANK_MAX];
    ir_value *added;    /* a tensor of the run, of the value's shape; NULL: none */
    int64_t below;      /* its numbers are 0 to below - 1; 0: that is not known */
} affine_form;

/* No form: only type and shape are known. One form: of all elements; more: form k is that of element k of the last axis, which `added` has not.
 * Beside a tensor of constant size: numbers of the run added to constants, which Gather and GatherND take where a pick can be made of them. */
struct import_affine {
    int forms;
    affine_form form[COORDINATES_MAX];
};

/* Each returns false where it does not apply, with nothing reported; or where the output is to be a tensor, beside which its forms are put. */
bool import_affine_range(importer *im, import_node *n);
bool import_affine_map(importer *im, import_node *n, expr_op op);
bool import_affine_cast(importer *im, import_node *n, elem to);
bool import_affine_concat(importer *im, import_node *n, int axis);
/* Output k's, from input i's; its tensor, if it has one, is put beside it. */
bool import_affine_move(importer *im, import_node *n, int k, int i, const move *m, const ir_type *to);

/* v's number at place p is *offset + sum of step[a] * p[a]; false: it is no such form. */
bool import_affine_steps(const import_value *v, int64_t *offset, const int64_t **step);

/* Must v's forms be used, since a tensor of it has no constant size? */
bool import_affine_only(const import_value *v);

/* ---- import_affine_gather.c: Gather, GatherND and ScatterND where input 1 is affine; false: reported ---- */

/* Can they pick within each image? */
bool import_affine_picks(const import_node *n, int axis);
bool import_affine_picks_nd(importer *im, import_node *n);
bool import_affine_gather(importer *im, import_node *n, int axis);
bool import_affine_gather_nd(importer *im, import_node *n);
/* ScatterND likewise, of which types and shapes are checked. */
bool import_affine_scatter_nd(importer *im, import_node *n, const char *kind);

#endif
