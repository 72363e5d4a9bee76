// The path of processors with AVX2 and FMA: eight columns at a time.
#include <immintrin.h>

#include "cells.h"

namespace {

struct Vector {
  using Register = __m256;
  static constexpr size_t size = 8;
  static Register set(float x) { return _mm256_set1_ps(x); }
  static Register load(const float* at) { return _mm256_loadu_ps(at); }
  static Register load_integers(const int32_t* at) {
    return _mm256_cvtepi32_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
  }
  static void store(float* at, Register x) { _mm256_storeu_ps(at, x); }
  static Register add(Register a, Register b) { return _mm256_add_ps(a, b); }
  static Register subtract(Register a, Register b) { return _mm256_sub_ps(a, b); }
  static Register multiply(Register a, Register b) { return _mm256_mul_ps(a, b); }
  static Register divide(Register a, Register b) { return _mm256_div_ps(a, b); }
  static Register multiply_add(Register a, Register b, Register c) { return _mm256_fmadd_ps(a, b, c); }
  static Register larger(Register a, Register b) { return _mm256_max_ps(a, b); }
  static Register smaller(Register a, Register b) { return _mm256_min_ps(a, b); }
  static void store_bytes(uint8_t* at, Register x, int32_t zero) {
    const __m256i integers = _mm256_add_epi32(_mm256_cvtps_epi32(x), _mm256_set1_epi32(zero));
    const __m128i words =
        _mm_packus_epi32(_mm256_castsi256_si128(integers), _mm256_extracti128_si256(integers, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(at), _mm_packus_epi16(words, words));
  }
};

}  // namespace

namespace nextchar {
extern const Path avx2_path = make_path<Vector>("avx2");
}
