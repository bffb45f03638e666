/* One decode step of the whole decoder for one to sixteen rows, at the speed of memory.
 *
 * Every thread walks through the layers. A phase's work is cut in items that threads claim, and it is over when its
 * items are done, wherever the threads are: one that the machine has put aside holds nobody up, and finds nothing left
 * to claim. Small things (norms, the choice of experts) every thread does for itself before it claims; from inputs that
 * only later phases change, so that whoever gets an item has them right.
 * Shapes: D width, H heads, R latent rank, W = R + rope the width of a cached token, all row after row.
 */
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

/* ---- attention ---- */

static void rotate(const Model *m, float *x, int64_t position) { /* adjacent pairs, as rope.py */
    for (int64_t j = 0; j < m->rope / 2; j++) {
        const float angle = (float)position * m->frequencies[j];
        const float cosine = (float)cos((double)angle), sine = (float)sin((double)angle);
        const float a = x[2 * j], b = x[2 * j + 1];
        x[2 * j] = a * cosine - b * sine;
        x[2 * j + 1] = a * sine + b * cosine;
    }
}

/* Whether the context goes through matrix tiles: bf16, and widths that fill them. */
static int by_tiles(const Run *s) {
    const Model *m = s->m;
    return HAS_TILES && m->tiles && s->c->cache_kind == BF16 && m->rank % 32 == 0 && (m->rank + m->rope) % 32 == 0;
}

/* A head's query for the tiles: columns from..to, in pairs between those of the 15 other heads. */
static void pair_up(const Run *s, int64_t b, int64_t head, const float *q, int64_t from, int64_t to) {
    const Model *m = s->m;
    const int64_t width = m->rank + m->rope;
    uint16_t *out = s->tile_q + (b * padded_heads(m) / 16 + head / 16) * width * 16 + head % 16 * 2;
    for (int64_t i = from; i < to; i++) out[i / 2 * 32 + i % 2] = to_bf16(q[i]);
}

static void project_inputs(const Run *s, Own *own, const Layer *l, int64_t phase) {
    const Model *m = s->m;
    const int rows = (int)s->c->rows;
    const int64_t chunk = chunk_of(s, l->q.rows + l->kv_a.rows, l->q.row_bytes), split = ceiling(l->q.rows, chunk);
    const Vec *x[MAX_ROWS];
    float *y[MAX_ROWS];
    norm_rows(s, own, l->attention_norm, &l->q, &l->kv_a);
    point(x, own->x, rows);
    EACH_ITEM(item, split + ceiling(l->kv_a.rows, chunk)) {
        const Matrix *w = item < split ? &l->q : &l->kv_a;
        const int64_t first = (item < split ? item : item - split) * chunk;
        for (int b = 0; b < rows; b++) {
            y[b] = item < split ? s->q + b * l->q.rows + first : s->kv_a + b * token_width(m) + first;
        }
        multiply_rows(w, first, least(chunk, w->rows - first), x, rows, &own->packed, NULL, y);
    }
}

static void append(const Run *s, const Layer *l, int64_t index) { /* the new token's latent and rotated key */
    const Model *m = s->m;
    const int64_t width = m->rank + m->rope;
    for (int64_t b = 0; b < s->c->rows; b++) {
        float *token = s->kv_a + b * token_width(m);
        normalise(token, token, l->latent_norm, m->rank, m->latent_eps);
        rotate(m, token + m->rank, s->c->positions[b]);
        const int64_t place =
            index * s->c->layer_stride + s->c->cache_rows[b] * s->c->row_stride + s->c->lengths[b] * width;
        if (s->c->cache_kind == FP32) memcpy((float *)s->c->cache + place, token, width * sizeof(float));
        else for (int64_t i = 0; i < width; i++) ((uint16_t *)s->c->cache)[place + i] = to_bf16(token[i]);
    }
}

/* The head's query carried into the latent space, for columns from..to, scaled; with them goes the rotated part. */
static void absorb(const Run *s, const Layer *l, int64_t head, int64_t from, int64_t to) {
    const Model *m = s->m;
    const int64_t first = head * (m->nope + m->value), heads = padded_heads(m);
    const float scale = 1.0f / sqrtf((float)(m->nope + m->rope));
    float *out[MAX_ROWS], *q[MAX_ROWS];
    for (int64_t b = 0; b < s->c->rows; b++) {
        q[b] = s->q + b * l->q.rows + head * (m->nope + m->rope);
        out[b] = s->latent_q + (b * heads + head) * token_width(m);
        memset(out[b] + from, 0, (to - from) * sizeof(float));
    }
    for (int64_t n = 0; n < m->nope; n += 4) {
        const int64_t count = least(4, m->nope - n), row = n + 4 <= m->nope ? n : m->nope < 4 ? 0 : m->nope - 4;
        for (int64_t b = 0; b < s->c->rows; b++) {
            float part[4] = {0};
            for (int64_t i = 0; i < count; i++) part[n + i - row] = q[b][n + i];
            const int64_t place = (first + row) * m->rank;
            const float *wide = (const float *)l->kv_b.data + place;
            const uint16_t *half = (const uint16_t *)l->kv_b.data + place;
            if (l->kv_b.kind == FP32) combine_fp32(out[b], wide, m->rank, from, to, part);
            else combine_bf16(out[b], half, m->rank, from, to, part);
        }
    }
    for (int64_t b = 0; b < s->c->rows; b++) {
        for (int64_t i = from; i < to; i++) out[b][i] *= scale;
        if (by_tiles(s)) pair_up(s, b, head, out[b], from, to);
        if (to < m->rank) continue;
        memcpy(out[b] + m->rank, q[b] + m->nope, m->rope * sizeof(float));
        rotate(m, out[b] + m->rank, s->c->positions[b]);
        for (int64_t i = 0; i < m->rope; i++) out[b][m->rank + i] *= scale;
        if (by_tiles(s)) pair_up(s, b, head, out[b], m->rank, m->rank + m->rope);
    }
}

static void enter_latent_space(const Run *s, const Layer *l, int64_t index, int64_t phase) {
    const Model *m = s->m;
    const int64_t wanted = ceiling(4 * s->c->threads, m->heads);
    const int64_t span = ceiling(ceiling(m->rank, wanted), 32) * 32, parts = ceiling(m->rank, span);
    EACH_ITEM(item, 1 + m->heads * parts) {
        if (item == 0) {
            append(s, l, index);
            continue;
        }
        const int64_t head = (item - 1) / parts, from = (item - 1) % parts * span;
        absorb(s, l, head, from, least(from + span, m->rank));
    }
}

/* Keys start..end of row b, all heads at once: the context is read once. */
static void attend(const Run *s, Own *own, int64_t index, int64_t b, int64_t start, int64_t end, int64_t slot) {
    const Model *m = s->m;
    const int64_t width = m->rank + m->rope, heads = padded_heads(m), rank = padded(m->rank);
    const int64_t place = index * s->c->layer_stride + s->c->cache_rows[b] * s->c->row_stride + start * width;
    float *out = s->partial + slot * heads * rank, *most = s->most + slot * heads, *total = s->total + slot * heads;
#if HAS_TILES
    if (by_tiles(s)) {
        const uint16_t *keys = (const uint16_t *)s->c->cache + place, *q = s->tile_q + b * heads * width;
        attend_tiles(&own->tiles, q, keys, end - start, width, rank, heads / 16, out, most, total);
        return;
    }
#endif
    const float *q = s->latent_q + b * heads * token_width(m);
    attend_floats(own->keys, own->scores, q, s->c->cache, s->c->cache_kind, place, end - start, width, rank, m->heads,
                  out, most, total);
}

static int64_t chunks_of(const Run *s) { /* parts that every row's context is cut in */
    int64_t longest = 0;
    for (int64_t b = 0; b < s->c->rows; b++) longest = s->c->lengths[b] > longest ? s->c->lengths[b] : longest;
    return least(ceiling(longest + 1, 2 * KEYS), ceiling(4 * s->c->threads, s->c->rows));
}

static void attend_all(const Run *s, Own *own, int64_t index, int64_t phase) {
    const int64_t chunks = chunks_of(s);
    EACH_ITEM(item, s->c->rows * chunks) {
        const int64_t b = item / chunks, length = s->c->lengths[b] + 1;
        const int64_t span = ceiling(ceiling(length, chunks), KEYS) * KEYS, start = item % chunks * span;
        attend(s, own, index, b, start, least(start + span, length), item);
    }
}

/* Merge the chunks of a head and carry the sum out of the latent space. */
static void leave_latent_space(const Run *s, Own *own, const Layer *l, int64_t phase) {
    const Model *m = s->m;
    const int64_t chunks = chunks_of(s), heads = padded_heads(m);
    const int64_t rank = padded(m->rank), stride = padded(m->heads * m->value);
    const int rows = (int)s->c->rows;
    EACH_ITEM(head, m->heads) {
        const Vec *x[MAX_ROWS];
        float *y[MAX_ROWS];
        for (int b = 0; b < rows; b++) {
            float top = -1e30f, total = 0, *sum = own->merged + b * rank;
            memset(sum, 0, rank * sizeof(float));
            for (int64_t c = b * chunks; c < (b + 1) * chunks; c++) {
                top = s->most[c * heads + head] > top ? s->most[c * heads + head] : top;
            }
            for (int64_t c = b * chunks; c < (b + 1) * chunks; c++) {
                const float weight = exponential(s->most[c * heads + head] - top);
                total += weight * s->total[c * heads + head];
                add(sum, s->partial + (c * heads + head) * rank, weight, rank);
            }
            for (int64_t i = 0; i < rank; i++) sum[i] /= total;
            own->in[b].f = sum;
            y[b] = s->attended + b * stride + head * m->value;
        }
        point(x, own->in, rows);
        pack(&own->packed_in[0], x, rows, m->rank);
        multiply_rows(&l->kv_b, head * (m->nope + m->value) + m->nope, m->value, x, rows, &own->packed_in[0], NULL, y);
    }
}

static void project_attended(const Run *s, Own *own, const Layer *l, int64_t phase) {
    const int64_t chunk = chunk_of(s, l->o.rows, l->o.row_bytes);
    prepare_in(s, own, s->attended, padded(s->m->heads * s->m->value), &l->o);
    EACH_ITEM(item, ceiling(l->o.rows, chunk)) {
        multiply_add(s, own, &l->o, item * chunk, least(chunk, l->o.rows - item * chunk));
    }
}

/* ---- the MLP and the experts ---- */

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

static void predict(const Run *s, Own *own, int64_t phase) {
    const Matrix *head = &s->m->head;
    const int64_t chunk = chunk_of(s, head->rows, head->row_bytes);
    const int rows = (int)s->c->rows;
    const Vec *x[MAX_ROWS];
    float *y[MAX_ROWS];
    norm_rows(s, own, s->m->final_norm, head, NULL);
    point(x, own->x, rows);
    EACH_ITEM(item, ceiling(head->rows, chunk)) {
        const int64_t first = item * chunk;
        for (int b = 0; b < rows; b++) y[b] = s->c->logits + b * head->rows + first;
        multiply_rows(head, first, least(chunk, head->rows - first), x, rows, &own->packed, NULL, y);
    }
}

static void walk(void *data) {
    const Run *s = data;
    Own *own = &s->own[omp_get_thread_num()];
    int64_t phase = 0;
#if HAS_TILES
    if (s->m->tiles) begin_tiles();
#endif
#define PHASE(WORK)                                                                                                    \
    if (!is_over(s, phase)) WORK;                                                                                      \
    wait_for(s, phase++)
    for (int64_t index = 0; index < s->m->layers; index++) {
        const Layer *l = &s->m->layer[index];
        own->has_normed = 0;
        PHASE(project_inputs(s, own, l, phase));
        PHASE(enter_latent_space(s, l, index, phase));
        PHASE(attend_all(s, own, index, phase));
        PHASE(leave_latent_space(s, own, l, phase));
        PHASE(project_attended(s, own, l, phase));
        PHASE(first_products(s, own, l, phase));
        PHASE(second_products(s, own, l, phase));
        if (l->router.data) {
            PHASE(third_products(s, own, l, phase));
        }
    }
    if (!is_over(s, phase)) predict(s, own, phase);
#if HAS_TILES
    if (s->m->tiles) _tile_release();
#endif
}

/* ---- what Python calls ---- */

int64_t struct_bytes(int64_t which) {
    return which == 0 ? sizeof(Matrix) : which == 1 ? sizeof(Layer) : which == 2 ? sizeof(Model) : sizeof(Call);
}

/* Nonzero if the processor has matrix tiles that this code uses and the process may. */
int64_t request_tiles(void) {
#if HAS_TILES
    return ask_for_tiles();
#else
    return 0;
#endif
}

int64_t scratch_bytes(const Model *m, int64_t threads) {
    Run s;
    return lay_out(&s, m, threads, NULL);
}

void decode_step(const Model *m, const Call *c) {
    Run s = {.m = m, .c = c};
    lay_out(&s, m, c->threads, c->scratch);
    memset(s.phases, 0, (m->layers * 8 + 2) * sizeof(Phase));
    for (int64_t b = 0; b < c->rows; b++) {
        for (int64_t i = 0; i < m->width; i++) {
            const int64_t place = b * m->width + i;
            s.x[b * padded(m->width) + i] =
                c->x_kind == FP32 ? ((const float *)c->x)[place] : from_bf16(((const uint16_t *)c->x)[place]);
        }
    }
    GOMP_parallel(walk, &s, (unsigned)c->threads, 0);
}
