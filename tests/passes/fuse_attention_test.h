/* What the tests of fuse_attention share. */
#ifndef VITCC_TESTS_FUSE_ATTENTION_TEST_H
#define VITCC_TESTS_FUSE_ATTENTION_TEST_H

#include "pass_test.h"

/* q [2,3,8], k and v [2,5,8] by two heads; %s the scores, %p the probabilities that the middle makes of them. */
#define INPUTS "graph t(%q \"q\": f32[2,3,8], %k \"k\": f32[2,5,8], %v \"v\": f32[2,5,8], %m \"m\": f32[2,1,3,5], %b \"b\": bool[2,1,1,5]) {\n"
#define SPLIT                                                                         \
    "  %qh: f32[2,2,3,4] = move(%q) {move = [2@0, 2@2*4, 3@1, 4@2]}\n"                \
    "  %kt: f32[2,2,4,5] = move(%k) {move = [2@0, 8@2, 5@1]}\n"                       \
    "  %vh: f32[2,2,5,4] = move(%v) {move = [2@0, 2@2*4, 5@1, 4@2]}\n"
#define SCORES "  %s: f32[2,2,3,5] = matmul(%qh, %kt)\n"
#define JOIN                                                                          \
    "  %o: f32[2,2,3,4] = matmul(%p, %vh)\n"                                          \
    "  %y: f32[2,3,8] = move(%o) {move = [2@0, 3@2, 2@1, 4@3]}\n"
#define RETURN "  return \"y\" %y\n}\n"
#define WHOLE(middle) INPUTS SPLIT SCORES middle JOIN RETURN
#define PLAIN_SOFTMAX "  %p: f32[2,2,3,5] = softmax(%t) {axis = 3}\n"

static inline pass_test *fused(const char *text)
{
    pass_test *t = pass_test_new(text, "fuse_attention dce");
    for (int i = 0; i < t->report.misses; i++) print_error("%s: %s\n", t->report.miss[i].node, t->report.miss[i].reason);
    assert_int_equal(pass_test_count(t, IR_ATTENTION), 1);
    assert_int_equal(pass_test_count(t, IR_SOFTMAX), 0);
    assert_int_equal(pass_test_count(t, IR_MATMUL), 0);
    assert_int_equal(t->report.found[FUSION_ATTENTION], 1);
    assert_int_equal(t->report.fused[FUSION_ATTENTION], 1);
    assert_int_equal(t->report.misses, 0);
    return t;
}

#endif
