/* The textual IR of a small Vision Transformer as the fusing passes leave it: 6 tokens of 8 features, 2 heads. */
#ifndef VITCC_TESTS_VIT_TEXT_H
#define VITCC_TESTS_VIT_TEXT_H

#include "pass_test.h"

/* One block: %x<i> to %x<i+1>, weights of its own. */
static inline void vit_block(strbuf *b, int i)
{
    int seed = 100 * (i + 1);
    strbuf_printf(b, "  %%g%d: f32[8] = const {bytes = noise %d 1}\n", i, seed);
    for (int k = 0; k < 4; k++) strbuf_printf(b, "  %%w%c%d: f32[8,8] = const {bytes = noise %d 0.4}\n", "qkvo"[k], i, seed + 1 + k);
    for (int k = 0; k < 4; k++) strbuf_printf(b, "  %%b%c%d: f32[8] = const {bytes = noise %d 0.4}\n", "qkvo"[k], i, seed + 5 + k);
    strbuf_printf(b, "  %%u%d: f32[8,16] = const {bytes = noise %d 0.4}\n"
                     "  %%d%d: f32[16,8] = const {bytes = noise %d 0.4}\n", i, seed + 9, i, seed + 10);
    strbuf_printf(b, "  %%n%d: f32[N,6,8] = norm(%%x%d, %%g%d) {kind = layer, axis = 2, epsilon = 1e-06}   # %d 'block%d/norm'\n", i, i, i, seed, i);
    for (int k = 0; k < 3; k++) {
        char c = "qkv"[k];
        strbuf_printf(b, "  %%l%c%d: f32[N,6,8] = linear(%%n%d, %%w%c%d, %%b%c%d)\n", c, i, i, c, i, c, i);
        strbuf_printf(b, "  %%%c%d: f32[N,6,2,4] = move(%%l%c%d) {move = [N@0, 6@1, 8@2]}\n", c, i, c, i);
    }
    strbuf_printf(b, "  %%a%d: f32[N,6,2,4] = attention(%%q%d, %%k%d, %%v%d) {scale = 0.5}   # %d 'block%d/attention'\n", i, i, i, i, seed + 1, i);
    strbuf_printf(b, "  %%j%d: f32[N,6,8] = move(%%a%d) {move = [N@0, 6@1, 2@2, 4@3]}\n", i, i);
    strbuf_printf(b, "  %%y%d: f32[N,6,8] = linear(%%j%d, %%wo%d, %%bo%d, %%x%d) {epilogue = add(in0, in1)}\n", i, i, i, i, i);
    strbuf_printf(b, "  %%m%d: f32[N,6,8] = norm(%%y%d, %%g%d) {kind = layer, axis = 2, epsilon = 1e-06}\n", i, i, i);
    strbuf_printf(b, "  %%x%d: f32[N,6,8] = mlp(%%m%d, %%u%d, _, %%d%d, %%bo%d, %%y%d) {expr = gelu(in0), epilogue = add(in0, in1)}\n", i + 1, i, i,
                  i, i, i);
}

/* Patches and class token, `blocks` blocks, and then `tail`, which reads %x<blocks>. */
static inline const char *vit_text(arena *a, int blocks, const char *tail)
{
    strbuf b = strbuf_in(a);
    strbuf_add(&b, "symbols N 1..64\n"
                   "graph vit(%p: f32[N,5,8]) {\n"
                   "  %w: f32[8,8] = const {bytes = noise 1 1}\n"
                   "  %token: f32[1,1,8] = const {bytes = noise 2 1}\n"
                   "  %cls: f32[N,1,8] = move(%token) {move = [N@_, 8@2]}\n"
                   "  %l: f32[N,5,8] = linear(%p, %w)\n"
                   "  %x0: f32[N,6,8] = concat(%cls, %l) {axis = 1}\n");
    for (int i = 0; i < blocks; i++) vit_block(&b, i);
    strbuf_add(&b, tail);
    return b.text;
}

#endif
