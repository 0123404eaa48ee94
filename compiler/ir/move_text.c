/* Moves as text: "[N, 197@1, 12@2*64, 64@2] +[0, 1, 0] %[0, 56, 0]". A digit without "@" steps along the axis of its own place. */
#include "move.h"

#include <inttypes.h>
#include <string.h>

#include "../base/strbuf.h"
#include "text.h"

static void put_list(strbuf *b, const char *sign, const int64_t *item, int count)
{
    bool any = false;
    for (int i = 0; i < count; i++) any |= item[i] != 0;
    if (!any) return;
    strbuf_printf(b, " %s[", sign);
    for (int i = 0; i < count; i++) strbuf_printf(b, "%s%" PRId64, i ? ", " : "", item[i]);
    strbuf_add(b, "]");
}

const char *move_text(arena *a, const dim_symbols *s, const move *m)
{
    strbuf b = strbuf_in(a);
    strbuf_add(&b, "[");
    for (int i = 0; i < m->digits; i++) {
        const move_digit *d = &m->digit[i];
        strbuf_printf(&b, "%s%s", i ? ", " : "", dim_text(a, s, d->extent));
        if (d->axis < 0) strbuf_add(&b, "@_");
        else strbuf_printf(&b, "@%d", d->axis);
        if (d->axis >= 0 && d->step != 1) strbuf_printf(&b, "*%" PRId64, d->step);
    }
    strbuf_add(&b, "]");
    put_list(&b, "+", m->offset, m->rank);
    put_list(&b, "%", m->wrap, m->rank);
    return b.text;
}

static bool parse_digit(const dim_symbols *s, const char **at, int place, move_digit *d)
{
    int64_t axis;
    *d = (move_digit){.axis = place, .step = 1};
    if (!dim_parse(s, *at, at, &d->extent)) return false;
    if (!text_accept(at, "@")) return place < IR_RANK_MAX;
    if (text_accept(at, "_")) {
        d->axis = -1;
        d->step = 0;
        return true;
    }
    if (!text_int64(at, &axis) || axis < 0 || axis >= IR_RANK_MAX) return false;
    d->axis = (int)axis;
    return !text_accept(at, "*") || (text_int64(at, &d->step) && d->step != 0);
}

static bool parse_list(const char **at, const char *sign, int64_t *item, int *count)
{
    if (!text_accept(at, sign)) return true;
    if (!text_accept(at, "[")) return false;
    for (int i = 0; i < IR_RANK_MAX; i++) {
        if (i > 0 && !text_accept(at, ",")) return false;
        if (!text_int64(at, &item[i])) return false;
        if (i + 1 > *count) *count = i + 1;
        if (text_accept(at, "]")) return true;
    }
    return false;
}

/* The rank is the least that holds what is named: whoever knows the source sets it. */
bool move_parse(const dim_symbols *s, const char *text, const char **end, move *out)
{
    const char *at = text;
    move m;
    memset(&m, 0, sizeof m);
    if (!text_accept(&at, "[")) return false;
    if (!text_accept(&at, "]")) {
        do {
            if (m.digits == MOVE_DIGITS_MAX || !parse_digit(s, &at, m.digits, &m.digit[m.digits])) return false;
            if (m.digit[m.digits].axis >= m.rank) m.rank = m.digit[m.digits].axis + 1;
            m.digits++;
        } while (text_accept(&at, ","));
        if (!text_accept(&at, "]")) return false;
    }
    if (!parse_list(&at, "+", m.offset, &m.rank) || !parse_list(&at, "%", m.wrap, &m.rank)) return false;
    for (int i = 0; i < m.rank; i++)
        if (m.wrap[i] < 0) return false;
    if (end) *end = at;
    *out = m;
    return true;
}
