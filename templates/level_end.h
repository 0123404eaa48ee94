/* Ends the instruction-set level that level.h began; the last line of a file that includes it. */
#if defined(VITCC_LEVEL) && (VITCC_LEVEL == 2 || VITCC_LEVEL == 5)
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
