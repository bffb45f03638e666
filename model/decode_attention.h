/* Attention with the projections to and from the latents absorbed: the context is read once for all heads. */
#pragma once
#include "decode_state.h"

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
