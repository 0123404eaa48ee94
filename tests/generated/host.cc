// The header from C++: runs the library once and prints the classes' scores, one a line.
#include <cmath>
#include <cstdio>
#include <vector>

#include <model.h>

int main(int argc, char **argv)
{
    model_model *model = nullptr;
    model_session *session = nullptr;
    model_options options = {};
    options.threads = 2;
    const model_tensor *in = model_tensor_info(0), *out = model_tensor_info(1);
    std::vector<float> x(static_cast<size_t>(in->shape[1] * in->shape[2] * in->shape[3])), y(static_cast<size_t>(out->shape[1]));
    for (size_t i = 0; i < x.size(); i++) x[i] = std::sin(static_cast<float>(i));
    model_inputs inputs = {};
    model_outputs outputs = {};
    inputs.pixel_values = x.data();
    outputs.logits = y.data();
    model_status status = argc == 2 ? model_open(&model, argv[1]) : MODEL_ARGUMENT;
    if (status == MODEL_OK) status = model_start(&session, model, &options);
    if (status == MODEL_OK) status = model_run(session, 1, &inputs, &outputs);
    if (status != MODEL_OK) std::fprintf(stderr, "%s\n", model_status_text(status));
    model_stop(session);
    model_close(model);
    for (const float score : y) std::printf("%.9g\n", static_cast<double>(score));
    return status == MODEL_OK ? 0 : 1;
}
