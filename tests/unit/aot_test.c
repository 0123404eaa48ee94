/* The checks on machine code made ahead of time, with code that must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "codegen/aot.h"

static const uint64_t first = 0x7f0000001000, last = 0x7f0000002000;

/* mov rax, an address; ret: the address starts at the third byte. */
static void an_address_is_found_wherever_it_lies(void **state)
{
    (void)state;
    unsigned char code[] = { 0x48, 0xb8, 0x00, 0x10, 0x00, 0x00, 0x00, 0x7f, 0x00, 0x00, 0xc3 };
    assert_true(aot_holds_address(code, sizeof code, first, last));
    assert_true(aot_holds_address(code, 10, first, last));
    assert_false(aot_holds_address(code, 9, first, last));
    code[2] = 0xff, code[3] = 0x1f;
    assert_true(aot_holds_address(code, sizeof code, first, last));
    code[2] = 0x00, code[3] = 0x20;
    assert_false(aot_holds_address(code, sizeof code, first, last));
    code[3] = 0x0f;
    assert_false(aot_holds_address(code, sizeof code, first, last));
}

static void little_code_holds_none(void **state)
{
    (void)state;
    const unsigned char code[8] = { 0x00, 0x10, 0x00, 0x00, 0x00, 0x7f };
    for (size_t size = 0; size < sizeof code; size++) assert_false(aot_holds_address(code, size, first, last));
    assert_true(aot_holds_address(code, sizeof code, first, last));
}

static void code_that_differs_elsewhere_is_bound(void **state)
{
    (void)state;
    const unsigned char one[] = { 1, 2, 3 }, other[] = { 1, 2, 4 };
    const aot_code x[] = { { one, 3 }, { NULL, 0 } }, same[] = { { one, 3 }, { NULL, 0 } }, differs[] = { { other, 3 }, { NULL, 0 } };
    const aot_code shorter[] = { { one, 2 }, { NULL, 0 } }, more[] = { { one, 3 }, { one, 3 } };
    const uintptr_t here[] = { 4096, 0 }, there[] = { 8192, 0 };
    assert_true(aot_independent(x, here, same, there, 2));
    assert_false(aot_independent(x, here, differs, there, 2));
    assert_false(aot_independent(x, here, shorter, there, 2));
    assert_false(aot_independent(x, here, more, there, 2));
    assert_true(aot_independent(x, here, more, there, 1));
}

static void code_generated_twice_at_one_place_shows_nothing(void **state)
{
    (void)state;
    const unsigned char one[] = { 1, 2, 3 };
    const aot_code x[] = { { one, 3 } };
    const uintptr_t here[] = { 4096 };
    assert_false(aot_independent(x, here, x, here, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_found_wherever_it_lies),
        cmocka_unit_test(little_code_holds_none),
        cmocka_unit_test(code_that_differs_elsewhere_is_bound),
        cmocka_unit_test(code_generated_twice_at_one_place_shows_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
