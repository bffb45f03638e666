/* Attention over bf16 latents with Intel's matrix tiles (AMX): a long context then costs its reading, no more.
 *
 * Sixteen heads at a time. Scores: keys, as they lie in the cache, times queries laid out in pairs. Sums: weights, as
 * bf16, times keys interleaved in pairs. Softmax is fp32, heads side by side in a vector.
 */
#pragma once
#if defined(__AMX_TILE__) && defined(__AMX_BF16__) && defined(__AVX512BW__) && defined(__linux__)
#define HAS_TILES 1
#include <sys/syscall.h>
#include <unistd.h>

#define TILE_KEYS 128

typedef struct { /* of a thread */
    uint16_t *pairs;   /* [TILE_KEYS / 2, R, 2] */
    uint16_t *rest;    /* [16, W]: the last keys, filled up with zeros */
    uint16_t *weights; /* [TILE_KEYS / 32, 16 heads, 32 keys] */
    float *scores;     /* [TILE_KEYS, 16 heads] */
} Tiles;

/* Linux gives the tiles to a process that asks; nonzero if it has. */
static int64_t ask_for_tiles(void) { return syscall(SYS_arch_prctl, 0x1023, 18) == 0; }

static void begin_tiles(void) {
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } shape = {.palette = 1};
    for (int i = 0; i < 8; i++) shape.bytes[i] = 64, shape.rows[i] = 16;
    _tile_loadconfig(&shape);
}

static void interleave(uint16_t *pairs, const uint16_t *keys, int64_t count, int64_t width, int64_t rank) {
    const int64_t full = (count + 31) / 32 * 32;
    for (int64_t k = 0; k < full; k += 2, pairs += 2 * rank) {
        for (int64_t i = 0; i < rank; i += 32) { /* within 128 bits: `restore` undoes what that does to the order */
            const __m512i zero = _mm512_setzero_si512();
            const __m512i a = k < count ? _mm512_loadu_si512(keys + k * width + i) : zero;
            const __m512i b = k + 1 < count ? _mm512_loadu_si512(keys + (k + 1) * width + i) : zero;
            _mm512_storeu_si512(pairs + 2 * i, _mm512_unpacklo_epi16(a, b));
            _mm512_storeu_si512(pairs + 2 * i + 32, _mm512_unpackhi_epi16(a, b));
        }
    }
}

static void restore(float *out, int64_t count) {
    const __m512i first = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
    const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
    for (int64_t i = 0; i < count; i += 32) {
        const __m512 a = _mm512_loadu_ps(out + i), b = _mm512_loadu_ps(out + i + 16);
        _mm512_storeu_ps(out + i, _mm512_permutex2var_ps(a, first, b));
        _mm512_storeu_ps(out + i + 16, _mm512_permutex2var_ps(a, second, b));
    }
}

static void score_tiles(const Tiles *t, const uint16_t *q, const uint16_t *keys, int64_t count, int64_t width) {
    if (count % 16) {
        const int64_t left = count % 16, done = count - left;
        memcpy(t->rest, keys + done * width, left * width * 2);
        memset(t->rest + left * width, 0, (16 - left) * width * 2);
    }
    for (int64_t k = 0; k < count; k += 64) {
        const uint16_t *place[4];
        for (int i = 0; i < 4; i++) place[i] = k + i * 16 + 16 <= count ? keys + (k + i * 16) * width : t->rest;
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
        for (int64_t i = 0; i < width; i += 32) {
            _tile_loadd(4, q + i * 16, 64);
            _tile_loadd(5, place[0] + i, width * 2);
            _tile_dpbf16ps(0, 5, 4);
            _tile_loadd(6, place[1] + i, width * 2);
            _tile_dpbf16ps(1, 6, 4);
            _tile_loadd(7, place[2] + i, width * 2);
            _tile_dpbf16ps(2, 7, 4);
            _tile_loadd(5, place[3] + i, width * 2);
            _tile_dpbf16ps(3, 5, 4);
        }
        _tile_stored(0, t->scores + k * 16, 64);
        _tile_stored(1, t->scores + (k + 16) * 16, 64);
        _tile_stored(2, t->scores + (k + 32) * 16, 64);
        _tile_stored(3, t->scores + (k + 48) * 16, 64);
    }
}

INLINE __m512 exponentials(__m512 x) { /* as `exponential` */
    x = _mm512_max_ps(x, _mm512_set1_ps(-87.0f));
    const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), 0);
    __m512 f = _mm512_fmadd_ps(n, _mm512_set1_ps(-0.693145752f), x);
    f = _mm512_fmadd_ps(n, _mm512_set1_ps(-1.42860677e-6f), f);
    __m512 p = _mm512_set1_ps(1.0f / 720);
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f / 120));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f / 24));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f / 6));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.5f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(p, n);
}

/* Scores to weights; what was summed so far shrinks where a greater score has come. */
static void weigh(const Tiles *t, int64_t count, int64_t rank, float *out, float *most, float *total) {
    const __m512 before = _mm512_loadu_ps(most);
    __m512 top = before, part = _mm512_setzero_ps();
    for (int64_t k = 0; k < count; k++) top = _mm512_max_ps(top, _mm512_loadu_ps(t->scores + k * 16));
    const __m512 shrunk = exponentials(_mm512_sub_ps(before, top));
    if (_mm512_cmp_ps_mask(top, before, _CMP_NEQ_UQ)) {
        float shrink[16];
        _mm512_storeu_ps(shrink, shrunk);
        for (int h = 0; h < 16; h++) {
            for (int64_t i = 0; i < rank; i++) out[h * rank + i] *= shrink[h];
        }
    }
    for (int64_t k = 0; k < count; k++) {
        const __m512 p = exponentials(_mm512_sub_ps(_mm512_loadu_ps(t->scores + k * 16), top));
        _mm512_storeu_ps(t->scores + k * 16, p);
        part = _mm512_add_ps(part, p);
    }
    _mm512_storeu_ps(total, _mm512_fmadd_ps(_mm512_loadu_ps(total), shrunk, part));
    _mm512_storeu_ps(most, top);
    const int64_t full = (count + 31) / 32 * 32;
    memset(t->scores + count * 16, 0, (full - count) * 16 * sizeof(float));
    const __m512i rows = _mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                                            _mm512_set1_epi32(16));
    const __m512i half = _mm512_set1_epi32(0x8000), upper = _mm512_set1_epi32((int)0xffff0000);
    for (int64_t k = 0; k < full; k += 2) { /* two keys' weights, rounded to bf16, side by side for each head */
        const __m512i a = _mm512_add_epi32(_mm512_loadu_si512(t->scores + k * 16), half);
        const __m512i b = _mm512_add_epi32(_mm512_loadu_si512(t->scores + k * 16 + 16), half);
        const __m512i both = _mm512_or_si512(_mm512_srli_epi32(a, 16), _mm512_and_si512(b, upper));
        _mm512_i32scatter_epi32(t->weights + k / 32 * 512 + k % 32, rows, both, 4);
    }
}

static void sum_tiles(const Tiles *t, int64_t count, int64_t rank, float *out) {
    const int64_t steps = (count + 31) / 32;
    _tile_loadd(0, t->weights, 64);
    if (steps > 1) _tile_loadd(1, t->weights + 512, 64);
    if (steps > 2) _tile_loadd(2, t->weights + 1024, 64);
    if (steps > 3) _tile_loadd(3, t->weights + 1536, 64);
    for (int64_t i = 0; i < rank; i += 32) {
        const uint16_t *pairs = t->pairs + 2 * i;
        _tile_loadd(4, out + i, rank * 4);
        _tile_loadd(5, out + i + 16, rank * 4);
#define SUM_STEP(N)                                                                                                    \
    if (steps > N) {                                                                                                   \
        _tile_loadd(6, pairs + N * 32 * rank, rank * 4);                                                               \
        _tile_dpbf16ps(4, N, 6);                                                                                       \
        _tile_loadd(7, pairs + N * 32 * rank + 32, rank * 4);                                                          \
        _tile_dpbf16ps(5, N, 7);                                                                                       \
    }
        SUM_STEP(0) SUM_STEP(1) SUM_STEP(2) SUM_STEP(3)
        _tile_stored(4, out + i, rank * 4);
        _tile_stored(5, out + i + 16, rank * 4);
    }
}

/* As `attend` of decode.c, for all heads in blocks of 16; `q` [blocks, W / 2, 16, 2], `out` [heads, R]. */
static void attend_tiles(const Tiles *t, const uint16_t *q, const uint16_t *keys, int64_t count, int64_t width,
                         int64_t rank, int64_t blocks, float *out, float *most, float *total) {
    memset(out, 0, blocks * 16 * rank * sizeof(float));
    for (int64_t h = 0; h < blocks * 16; h++) most[h] = -1e30f, total[h] = 0;
    for (int64_t k = 0; k < count; k += TILE_KEYS) {
        const int64_t some = count - k < TILE_KEYS ? count - k : TILE_KEYS;
        interleave(t->pairs, keys + k * width, some, width, rank);
        for (int64_t b = 0; b < blocks; b++) {
            score_tiles(t, q + b * width * 16, keys + k * width, some, width);
            weigh(t, some, rank, out + b * 16 * rank, most + b * 16, total + b * 16);
            sum_tiles(t, some, rank, out + b * 16 * rank);
        }
    }
    restore(out, blocks * 16 * rank);
}
#else
#define HAS_TILES 0
#endif
