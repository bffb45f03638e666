/* Attention over the latents of a context in plain floats, for every processor and for fp32 caches. */
#pragma once
#include "decode_dot.h"

#define KEYS 32 /* tokens of the context that are worked on at a time */

static int64_t padded(int64_t n) { return (n + GROUP - 1) / GROUP * GROUP; }
static int64_t ceiling(int64_t a, int64_t b) { return (a + b - 1) / b; }
static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* out[r] += sum over four rows of w, [4, cols], of q times row */
#define COMBINE(NAME, TYPE, LOAD, ONE)                                                                                 \
    static void NAME(float *out, const TYPE *w, int64_t cols, int64_t from, int64_t to, const float *q) {              \
        int64_t i = from;                                                                                              \
        for (; i + LANES <= to; i += LANES) {                                                                          \
            vf acc = load(out + i);                                                                                    \
            UNROLL for (int n = 0; n < 4; n++) acc += LOAD(w + n * cols + i) * q[n];                                   \
            store(out + i, acc);                                                                                       \
        }                                                                                                              \
        for (; i < to; i++) {                                                                                          \
            for (int n = 0; n < 4; n++) out[i] += ONE(w[n * cols + i]) * q[n];                                         \
        }                                                                                                              \
    }
COMBINE(combine_fp32, float, load, SAME)
COMBINE(combine_bf16, uint16_t, load_bf16, from_bf16)

#if LANES == 16
#define TILE 4 /* heads that go through the keys together */
#else
#define TILE 2
#endif

/* scores[h, k] = q[h] . keys[k] for all heads; widths padded with zeros */
static void score(const float *q, const float *keys, float *scores, int64_t heads, int64_t count, int64_t width) {
    for (int64_t h = 0; h < heads; h += TILE) {
        for (int64_t k = 0; k < count; k += 4) {
            vf acc[TILE][4] = {{{0}}};
            for (int64_t i = 0; i < width; i += LANES) {
                vf ks[4];
                UNROLL for (int j = 0; j < 4; j++) ks[j] = load(keys + (k + j) * width + i);
                UNROLL for (int t = 0; t < TILE; t++) {
                    const vf qs = load(q + (h + t) * width + i);
                    UNROLL for (int j = 0; j < 4; j++) acc[t][j] += qs * ks[j];
                }
            }
            UNROLL for (int t = 0; t < TILE; t++) UNROLL for (int j = 0; j < 4; j++) {
                scores[(h + t) * KEYS + k + j] = sum(acc[t][j]);
            }
        }
    }
}

/* out[h] += sum over k of p[h, k] * keys[k], the first `rank` columns, in whole groups */
static void gather(const float *p, const float *keys, float *out, int64_t heads, int64_t count, int64_t width,
                   int64_t rank) {
    for (int64_t h = 0; h < heads; h += TILE) {
        for (int64_t i = 0; i < rank; i += 4 * LANES) {
            vf acc[TILE][4];
            UNROLL for (int t = 0; t < TILE; t++) UNROLL for (int j = 0; j < 4; j++) {
                acc[t][j] = load(out + (h + t) * rank + i + j * LANES);
            }
            for (int64_t k = 0; k < count; k++) {
                vf ks[4];
                UNROLL for (int j = 0; j < 4; j++) ks[j] = load(keys + k * width + i + j * LANES);
                UNROLL for (int t = 0; t < TILE; t++) {
                    const float weight = p[(h + t) * KEYS + k];
                    UNROLL for (int j = 0; j < 4; j++) acc[t][j] += ks[j] * weight;
                }
            }
            UNROLL for (int t = 0; t < TILE; t++) UNROLL for (int j = 0; j < 4; j++) {
                store(out + (h + t) * rank + i + j * LANES, acc[t][j]);
            }
        }
    }
}

/* Tokens of the cache as fp32, widths filled up with zeros (which are there), their number to a multiple of four. */
static void read_keys(float *keys, const void *cache, int64_t kind, int64_t place, int64_t count, int64_t width) {
    const int64_t wide = padded(width);
    for (int64_t k = 0; k < count; k++, place += width, keys += wide) {
        if (kind == FP32) {
            memcpy(keys, (const float *)cache + place, width * sizeof(float));
        } else {
            const uint16_t *bits = (const uint16_t *)cache + place;
            for (int64_t i = 0; i < width; i++) keys[i] = from_bf16(bits[i]);
        }
    }
    for (; count % 4; count++, keys += wide) memset(keys, 0, wide * sizeof(float));
}

/* `count` tokens of the cache from element `place` on: for each head `out` [R] the sum of exp(score - most) * latent,
 * `most` the greatest score and `total` the sum of the exponentials. `keys` and `scores` are room for KEYS tokens. */
static void attend_floats(float *keys, float *scores, const float *q, const void *cache, int64_t kind, int64_t place,
                          int64_t count, int64_t width, int64_t rank, int64_t heads, float *out, float *most,
                          float *total) {
    const int64_t busy = ceiling(heads, 4) * 4, wide = padded(width);
    memset(out, 0, busy * rank * sizeof(float));
    for (int64_t h = 0; h < busy; h++) most[h] = -1e30f, total[h] = 0;
    for (int64_t k = 0; k < count; k += KEYS) {
        const int64_t some = least(KEYS, count - k), full = ceiling(some, 4) * 4;
        read_keys(keys, cache, kind, place + k * width, some, width);
        score(q, keys, scores, busy, full, wide);
        for (int64_t h = 0; h < busy; h++) {
            float *p = scores + h * KEYS, top = most[h], part = 0;
            for (int64_t j = 0; j < some; j++) top = p[j] > top ? p[j] : top;
            if (top > most[h]) {
                const float shrink = exponential(most[h] - top);
                total[h] *= shrink;
                for (int64_t i = 0; i < rank; i++) out[h * rank + i] *= shrink;
                most[h] = top;
            }
            for (int64_t j = 0; j < some; j++) p[j] = exponential(p[j] - top), part += p[j];
            for (int64_t j = some; j < full; j++) p[j] = 0;
            total[h] += part;
        }
        gather(scores, keys, out, busy, full, wide, rank);
    }
}
