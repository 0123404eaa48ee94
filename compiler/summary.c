/* See summary.h. Names from the model are printed with control characters escaped. */
#include "summary.h"

#include <stdio.h>
#include <string.h>

static void print_safe(const char *text)
{
    for (; text && *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c < 32 || c == 127) printf("\\x%02x", c);
        else putchar(c);
    }
}

static void print_ports(const char *what, const ir_graph *g, const ir_port *port, int count)
{
    for (int i = 0; i < count; i++) {
        printf("  %-7s ", what);
        print_safe(port[i].name);
        printf(" %s\n", ir_type_text(g->arena, g->symbols, &port[i].value->type));
    }
}

void summary_fusion(const pass_report *r)
{
    printf("  %-12s found  fused\n", "");
    for (int k = 0; k < FUSION_KINDS; k++) printf("  %-12s %5d  %5d\n", fusion_name((fusion_kind)k), r->found[k], r->fused[k]);
    for (int i = 0; i < r->misses; i++) {
        printf("  not fused: %s at ", fusion_name(r->miss[i].kind));
        print_safe(r->miss[i].node);
        printf(": %s\n", r->miss[i].reason);
    }
    if (r->rolled) printf("  rolled       %5d blocks into %d function%s\n", r->rolled, r->functions, r->functions == 1 ? "" : "s");
    if (r->narrowed)
        printf("  narrowed     %5d nodes: %.1f %% of %.2f GFLOP dropped\n", r->narrowed,
               r->total_flop > 0 ? 100 * r->narrowed_flop / r->total_flop : 0, r->total_flop * 1e-9);
    for (int i = 0; i < r->notes; i++) {
        printf("  dropped: ");
        print_safe(r->note[i]);
        printf("\n");
    }
}

void summary_inspect(const driver_options *o, const frontend_model *m)
{
    printf("%s: ", o->model);
    print_safe(m->producer ? m->producer : "unknown exporter");
    printf(" ");
    print_safe(m->producer_version ? m->producer_version : "");
    printf(", opset %lld, IR %lld, %d nodes, %d initializers, %.2f M parameters, %.1f MB\n", (long long)m->opset, (long long)m->ir_version, m->nodes,
           m->initializers, (double)m->parameters * 1e-6, (double)m->bytes * 1e-6);
    if (m->graph) {
        print_ports("input", m->graph, m->graph->parameter, m->graph->parameters);
        print_ports("output", m->graph, m->graph->result, m->graph->results);
    }
    printf("  operators:");
    for (int i = 0; i < m->operators; i++) {
        printf(" ");
        print_safe(m->op[i].name);
        printf(" %d%s%s", m->op[i].nodes, m->op[i].supported ? "" : " (not supported)", i + 1 < m->operators ? "," : "");
    }
    printf("\n");
    for (int i = 0; i < m->operators; i++)
        if (m->op[i].supported && strcmp(m->op[i].name, "Erfc") == 0) printf("  note    ONNX has no operator Erfc; read as 1 - Erf\n");
}

void summary_print(const driver_options *o, const frontend_model *m, const pass_report *r, const plan *p, const codegen_result *c, const char *name,
                   double seconds)
{
    summary_inspect(o, m);
    summary_fusion(r);
    int phases = 0, calls = 0;
    for (int i = 0; i < p->main.items; i++) p->main.item[i].phase ? phases++ : calls++;
    printf("  plan         %d phases, %d calls; %d kernels, %d matrix kernels\n", phases, calls, c->instances, c->kernels);
    printf("  frame        %.3f MB an image in flight (lower bound of this schedule %.3f)\n", (double)p->frame_bytes * 1e-6,
           (double)p->frame_bound * 1e-6);
    printf("  scratch      %.3f MB a thread (lower bound %.3f)\n", (double)p->scratch_bytes * 1e-6, (double)p->scratch_bound * 1e-6);
    if (p->prelude)
        printf("  once a run   %d of the phases and calls, which no image has a part in; %.3f MB (lower bound %.3f)\n", p->prelude, (double)p->shared_bytes * 1e-6,
               (double)p->shared_bound * 1e-6);
    if (p->together > 1) printf("  batches      up to %d images together on a thread, each with its own frame and scratch\n", p->together);
    printf("  weights      %.1f MB in %d sections\n", (double)c->weight_bytes * 1e-6, c->sections);
    const double all = p->flop > 0 ? p->flop : 1, linear = p->linear_flop > 0 ? p->linear_flop : 1;
    printf("  arithmetic   %.2f GFLOP an image, %.1f %% on matrix kernels; of linear layers %.1f %%%s", p->flop * 1e-9, 100 * p->gemm_flop / all,
           100 * p->linear_gemm_flop / linear, o->kernels == KERNELS_PORTABLE ? " (portable code)" : "");
    if (p->linear_row_flop > 0) printf(", %.1f %% on those of a single row", 100 * p->linear_row_flop / linear);
    printf("\n");
    if (c->code_bytes) printf("  machine code %.1f KB of matrix kernels for SSE, AVX2 and AVX-512\n", (double)c->code_bytes * 1e-3);
    printf("  written      %s/%s.c and kernels, %d lines, in %.2f s\n", o->out, name, c->source_lines, seconds);
}
