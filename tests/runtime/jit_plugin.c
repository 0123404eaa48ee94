/* A shared object that uses jit.h, to be loaded and unloaded by jit_test. */
#include "runtime/jit.h"

int jit_plugin_dispatch(const gemm_shape *shape, int count, gemm_code **code);

int jit_plugin_dispatch(const gemm_shape *shape, int count, gemm_code **code)
{
    return jit_dispatch(shape, count, code);
}
