// The path of processors with AVX-512 (F, BW, DQ and VL): sixteen columns at a time.
#include <immintrin.h>

#include "cells.h"

namespace {

struct Vector {
  using Register = __m512;
  static constexpr size_t size = 16;
  static Register set(float x) { return _mm512_set1_ps(x); }
  static Register load(const float* at) { return _mm512_loadu_ps(at); }
  static Register load_integers(const int32_t* at) { return _mm512_cvtepi32_ps(_mm512_loadu_si512(at)); }
  static void store(float* at, Register x) { _mm512_storeu_ps(at, x); }
  static Register add(Register a, Register b) { return _mm512_add_ps(a, b); }
  static Register subtract(Register a, Register b) { return _mm512_sub_ps(a, b); }
  static Register multiply(Register a, Register b) { return _mm512_mul_ps(a, b); }
  static Register divide(Register a, Register b) { return _mm512_div_ps(a, b); }
  static Register multiply_add(Register a, Register b, Register c) { return _mm512_fmadd_ps(a, b, c); }
  static Register larger(Register a, Register b) { return _mm512_max_ps(a, b); }
  static Register smaller(Register a, Register b) { return _mm512_min_ps(a, b); }
  static void store_bytes(uint8_t* at, Register x, int32_t zero) {
    const __m512i integers = _mm512_add_epi32(_mm512_cvtps_epi32(x), _mm512_set1_epi32(zero));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(at), _mm512_cvtepi32_epi8(integers));
  }
};

}  // namespace

namespace nextchar {
extern const Path avx512_path = make_path<Vector>("avx512");
}
