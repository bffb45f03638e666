/* The MLP, and the routed and shared experts, read in place. */
#pragma once
#include "decode_state.h"

static void norm_for_mlp(const Run *s, Own *own, const Layer *l) {
    const Matrix *first = l->gate.data ? &l->gate : &l->routed_in;
    norm_rows(s, own, l->mlp_norm, first, l->router.data ? &l->routed_in : NULL);
}

/* Items: the router's scores, then the dense or shared gate and up rows. */
static void first_products(const Run *s, Own *own, const Layer *l, int64_t phase) {
    const Model *m = s->m;
    const int rows = (int)s->c->rows;
    const int64_t stride = padded(m->widest), routers = l->router.data ? ceiling(m->experts, 16) : 0;
    const int64_t chunk = l->gate.data ? chunk_of(s, l->gate.rows, 2 * l->gate.row_bytes) : 4;
    const Vec *x[MAX_ROWS];
    float *y[MAX_ROWS];
    norm_for_mlp(s, own, l);
    point(x, own->x, rows);
    own->has_normed = 0;
    EACH_ITEM(item, routers + (l->gate.data ? ceiling(l->gate.rows, chunk) : 0)) {
        own->has_normed = 1;
        if (item < routers) {
            for (int b = 0; b < rows; b++) y[b] = s->affinity + b * padded(m->experts) + item * 16;
            multiply_rows(&l->router, item * 16, least(16, m->experts - item * 16), x, rows, &own->packed, NULL, y);
            continue;
        }
        const int64_t first = (item - routers) * chunk;
        for (int b = 0; b < rows; b++) y[b] = s->inner + b * stride + first;
        gated(own, &l->gate, first, &l->up, first, least(chunk, l->gate.rows - first), x, rows, NULL, y);
    }
}

/* As `route` of moe.py: the bias shifts the ranking, not the weights. Rows are then grouped by expert. */
static void choose(const Run *s, Own *own, const Layer *l) {
    const Model *m = s->m;
    own->groups = 0;
    for (int64_t b = 0; b < s->c->rows; b++) {
        const float *logits = s->affinity + b * padded(m->experts);
        int64_t chosen[MAX_ACTIVE];
        float total = 0, *affinity = own->affinity, *rank = own->rank;
        for (int64_t e = 0; e < m->experts; e++) affinity[e] = 1.0f / (1.0f + exponential(-logits[e]));
        for (int64_t e = 0; e < m->experts; e++) rank[e] = affinity[e] + l->router_bias[e];
        for (int64_t a = 0; a < m->active; a++) {
            float best = 0;
            int64_t expert = -1; /* A different ones, even of scores that are no numbers */
            for (int64_t e = 0; e < m->experts; e++) {
                int taken = 0;
                for (int64_t i = 0; i < a; i++) taken |= chosen[i] == e;
                if (!taken && (expert < 0 || rank[e] > best)) best = rank[e], expert = e;
            }
            chosen[a] = expert;
            own->weights[b][a] = affinity[expert];
            total += own->weights[b][a];
            int g = 0;
            while (g < own->groups && own->group[g].expert != expert) g++;
            if (g == own->groups) own->group[own->groups++] = (Group){.expert = expert};
            Group *group = &own->group[g];
            group->row[group->count] = (int)b;
            group->slot[group->count++] = (int)(b * m->active + a);
        }
        const float factor = m->normalise ? m->routed_scale / (total + 1e-20f) : m->routed_scale;
        for (int64_t a = 0; a < m->active; a++) own->weights[b][a] *= factor;
    }
}

/* Items: the dense down rows, or the chosen experts' gate and up rows. */
static void second_products(const Run *s, Own *own, const Layer *l, int64_t phase) {
    const Model *m = s->m;
    if (!l->router.data) {
        const int64_t chunk = chunk_of(s, l->down.rows, l->down.row_bytes);
        prepare_in(s, own, s->inner, padded(m->widest), &l->down);
        EACH_ITEM(item, ceiling(l->down.rows, chunk)) {
            multiply_add(s, own, &l->down, item * chunk, least(chunk, l->down.rows - item * chunk));
        }
        return;
    }
    if (!own->has_normed) norm_for_mlp(s, own, l); /* too late, it may be, for the phase before */
    choose(s, own, l);
    const int64_t chunk = chunk_of(s, m->inner * own->groups, 2 * l->routed_in.row_bytes);
    const int64_t parts = ceiling(m->inner, chunk), stride = padded(m->inner);
    EACH_ITEM(item, own->groups * parts) {
        const Group *group = &own->group[item / parts];
        const int64_t first = item % parts * chunk, gate = group->expert * 2 * m->inner + first;
        const int64_t rows = least(chunk, m->inner - first);
        const Vec *x[MAX_ROWS];
        float *y[MAX_ROWS];
        for (int i = 0; i < group->count; i++) {
            x[i] = &own->x[group->row[i]];
            y[i] = s->routed + group->slot[i] * stride + first;
        }
        gated(own, &l->routed_in, gate, &l->routed_in, gate + m->inner, rows, x, group->count,
              group->row, y);
    }
}

/* Items: rows of the width; each sums the down rows of the shared and the chosen experts. */
static void third_products(const Run *s, Own *own, const Layer *l, int64_t phase) {
    const Model *m = s->m;
    const int64_t chunk = chunk_of(s, m->width, l->routed_out.row_bytes);
    Vec *routed = own->in + MAX_ROWS;
    choose(s, own, l);
    if (l->down.data) prepare_in(s, own, s->inner, padded(m->widest), &l->down);
    for (int64_t i = 0; i < s->c->rows * m->active; i++) {
        routed[i].f = s->routed + i * padded(m->inner);
        prepare(&routed[i], &l->routed_out);
    }
    for (int g = 0, packs = 0; g < own->groups; g++) {
        Group *group = &own->group[g];
        const Vec *x[MAX_ROWS];
        group->pack = 0;
        if (group->count < FEW) continue;
        for (int i = 0; i < group->count; i++) x[i] = &routed[group->slot[i]];
        pack(&own->packed_in[group->pack = ++packs], x, group->count, m->inner);
    }
    EACH_ITEM(item, ceiling(m->width, chunk)) {
        const int64_t first = item * chunk, rows = least(chunk, m->width - first);
        if (l->down.data) multiply_add(s, own, &l->down, first, rows);
        for (int g = 0; g < own->groups; g++) {
            const Group *group = &own->group[g];
            const Vec *x[MAX_ROWS];
            float *y[MAX_ROWS];
            for (int i = 0; i < group->count; i++) {
                x[i] = &routed[group->slot[i]];
                y[i] = own->part[0] + i * MAX_CHUNK;
            }
            const Pack *packed = group->pack ? &own->packed_in[group->pack] : NULL;
            multiply_rows(&l->routed_out, group->expert * m->width + first, rows, x, group->count, packed, NULL, y);
            for (int i = 0; i < group->count; i++) {
                const float weight = own->weights[group->row[i]][group->slot[i] % m->active];
                add(s->x + group->row[i] * padded(m->width) + first, y[i], weight, rows);
            }
        }
    }
}
