// The cells, written once for any width of vectors.
//
// A bit of difference would be another model, so every operation is the one that onnxruntime's own operators do,
// in their order: products and sums are rounded apart, except in the polynomials, which fuse them. Logistic and
// tanh are the rational approximations of Eigen that onnxruntime uses. Compile without contraction.
//
// Everything is in an unnamed namespace: each path is compiled for other processors, and the linker must not
// take the function of one for that of another. A cell goes over its row twice, since a shorter chain of
// operations leaves the processor more to do at a time; the state after the symbol stays in the cache.
#pragma once

#include <math.h>

#include "row.h"

#if defined(__clang__)
#define NEXTCHAR_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define NEXTCHAR_INDEPENDENT _Pragma("GCC ivdep")
#else
#define NEXTCHAR_INDEPENDENT
#endif

namespace {

using nextchar::Row;
using nextchar::Summand;

// A vector of one number: the portable path, and what is left of a row at its end.
struct Scalar {
  using Register = float;
  static constexpr size_t size = 1;
  static Register set(float x) { return x; }
  static Register load(const float* at) { return *at; }
  static Register load_integers(const int32_t* at) { return static_cast<float>(*at); }
  static void store(float* at, Register x) { *at = x; }
  static Register add(Register a, Register b) { return a + b; }
  static Register subtract(Register a, Register b) { return a - b; }
  static Register multiply(Register a, Register b) { return a * b; }
  static Register divide(Register a, Register b) { return a / b; }
  static Register multiply_add(Register a, Register b, Register c) { return fmaf(a, b, c); }
  static Register larger(Register a, Register b) { return a > b ? a : b; }
  static Register smaller(Register a, Register b) { return a < b ? a : b; }
  static void store_bytes(uint8_t* at, Register x, int32_t zero) {
    *at = static_cast<uint8_t>(static_cast<int32_t>(nearbyintf(x)) + zero);
  }
};

template <class V>
typename V::Register clamp(typename V::Register x, float bound) {
  return V::smaller(V::set(bound), V::larger(V::set(-bound), x));
}

// Returns p * x + coefficient, rounded once.
template <class V>
typename V::Register next_power(typename V::Register p, typename V::Register x, float coefficient) {
  return V::multiply_add(p, x, V::set(coefficient));
}

template <class V>
typename V::Register logistic(typename V::Register value) {
  const auto x = clamp<V>(value, 18.0f);
  const auto x2 = V::multiply(x, x);
  auto p = next_power<V>(V::set(4.37031012579801e-11f), x2, 1.15627324459942e-07f);
  p = next_power<V>(p, x2, 6.08574864600143e-05f);
  p = next_power<V>(p, x2, 8.51377133304701e-03f);
  p = next_power<V>(p, x2, 2.48287947061529e-01f);
  p = V::multiply(p, x);
  auto q = next_power<V>(V::set(6.10247389755681e-13f), x2, 5.76102136993427e-09f);
  q = next_power<V>(q, x2, 6.29106785017040e-06f);
  q = next_power<V>(q, x2, 1.70198817374094e-03f);
  q = next_power<V>(q, x2, 1.16817656904453e-01f);
  q = next_power<V>(q, x2, 9.93151921023180e-01f);
  return V::larger(V::set(0.0f), V::add(V::divide(p, q), V::set(0.5f)));
}

template <class V>
typename V::Register hyperbolic_tangent(typename V::Register value) {
  const auto x = clamp<V>(value, 9.0f);
  const auto x2 = V::multiply(x, x);
  auto p = next_power<V>(V::set(-2.76076847742355e-16f), x2, 2.00018790482477e-13f);
  p = next_power<V>(p, x2, -8.60467152213735e-11f);
  p = next_power<V>(p, x2, 5.12229709037114e-08f);
  p = next_power<V>(p, x2, 1.48572235717979e-05f);
  p = next_power<V>(p, x2, 6.37261928875436e-04f);
  p = next_power<V>(p, x2, 4.89352455891786e-03f);
  p = V::multiply(p, x);
  auto q = next_power<V>(V::set(1.19825839466702e-06f), x2, 1.18534705686654e-04f);
  q = next_power<V>(q, x2, 2.26843463243900e-03f);
  q = next_power<V>(q, x2, 4.89352518554385e-03f);
  return V::divide(p, q);
}

// Returns the summand of gate number `gate` at columns k, k + 1, ….
template <class V>
typename V::Register summand(const Summand& from, size_t hidden, size_t gate, size_t k) {
  const size_t at = gate * hidden + k;
  const auto addend = V::load(from.addend + at);
  if (from.product == nullptr) return addend;
  return V::add(V::multiply(V::load_integers(from.product + at), V::load(from.scale + at)), addend);
}

template <class V>
void store_quantized(const Row& row, size_t k, typename V::Register hidden) {
  const float zero = static_cast<float>(row.state_zero);
  auto x = V::divide(hidden, V::set(row.state_scale));
  x = V::smaller(V::larger(x, V::set(0.0f - zero)), V::set(255.0f - zero));
  V::store_bytes(row.quantized + k, x, row.state_zero);
}

// h = o * tanh(c), of the cell after the symbol.
template <class V>
void lstm_hidden(const Row& row, size_t k, size_t output_gate) {
  const auto open = logistic<V>(summand<V>(row.gates, row.hidden, output_gate, k));
  store_quantized<V>(row, k, V::multiply(open, hyperbolic_tangent<V>(V::load(row.after + k))));
}

// Gates: input, forget, output, candidate. c' = f * c + i * g.
struct Lstm {
  template <class V>
  static void first(const Row& row, size_t k) {
    const auto input = logistic<V>(summand<V>(row.gates, row.hidden, 0, k));
    const auto forget = logistic<V>(summand<V>(row.gates, row.hidden, 1, k));
    const auto candidate = hyperbolic_tangent<V>(summand<V>(row.gates, row.hidden, 3, k));
    const auto kept = V::multiply(forget, V::load(row.before + k));
    V::store(row.after + k, V::add(kept, V::multiply(input, candidate)));
  }
  template <class V>
  static void second(const Row& row, size_t k) {
    lstm_hidden<V>(row, k, 2);
  }
};

// Gates: forget, output, candidate. c' = g + f * (c - g).
struct CoupledLstm {
  template <class V>
  static void first(const Row& row, size_t k) {
    const auto forget = logistic<V>(summand<V>(row.gates, row.hidden, 0, k));
    const auto candidate = hyperbolic_tangent<V>(summand<V>(row.gates, row.hidden, 2, k));
    const auto distance = V::subtract(V::load(row.before + k), candidate);
    V::store(row.after + k, V::add(candidate, V::multiply(forget, distance)));
  }
  template <class V>
  static void second(const Row& row, size_t k) {
    lstm_hidden<V>(row, k, 1);
  }
};

// Gates: reset, update, candidate. n = tanh(x + r * h), h' = n + z * (h - n).
struct Gru {
  template <class V>
  static void first(const Row& row, size_t k) {
    const auto from_state = summand<V>(row.recurrent, row.hidden, 2, k);
    const auto reset = logistic<V>(V::add(summand<V>(row.gates, row.hidden, 0, k),
                                          summand<V>(row.recurrent, row.hidden, 0, k)));
    const auto recalled = V::multiply(reset, from_state);
    const auto from_input = summand<V>(row.gates, row.hidden, 2, k);
    V::store(row.after + k, hyperbolic_tangent<V>(V::add(from_input, recalled)));
  }
  template <class V>
  static void second(const Row& row, size_t k) {
    const auto update = logistic<V>(V::add(summand<V>(row.gates, row.hidden, 1, k),
                                           summand<V>(row.recurrent, row.hidden, 1, k)));
    const auto candidate = V::load(row.after + k);
    const auto distance = V::subtract(V::load(row.before + k), candidate);
    const auto hidden = V::add(candidate, V::multiply(update, distance));
    V::store(row.after + k, hidden);
    store_quantized<V>(row, k, hidden);
  }
};

struct TanhRnn {
  template <class V>
  static void first(const Row&, size_t) {}
  template <class V>
  static void second(const Row& row, size_t k) {
    store_quantized<V>(row, k, hyperbolic_tangent<V>(summand<V>(row.gates, row.hidden, 0, k)));
  }
};

template <class V, class Cell>
void compute_row(const Row& row) {
  const size_t whole = row.hidden - row.hidden % V::size;
  NEXTCHAR_INDEPENDENT
  for (size_t k = 0; k < whole; k += V::size) Cell::template first<V>(row, k);
  for (size_t k = whole; k < row.hidden; k++) Cell::template first<Scalar>(row, k);
  NEXTCHAR_INDEPENDENT
  for (size_t k = 0; k < whole; k += V::size) Cell::template second<V>(row, k);
  for (size_t k = whole; k < row.hidden; k++) Cell::template second<Scalar>(row, k);
}

template <class V>
constexpr nextchar::Path make_path(const char* name) {
  return {name, compute_row<V, Lstm>, compute_row<V, CoupledLstm>, compute_row<V, Gru>, compute_row<V, TanhRnn>};
}

}  // namespace
