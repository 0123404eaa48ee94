/* cpu_level: the environment lowers it, and does nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runtime/cpu.h"

static void the_level_found_is_one_of_three(void **state)
{
    (void)state;
    unsetenv("VITCC_LEVEL");
    const int found = cpu_level();
    assert_true(found == CPU_BASELINE || found == CPU_AVX2 || found == CPU_AVX512);
    assert_int_equal(found, cpu_level_found());
}

static void the_environment_lowers_it(void **state)
{
    (void)state;
    const int found = cpu_level_found();
    const struct { const char *text; int level; } cases[] = {
        {"0", CPU_BASELINE}, {"2", found < CPU_AVX2 ? found : CPU_AVX2}, {"5", found}, {"1", found}, {"9", found}, {"", found}, {"00", found}, {"-1", found}, {"avx2", found},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv("VITCC_LEVEL", cases[i].text, 1);
        assert_int_equal(cpu_level(), cases[i].level);
    }
    unsetenv("VITCC_LEVEL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_level_found_is_one_of_three), cmocka_unit_test(the_environment_lowers_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
