/* What Python hands over, the scratch laid out from it, how threads share out a phase, and products over rows. */
#pragma once
#include "decode_keys.h"
#include "decode_rows.h"
#include "decode_tiles.h"
#include "decode_tools.h"
#include <math.h>
#include <sched.h>
#include <stddef.h>

typedef struct {
    const float *attention_norm, *latent_norm, *mlp_norm, *router_bias;
    Matrix q, kv_a, kv_b, o;
    Matrix gate, up, down;                /* dense or shared experts; no data where a layer has none */
    Matrix router, routed_in, routed_out; /* [E, D], [E * 2I, D] gate rows then up rows, [E * D, I] */
} Layer;

typedef struct {
    int64_t layers, width, heads, rank, nope, rope, value, experts, active, inner, widest, normalise, tiles;
    float eps, latent_eps, routed_scale, padding;
    const float *frequencies, *final_norm; /* [rope / 2], [D] */
    Matrix head;
    const Layer *layer;
} Model;

typedef struct {
    int64_t rows, threads, x_kind, cache_kind, layer_stride, row_stride; /* strides of the cache in elements */
    const void *x;                                                       /* [rows, D] */
    void *cache;                                                         /* [layers, cache rows, S, W] */
    const int64_t *cache_rows, *lengths, *positions;                     /* lengths without the new token */
    float *logits;                                                       /* [rows, V] */
    char *scratch; /* of `scratch_bytes`, zero at first */
} Call;

#define MAX_ACTIVE 64   /* routed experts of a token */
#define MAX_CHUNK 512   /* weight rows of an item */
#define ITEM_BYTES 1048576

typedef struct {
    int64_t expert;
    int count, row[MAX_ROWS], slot[MAX_ROWS], pack;
} Group; /* the rows that chose an expert */

typedef struct { /* of a phase, how many items there are, are claimed and are done; what is waited for lies apart */
    int64_t items, claimed, done, fill[5], over, apart[7];
} Phase;

typedef struct { /* what a thread has for itself */
    Vec x[MAX_ROWS], in[MAX_ROWS * (MAX_ACTIVE + 1)]; /* normed activations; what a second matrix multiplies */
    Pack packed, packed_in[1 + MAX_ROWS * MAX_ACTIVE / FEW]; /* of x; of `in`, or of the groups' */
    float *normed, *keys, *scores, *merged, *part[2], *affinity, *rank; /* the last two: of the experts, for a row */
    float weights[MAX_ROWS][MAX_ACTIVE];
    Group group[MAX_ROWS * MAX_ACTIVE];
    int groups, has_normed;
#if HAS_TILES
    Tiles tiles;
#endif
} Own;

typedef struct {
    const Model *m;
    const Call *c;
    Phase *phases;
    float *x, *q, *kv_a, *latent_q, *attended, *inner, *routed, *affinity;
    uint16_t *tile_q; /* [rows, heads / 16, W / 2, 16, 2] */
    float *partial, *most, *total; /* of a chunk of the context, a head: sum of latents, greatest score, sum of exp */
    Own *own;
} Run;

/* ---- scratch ---- */

static int64_t token_width(const Model *m) { return padded(m->rank + m->rope); }
static int64_t padded_heads(const Model *m) { return (m->heads + 15) / 16 * 16; }
static int64_t most_packs(const Model *m) { return 1 + MAX_ROWS * m->active / FEW; }
static int64_t most_chunks(int64_t threads) { return 4 * threads + MAX_ROWS; }

static void *take(char **place, int64_t bytes) {
    void *taken = *place;
    *place += (bytes + 127) / 64 * 64;
    return taken;
}

static void take_vec(Vec *x, char **place, int64_t cols, int lay) {
    int16_t *q = take(place, padded(cols) * 2);
    int32_t *zero = take(place, padded(cols) / GROUP * 16 * 4);
    int8_t *bytes = take(place, HAS_BYTES ? (padded(cols) + GROUP) * 2 : 0);
    if (lay) x->q = q, x->zero = zero, x->bytes = bytes;
}

/* Lay everything out from `base`; with none, only count the bytes. */
static int64_t lay_out(Run *s, const Model *m, int64_t threads, char *base) {
    char *place = base;
    const int lay = base != NULL;
    const int64_t heads = padded_heads(m), floats = sizeof(float), width = padded(m->width);
    const int64_t chunks = most_chunks(threads);
    s->phases = take(&place, (m->layers * 8 + 2) * sizeof(Phase));
    s->x = take(&place, MAX_ROWS * width * floats);
    s->q = take(&place, MAX_ROWS * m->heads * (m->nope + m->rope) * floats);
    s->kv_a = take(&place, MAX_ROWS * token_width(m) * floats);
    s->latent_q = take(&place, MAX_ROWS * heads * token_width(m) * floats);
    s->tile_q = take(&place, MAX_ROWS * heads * token_width(m) * 2);
    s->attended = take(&place, MAX_ROWS * padded(m->heads * m->value) * floats);
    s->inner = take(&place, MAX_ROWS * padded(m->widest) * floats);
    s->routed = take(&place, MAX_ROWS * m->active * padded(m->inner) * floats);
    s->affinity = take(&place, MAX_ROWS * padded(m->experts) * floats);
    s->partial = take(&place, chunks * heads * padded(m->rank) * floats);
    s->most = take(&place, chunks * heads * floats);
    s->total = take(&place, chunks * heads * floats);
    s->own = take(&place, threads * sizeof(Own));
    for (int64_t t = 0; t < threads; t++) {
        Own *own = lay ? &s->own[t] : NULL;
        float *normed = take(&place, MAX_ROWS * width * floats);
        float *keys = take(&place, KEYS * token_width(m) * floats);
        float *scores = take(&place, heads * KEYS * floats);
        float *merged = take(&place, MAX_ROWS * padded(m->rank) * floats);
        float *affinity = take(&place, padded(m->experts) * floats), *rank = take(&place, padded(m->experts) * floats);
        float *gates = take(&place, MAX_ROWS * MAX_CHUNK * floats), *ups = take(&place, MAX_ROWS * MAX_CHUNK * floats);
        if (lay) own->normed = normed, own->keys = keys, own->scores = scores, own->merged = merged;
        if (lay) own->part[0] = gates, own->part[1] = ups, own->affinity = affinity, own->rank = rank;
#if HAS_TILES
        uint16_t *pairs = take(&place, TILE_KEYS * padded(m->rank) * 2), *rest = take(&place, 16 * token_width(m) * 2);
        uint16_t *weights = take(&place, TILE_KEYS * 16 * 2);
        float *tile_scores = take(&place, TILE_KEYS * 16 * floats);
        if (lay) own->tiles = (Tiles){pairs, rest, weights, tile_scores};
#endif
        const int64_t outputs = m->heads * m->value;
        const int64_t deepest = outputs > m->widest ? outputs : m->widest;
        for (int b = 0; b < MAX_ROWS; b++) {
            take_vec(lay ? &own->x[b] : NULL, &place, m->width, lay);
            if (lay) own->x[b].f = normed + b * width;
        }
        const int64_t packed = deepest > m->rank ? deepest : m->rank;
        if (HAS_TILES && m->tiles) {
            uint16_t *x = take(&place, width / 32 * PACKED_BYTES);
            uint16_t *in = take(&place, padded(packed) / 32 * PACKED_BYTES);
            if (lay) own->packed.tiles = x, own->packed_in[0].tiles = in;
            for (int64_t i = 1; i < most_packs(m); i++) {
                uint16_t *group = take(&place, padded(m->inner) / 32 * PACKED_BYTES);
                if (lay) own->packed_in[i].tiles = group;
            }
        }
        for (int64_t i = 0; i < MAX_ROWS * (m->active + 1); i++) {
            const int64_t cols = i < MAX_ROWS ? deepest : m->inner;
            take_vec(lay ? &own->in[i] : NULL, &place, cols, lay);
        }
    }
    return place - base;
}

/* ---- work ---- */

/* All agree on the first number: a late thread may have counted from what is no longer there. */
static int64_t agree(const Run *s, int64_t phase, int64_t items) {
    int64_t first = 0;
    return __atomic_compare_exchange_n(&s->phases[phase].items, &first, items, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
               ? items
               : first;
}

static int64_t claim(const Run *s, int64_t phase) {
    return __atomic_fetch_add(&s->phases[phase].claimed, 1, __ATOMIC_ACQ_REL);
}

static void finish(const Run *s, int64_t phase, int64_t items) {
    Phase *p = &s->phases[phase];
    if (__atomic_add_fetch(&p->done, 1, __ATOMIC_ACQ_REL) == items) __atomic_store_n(&p->over, 1, __ATOMIC_RELEASE);
}

static int is_over(const Run *s, int64_t phase) {
    return __atomic_load_n(&s->phases[phase].over, __ATOMIC_ACQUIRE) != 0;
}

static void wait_for(const Run *s, int64_t phase) {
    for (int turns = 0; !is_over(s, phase); turns++) {
        if (turns > 2000) sched_yield(); /* whoever has the last item may need this processor */
#if defined(__x86_64__)
        else _mm_pause();
#endif
    }
}

#define EACH_ITEM(item, wanted)                                                                                        \
    for (int64_t items = agree(s, phase, wanted), item = claim(s, phase); item < items;                                \
         finish(s, phase, items), item = claim(s, phase))

/* Rows of an item: enough bytes for long reads, few enough that the threads end together. */
static int64_t chunk_of(const Run *s, int64_t rows, int64_t row_bytes) {
    int64_t chunk = least(ITEM_BYTES / row_bytes, rows / (4 * s->c->threads)) / 4 * 4;
    if (s->c->rows >= FEW && s->m->tiles && chunk > 16) chunk = chunk / 16 * 16;
    return chunk < 4 ? 4 : least(chunk, MAX_CHUNK);
}

static void normalise(float *out, const float *x, const float *weight, int64_t n, float eps) {
    float total = 0;
    for (int64_t i = 0; i < n; i++) total += x[i] * x[i];
    const float factor = 1.0f / sqrtf(total / (float)n + eps);
    for (int64_t i = 0; i < n; i++) out[i] = weight[i] * (x[i] * factor);
}

static void point(const Vec **to, Vec *from, int64_t count) {
    for (int64_t b = 0; b < count; b++) to[b] = &from[b];
}

/* The residual stream, normed, ready for products with `first` and `second`. */
static void norm_rows(const Run *s, Own *own, const float *weight, const Matrix *first, const Matrix *second) {
    const int64_t width = s->m->width, stride = padded(width);
    for (int64_t b = 0; b < s->c->rows; b++) {
        normalise(own->normed + b * stride, s->x + b * stride, weight, width, s->m->eps);
        prepare(&own->x[b], first);
        if (second && second->kind != first->kind) prepare(&own->x[b], second);
    }
    const Vec *x[MAX_ROWS];
    point(x, own->x, s->c->rows);
    pack(&own->packed, x, (int)s->c->rows, width);
}

static void add(float *x, const float *y, float weight, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] += weight * y[i];
}

static void swiglu(float *out, const float *gate, const float *up, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[i] = gate[i] / (1.0f + exponential(-gate[i])) * up[i];
}

/* An item of gate and up rows: out[b][first..] = silu(gate x) * up x. */
static void gated(Own *own, const Matrix *gate, int64_t gate_row, const Matrix *up, int64_t up_row, int64_t rows,
                  const Vec *const *x, int count, const int *column, float *const *out) {
    float *gates[MAX_ROWS], *ups[MAX_ROWS];
    for (int b = 0; b < count; b++) gates[b] = own->part[0] + b * MAX_CHUNK, ups[b] = own->part[1] + b * MAX_CHUNK;
    multiply_rows(gate, gate_row, rows, x, count, &own->packed, column, gates);
    multiply_rows(up, up_row, rows, x, count, &own->packed, column, ups);
    for (int b = 0; b < count; b++) swiglu(out[b], gates[b], ups[b], rows);
}

/* An item of rows added to the residual stream. */
static void multiply_add(const Run *s, Own *own, const Matrix *m, int64_t first, int64_t rows) {
    const Vec *x[MAX_ROWS];
    float *y[MAX_ROWS];
    point(x, own->in, s->c->rows);
    for (int64_t b = 0; b < s->c->rows; b++) y[b] = own->part[0] + b * MAX_CHUNK;
    multiply_rows(m, first, rows, x, (int)s->c->rows, &own->packed_in[0], NULL, y);
    for (int64_t b = 0; b < s->c->rows; b++) add(s->x + b * padded(s->m->width) + first, y[b], 1.0f, rows);
}

static void prepare_in(const Run *s, Own *own, const float *f, int64_t stride, const Matrix *m) {
    for (int64_t b = 0; b < s->c->rows; b++) {
        own->in[b].f = f + b * stride;
        prepare(&own->in[b], m);
    }
    const Vec *x[MAX_ROWS];
    point(x, own->in, s->c->rows);
    pack(&own->packed_in[0], x, (int)s->c->rows, m->cols);
}
