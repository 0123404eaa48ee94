/* What vitcc prints: the model, what was fused and what was not and why, memory, arithmetic. */
#ifndef VITCC_SUMMARY_H
#define VITCC_SUMMARY_H

#include "codegen/codegen.h"
#include "driver.h"
#include "frontend/frontend.h"
#include "passes/passes.h"

void summary_print(const driver_options *o, const frontend_model *m, const pass_report *r, const plan *p, const codegen_result *c, const char *name,
                   double seconds);
void summary_inspect(const driver_options *o, const frontend_model *m);
void summary_fusion(const pass_report *r);

#endif
