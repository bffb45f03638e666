/* Products of bf16 weights with several activation vectors at once through Intel's matrix tiles: weights go from memory
 * to the tiles as they lie, so that sixteen vectors take little longer than one.
 *
 * Activations are split in two bf16 numbers, the nearest one and the nearest to what is left: 16 bits are kept. Weight
 * rows that are left over, and matrices whose columns fill no tiles, go the way of decode_dot.h.
 */
#pragma once
#include "decode_dot.h"
#define PACKED_BYTES 2048 /* of 32 columns: two tiles of [16 pairs, 16 vectors, 2] */
#define FEW 3             /* fewer vectors are as fast without */

typedef struct { /* vectors side by side, as tiles take them */
    uint16_t *tiles; /* [columns / 32, 2, 16, 16, 2]; none without matrix tiles */
    int ready;
} Pack;

#if defined(__AMX_TILE__) && defined(__AMX_BF16__) && defined(__AVX512BW__) && defined(__linux__)
#define PAIR_STEP 32
#define AHEAD 512 /* bytes of each weight row, to be asked for in advance */
_Static_assert(MAX_ROWS <= 16, "a tile has 16 columns");

static void pack(Pack *p, const Vec *const *x, int count, int64_t cols) {
    const __m512i rows = _mm512_setr_epi32(0, 16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240);
    const __m512i odd = _mm512_set1_epi32(0x7fff), one = _mm512_set1_epi32(1);
    const __m512i upper = _mm512_set1_epi32((int)0xffff0000);
    const __m512i evens = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    p->ready = p->tiles != NULL && count >= FEW && cols % PAIR_STEP == 0;
    for (int64_t i = 0; p->ready && i < cols; i += PAIR_STEP) {
        int32_t *out = (int32_t *)(p->tiles + i / PAIR_STEP * (PACKED_BYTES / 2));
        for (int b = 0; b < 16; b++) {
            if (b >= count) { /* what was there before might be no number */
                _mm512_i32scatter_epi32(out + b, rows, _mm512_setzero_si512(), 4);
                _mm512_i32scatter_epi32(out + 256 + b, rows, _mm512_setzero_si512(), 4);
                continue;
            }
            const __m512 a = _mm512_loadu_ps(x[b]->f + i), z = _mm512_loadu_ps(x[b]->f + i + 16);
            __m512 first = _mm512_permutex2var_ps(a, evens, z);
            __m512 second = _mm512_permutex2var_ps(a, _mm512_add_epi32(evens, one), z);
            for (int part = 0; part < 2; part++) {
                __m512i f = _mm512_castps_si512(first), g = _mm512_castps_si512(second);
                f = _mm512_add_epi32(f, _mm512_add_epi32(odd, _mm512_and_si512(_mm512_srli_epi32(f, 16), one)));
                g = _mm512_add_epi32(g, _mm512_add_epi32(odd, _mm512_and_si512(_mm512_srli_epi32(g, 16), one)));
                f = _mm512_and_si512(f, upper), g = _mm512_and_si512(g, upper);
                _mm512_i32scatter_epi32(out + part * 256 + b, rows, _mm512_or_si512(_mm512_srli_epi32(f, 16), g), 4);
                first = _mm512_sub_ps(first, _mm512_castsi512_ps(f));
                second = _mm512_sub_ps(second, _mm512_castsi512_ps(g));
            }
        }
    }
}

/* Rows of 16 * BLOCKS weight rows times all vectors of the pack. */
INLINE void dot_pack(const Matrix *m, int64_t row, const Pack *p, float *sums, const int BLOCKS) {
    const char *w = (const char *)m->data + row * m->row_bytes;
    const int64_t bytes = m->row_bytes;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t i = 0; i < bytes; i += 64) {
        const uint16_t *x = p->tiles + i / 64 * (PACKED_BYTES / 2);
        const char *next = w + (i + AHEAD < bytes ? i + AHEAD : i + AHEAD - bytes + 16 * BLOCKS * bytes);
        for (int r = 0; r < 16 * BLOCKS; r++) __builtin_prefetch(next + r * bytes, 0, 2);
        _tile_loadd(6, x, 64);
        _tile_loadd(7, x + PACKED_BYTES / 4, 64);
        _tile_loadd(4, w + i, bytes);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        if (BLOCKS == 1) continue;
        _tile_loadd(5, w + i + 16 * bytes, bytes);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, sums, 64);
    _tile_stored(1, sums + 256, 64);
    if (BLOCKS == 1) return;
    _tile_stored(2, sums + 512, 64);
    _tile_stored(3, sums + 768, 64);
}

/* As `multiply`, for as many rows as fill tiles; returns how many. `column` says where a vector is in the pack. */
static int64_t multiply_pack(const Matrix *m, int64_t first, int64_t rows, const Pack *p, const int *column, int count,
                             float *const *y) {
    _Alignas(64) float sums[1024];
    int64_t done = 0;
    while (done + 16 <= rows) {
        const int blocks = done + 32 <= rows ? 2 : 1;
        if (blocks == 2) dot_pack(m, first + done, p, sums, 2);
        else dot_pack(m, first + done, p, sums, 1);
        for (int n = 0; n < blocks; n++, done += 16) {
            for (int b = 0; b < count; b++) {
                const float *from = sums + n * 512 + (column ? column[b] : b);
                for (int r = 0; r < 16; r++) y[b][done + r] = from[r * 16] + from[256 + r * 16];
            }
        }
    }
    return done;
}
#else
static void pack(Pack *p, const Vec *const *x, int count, int64_t cols) {
    (void)x, (void)count, (void)cols, p->ready = 0;
}

static int64_t multiply_pack(const Matrix *m, int64_t first, int64_t rows, const Pack *p, const int *column, int count,
                             float *const *y) {
    (void)m, (void)first, (void)rows, (void)p, (void)column, (void)count, (void)y;
    return 0;
}
#endif

/* As `multiply`, with the vectors' pack where there is one. */
static void multiply_rows(const Matrix *m, int64_t first, int64_t rows, const Vec *const *x, int count,
                          const Pack *p, const int *column, float *const *y) {
    float *rest[MAX_ROWS];
    int64_t done = 0;
    if (p && p->ready && m->kind == BF16 && count >= FEW) done = multiply_pack(m, first, rows, p, column, count, y);
    for (int b = 0; b < count; b++) rest[b] = y[b] + done;
    if (done < rows) multiply(m, first + done, rows - done, x, count, rest);
}
