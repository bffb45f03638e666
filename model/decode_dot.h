/* Dot products of weight rows with up to sixteen activation vectors, for the four ways a weight may be stored.
 *
 * One source for every processor: floats are compiler vectors, whole numbers have an AVX-512, an AVX2 and a plain form.
 * Memory is the limit of all this: each weight is read once, whatever the number of vectors.
 */
#pragma once
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")
#define MAX_ROWS 16
#define LARGEST 32639.0f /* of an activation in fixed point: so that both its bytes can be signed */
#define GROUP 64 /* columns that share a scale in 4-bit weights */

enum { FP32, BF16, INT8, INT4 };

typedef struct { /* [rows, cols], row after row; an expert's matrix follows the one before it */
    const void *data, *scales; /* scales: fp32 a row (INT8), fp16 a group (INT4) */
    int64_t rows, cols, row_bytes;
    int64_t kind;
} Matrix;

typedef struct { /* an activation vector, as fp32 and, where a kernel needs them, as whole numbers */
    const float *f;
    int16_t *q;    /* x / scale, zero-padded to a multiple of GROUP */
    int32_t *zero; /* for each group, the lanes that 4-bit codes begin from: minus eight times the sums of q */
    int8_t *bytes; /* q in bytes, as decode_bytes.h has it */
    float scale;
} Vec;

#if defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#define HAS_BYTES 1
#else
#define HAS_BYTES 0
#endif

/* ---- floats ---- */

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif
typedef float vf __attribute__((vector_size(LANES * 4)));
typedef uint32_t vu __attribute__((vector_size(LANES * 4)));
typedef float vf_any __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef uint16_t vh_any __attribute__((vector_size(LANES * 2), aligned(2), may_alias));

INLINE vf load(const float *p) { return *(const vf_any *)p; }
INLINE void store(float *p, vf v) { *(vf_any *)p = v; }
INLINE vf load_bf16(const uint16_t *p) { return (vf)(__builtin_convertvector(*(const vh_any *)p, vu) << 16); }

INLINE float sum(vf v) {
#if defined(__AVX512F__)
    return _mm512_reduce_add_ps((__m512)v);
#else
    float total = 0;
    for (int i = 0; i < LANES; i++) total += v[i];
    return total;
#endif
}

INLINE float from_bf16(uint16_t bits) {
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, 4);
    return value;
}

INLINE uint16_t to_bf16(float value) { /* nearest, ties to even; NaN stays NaN */
    uint32_t wide;
    memcpy(&wide, &value, 4);
    if ((wide & 0x7fffffff) > 0x7f800000) return 0x7fc0;
    return (uint16_t)((wide + 0x7fff + ((wide >> 16) & 1)) >> 16);
}

INLINE float from_half(uint16_t half) {
#if defined(__F16C__)
    return _cvtsh_ss(half);
#else
    uint32_t wide = (uint32_t)(half & 0x8000) << 16 | (uint32_t)(half & 0x7fff) << 13;
    float value;
    memcpy(&value, &wide, 4);
    return value * 0x1p112f; /* moves the exponent's bias; scales are finite */
#endif
}

INLINE float exponential(float x) { /* within 2e-7 of e^x; a loop of it becomes vector code */
    x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    float y = x * 1.44269504f;
    int32_t n = (int32_t)(y + (y < 0 ? -0.5f : 0.5f));
    float f = __builtin_fmaf((float)n, -0.693145752f, x);
    f = __builtin_fmaf((float)n, -1.42860677e-6f, f);
    float p = 1.0f / 720;
    p = p * f + 1.0f / 120;
    p = p * f + 1.0f / 24;
    p = p * f + 1.0f / 6;
    p = p * f + 0.5f;
    p = p * f + 1.0f;
    p = p * f + 1.0f;
    int32_t bits = (n + 127) << 23;
    float power;
    memcpy(&power, &bits, 4);
    return p * power;
}

/* out[r * MAX_ROWS + b] = row r of w times x[b]; later rows are asked for, into the near and the far cache, while these
 * are read */
#define FLOAT_DOT(NAME, TYPE, LOAD, ONE)                                                                               \
    INLINE void NAME(const Matrix *m, int64_t row, const Vec *const *x, float *out, const int R, const int B) {       \
        const TYPE *w = (const TYPE *)m->data + row * m->cols;                                                         \
        const int64_t cols = m->cols, whole = cols / LANES * LANES, ahead = R * m->row_bytes;                          \
        vf acc[4][4] = {{{0}}};                                                                                        \
        for (int64_t i = 0; i < whole; i += LANES) {                                                                   \
            vf xs[4];                                                                                                  \
            UNROLL for (int b = 0; b < B; b++) xs[b] = load(x[b]->f + i);                                              \
            UNROLL for (int r = 0; r < R; r++) {                                                                       \
                const TYPE *place = w + r * cols + i;                                                                  \
                if (PREFETCH) __builtin_prefetch((const char *)place + ahead);                                         \
                if (PREFETCH) __builtin_prefetch((const char *)place + 3 * ahead, 0, 1);                               \
                vf ws = LOAD(place);                                                                                   \
                UNROLL for (int b = 0; b < B; b++) acc[r][b] += ws * xs[b];                                            \
            }                                                                                                          \
        }                                                                                                              \
        UNROLL for (int r = 0; r < R; r++) UNROLL for (int b = 0; b < B; b++) {                                        \
            float total = sum(acc[r][b]);                                                                              \
            for (int64_t i = whole; i < cols; i++) total += ONE(w[r * cols + i]) * x[b]->f[i];                         \
            out[r * MAX_ROWS + b] = total;                                                                             \
        }                                                                                                              \
    }
#define SAME(x) (x)
#ifndef PREFETCH
#define PREFETCH 1
#endif
FLOAT_DOT(dot_fp32, float, load, SAME)
FLOAT_DOT(dot_bf16, uint16_t, load_bf16, from_bf16)

/* ---- whole numbers: 16-bit activations times 8- or 4-bit codes, summed in 32 bits ---- */

#if defined(__AVX512BW__)
#define WHOLE 32 /* 16-bit numbers in a vector */
typedef __m512i vi;
INLINE vi load_s16(const int16_t *p) { return _mm512_loadu_si512(p); }
INLINE vi widen_s8(const int8_t *p) { return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)p)); }
INLINE vi widen_u8(const uint8_t *p) { return _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)p)); }
INLINE vi low(vi v) { return _mm512_and_si512(v, _mm512_set1_epi16(15)); }
INLINE vi high(vi v) { return _mm512_srli_epi16(v, 4); }
INLINE vi load_s32(const int32_t *p) { return _mm512_loadu_si512(p); }
INLINE void store_s32(int32_t *p, vi v) { _mm512_storeu_si512(p, v); }
INLINE vi all_s16(int16_t v) { return _mm512_set1_epi16(v); }
INLINE vf floats(vi v) { return (vf)_mm512_cvtepi32_ps(v); }
INLINE vi none(void) { return _mm512_setzero_si512(); }
INLINE vi add_products(vi acc, vi a, vi b) {
#if defined(__AVX512VNNI__)
    return _mm512_dpwssd_epi32(acc, a, b);
#else
    return _mm512_add_epi32(acc, _mm512_madd_epi16(a, b));
#endif
}
#elif defined(__AVX2__) && !defined(__AVX512F__)
#define WHOLE 16
typedef __m256i vi;
INLINE vi load_s16(const int16_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
INLINE vi widen_s8(const int8_t *p) { return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)p)); }
INLINE vi widen_u8(const uint8_t *p) { return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)p)); }
INLINE vi low(vi v) { return _mm256_and_si256(v, _mm256_set1_epi16(15)); }
INLINE vi high(vi v) { return _mm256_srli_epi16(v, 4); }
INLINE vi load_s32(const int32_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
INLINE void store_s32(int32_t *p, vi v) { _mm256_storeu_si256((__m256i *)p, v); }
INLINE vi all_s16(int16_t v) { return _mm256_set1_epi16(v); }
INLINE vf floats(vi v) { return (vf)_mm256_cvtepi32_ps(v); }
INLINE vi none(void) { return _mm256_setzero_si256(); }
INLINE vi add_products(vi acc, vi a, vi b) { return _mm256_add_epi32(acc, _mm256_madd_epi16(a, b)); }
#endif

#if defined(WHOLE)
#define FLUSH 4096 /* columns after which 32 bits may be full: 127 * 32767 * 2 * 4096 / WHOLE */

INLINE void dot_int8(const Matrix *m, int64_t row, const Vec *const *x, float *out, const int R, const int B) {
    const int8_t *w = (const int8_t *)m->data + row * m->cols;
    const int64_t cols = m->cols, whole = cols / WHOLE * WHOLE, ahead = R * cols;
    vf total[4][4] = {{{0}}};
    for (int64_t start = 0; start < whole; start += FLUSH) {
        const int64_t end = start + FLUSH < whole ? start + FLUSH : whole;
        vi acc[4][4];
        UNROLL for (int r = 0; r < R; r++) UNROLL for (int b = 0; b < B; b++) acc[r][b] = none();
        for (int64_t i = start; i < end; i += WHOLE) {
            vi xs[4];
            UNROLL for (int b = 0; b < B; b++) xs[b] = load_s16(x[b]->q + i);
            UNROLL for (int r = 0; r < R; r++) {
                if (PREFETCH) __builtin_prefetch(w + r * cols + i + ahead);
                vi ws = widen_s8(w + r * cols + i);
                UNROLL for (int b = 0; b < B; b++) acc[r][b] = add_products(acc[r][b], ws, xs[b]);
            }
        }
        UNROLL for (int r = 0; r < R; r++) UNROLL for (int b = 0; b < B; b++) total[r][b] += floats(acc[r][b]);
    }
    UNROLL for (int r = 0; r < R; r++) UNROLL for (int b = 0; b < B; b++) {
        int32_t rest = 0;
        for (int64_t i = whole; i < cols; i++) rest += w[r * cols + i] * x[b]->q[i];
        out[r * MAX_ROWS + b] = (sum(total[r][b]) + (float)rest) * ((const float *)m->scales)[row + r] * x[b]->scale;
    }
}

#if !HAS_BYTES
INLINE void read_scales(const uint16_t *halves, int count, float *out) {
#if defined(__AVX512F__)
    if (count == 16) {
        _mm512_storeu_ps(out, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)halves)));
        return;
    }
#endif
    for (int i = 0; i < count; i++) out[i] = from_half(halves[i]);
}

INLINE void dot_int4(const Matrix *m, int64_t row, const Vec *const *x, float *out, const int R, const int B) {
    const int64_t groups = m->row_bytes / (GROUP / 2), ahead = R * m->row_bytes;
    const uint8_t *w = (const uint8_t *)m->data + row * m->row_bytes;
    const uint16_t *halves = (const uint16_t *)m->scales + row * groups;
    vf total[4][4] = {{{0}}};
    for (int64_t start = 0; start < groups; start += 16) {
        const int count = groups - start < 16 ? (int)(groups - start) : 16;
        float scales[4][16];
        UNROLL for (int r = 0; r < R; r++) read_scales(halves + r * groups + start, count, scales[r]);
        for (int g = 0; g < count; g++) {
            const int64_t group = start + g;
            UNROLL for (int r = 0; r < R; r++) {
                const uint8_t *codes = w + r * m->row_bytes + group * (GROUP / 2);
                if (PREFETCH) __builtin_prefetch(codes + ahead);
                vi acc[4];
                UNROLL for (int b = 0; b < B; b++) acc[b] = load_s32(x[b]->zero + group * (WHOLE / 2));
                UNROLL for (int i = 0; i < GROUP / 2; i += WHOLE) {
                    vi both = widen_u8(codes + i);
                    vi first = low(both), second = high(both);
                    UNROLL for (int b = 0; b < B; b++) {
                        const int16_t *q = x[b]->q + group * GROUP + i;
                        acc[b] = add_products(acc[b], first, load_s16(q));
                        acc[b] = add_products(acc[b], second, load_s16(q + GROUP / 2));
                    }
                }
                UNROLL for (int b = 0; b < B; b++) total[r][b] += floats(acc[b]) * scales[r][g];
            }
        }
    }
    UNROLL for (int r = 0; r < R; r++) UNROLL for (int b = 0; b < B; b++) {
        out[r * MAX_ROWS + b] = sum(total[r][b]) * x[b]->scale;
    }
}

static void begin_groups(Vec *x, int64_t groups) {
    const vi minus_eight = all_s16(-8);
    for (int64_t g = 0; g < groups; g++) {
        vi acc = none();
        for (int i = 0; i < GROUP; i += WHOLE) acc = add_products(acc, minus_eight, load_s16(x->q + g * GROUP + i));
        store_s32(x->zero + g * (WHOLE / 2), acc);
    }
}
#endif
#else
#define FLUSH 256 /* columns after which one 32-bit sum may be full: 127 * 32767 * 256 */

INLINE void dot_int8(const Matrix *m, int64_t row, const Vec *const *x, float *out, const int R, const int B) {
    for (int r = 0; r < R; r++) {
        const int8_t *w = (const int8_t *)m->data + (row + r) * m->cols;
        for (int b = 0; b < B; b++) {
            float total = 0;
            for (int64_t start = 0; start < m->cols; start += FLUSH) {
                const int64_t end = start + FLUSH < m->cols ? start + FLUSH : m->cols;
                int32_t part = 0;
                for (int64_t i = start; i < end; i++) part += (int32_t)w[i] * x[b]->q[i];
                total += (float)part;
            }
            out[r * MAX_ROWS + b] = total * ((const float *)m->scales)[row + r] * x[b]->scale;
        }
    }
}

INLINE void dot_int4(const Matrix *m, int64_t row, const Vec *const *x, float *out, const int R, const int B) {
    const int64_t groups = m->row_bytes / (GROUP / 2);
    for (int r = 0; r < R; r++) {
        const uint8_t *w = (const uint8_t *)m->data + (row + r) * m->row_bytes;
        const uint16_t *halves = (const uint16_t *)m->scales + (row + r) * groups;
        for (int b = 0; b < B; b++) {
            float total = 0;
            for (int64_t g = 0; g < groups; g++) {
                const int16_t *q = x[b]->q + g * GROUP;
                int32_t part = x[b]->zero[g];
                for (int i = 0; i < GROUP / 2; i++) {
                    int16_t code = w[g * (GROUP / 2) + i];
                    part += (code & 15) * q[i] + (code >> 4) * q[GROUP / 2 + i];
                }
                total += (float)part * from_half(halves[g]);
            }
            out[r * MAX_ROWS + b] = total * x[b]->scale;
        }
    }
}

static void begin_groups(Vec *x, int64_t groups) {
    for (int64_t g = 0; g < groups; g++) {
        int32_t total = 0;
        for (int i = 0; i < GROUP; i++) total += x->q[g * GROUP + i];
        x->zero[g] = -8 * total;
    }
}
#endif

#include "decode_bytes.h"

/* Fixed point with the largest value at LARGEST: next to nothing is lost. */
static void fix(Vec *x, int64_t cols) {
    const float *f = x->f;
    const int64_t padded = (cols + GROUP - 1) / GROUP * GROUP;
    float most = 0;
    for (int64_t i = 0; i < cols; i++) {
        float size = f[i] < 0 ? -f[i] : f[i];
        most = size > most ? size : most;
    }
    const float factor = most > 0 ? LARGEST / most : 0;
    for (int64_t i = 0; i < cols; i++) {
        float y = f[i] * factor;
        x->q[i] = (int16_t)(int32_t)(y + (y < 0 ? -0.5f : 0.5f));
    }
    for (int64_t i = cols; i < padded; i++) x->q[i] = 0;
    x->scale = most / LARGEST;
}

/* What a product with `m` needs beside the floats. */
static void prepare(Vec *x, const Matrix *m) {
    if (m->kind >= INT8) fix(x, m->cols);
#if HAS_BYTES
    if (m->kind == INT4) split_groups(x, m->row_bytes / (GROUP / 2));
#else
    if (m->kind == INT4) begin_groups(x, m->row_bytes / (GROUP / 2));
#endif
}

#define FORMS(NAME)                                                                                                    \
    static void NAME##_rows(const Matrix *m, int64_t row, int rows, const Vec *const *x, int count, float *out) {      \
        if (rows == 4) {                                                                                               \
            for (; count >= 4; count -= 4, x += 4, out += 4) NAME(m, row, x, out, 4, 4);                               \
            if (count >= 2) NAME(m, row, x, out, 4, 2), count -= 2, x += 2, out += 2;                                  \
            if (count) NAME(m, row, x, out, 4, 1);                                                                     \
            return;                                                                                                    \
        }                                                                                                              \
        for (int r = 0; r < rows; r++) {                                                                               \
            for (int b = 0; b < count; b++) NAME(m, row + r, x + b, out + r * MAX_ROWS + b, 1, 1);                     \
        }                                                                                                              \
    }
FORMS(dot_fp32)
FORMS(dot_bf16)
FORMS(dot_int8)
FORMS(dot_int4)

/* y[b][i] = row first + i of m, times x[b]: for i below rows, for b below count */
static void multiply(const Matrix *m, int64_t first, int64_t rows, const Vec *const *x, int count, float *const *y) {
    float out[4 * MAX_ROWS];
    for (int64_t i = 0; i < rows; i += 4) {
        const int block = rows - i < 4 ? (int)(rows - i) : 4;
        switch (m->kind) {
        case FP32: dot_fp32_rows(m, first + i, block, x, count, out); break;
        case BF16: dot_bf16_rows(m, first + i, block, x, count, out); break;
        case INT8: dot_int8_rows(m, first + i, block, x, count, out); break;
        default: dot_int4_rows(m, first + i, block, x, count, out);
        }
        for (int b = 0; b < count; b++) {
            for (int r = 0; r < block; r++) y[b][i + r] = out[r * MAX_ROWS + b];
        }
    }
}
