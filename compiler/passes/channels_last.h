/* What the files of pass channels_last share. */
#ifndef VITCC_PASSES_CHANNELS_LAST_H
#define VITCC_PASSES_CHANNELS_LAST_H

#include "match.h"

enum { CHANNELS_RANK = 4 };

extern const int channels_to_last[CHANNELS_RANK], channels_to_first[CHANNELS_RANK];

/* m after all moves that make *v and compose with it; *v becomes what they read. */
void channels_compose(const ir_value **v, move *m);
/* Elements side by side in v's source are neighbours in v along its axis 1: v is cheaper with channels last. */
bool channels_is_turned(const ir_value *v);

/* A norm of groups of channels, of such a value, with channels last: moments, and a map by them. n is the norm, or the map
 * that alone reads it and multiplies it by a factor for each channel; any other is left. False: reported. */
bool channels_turn_norm(ir_node *n, pass_context *c, bool *changed);

#endif
