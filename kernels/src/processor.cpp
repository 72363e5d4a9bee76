// Finds out which path this processor can run.
#include <cstring>
#include <initializer_list>

#include "row.h"

#ifdef NEXTCHAR_X86
#ifdef _MSC_VER
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#endif

namespace nextchar {

#ifdef NEXTCHAR_X86
namespace {

struct Registers {
  unsigned eax, ebx, ecx, edx;
};

Registers ask(unsigned leaf) {
#ifdef _MSC_VER
  int found[4];
  __cpuidex(found, static_cast<int>(leaf), 0);
  return {unsigned(found[0]), unsigned(found[1]), unsigned(found[2]), unsigned(found[3])};
#else
  Registers found{};
  __get_cpuid_count(leaf, 0, &found.eax, &found.ebx, &found.ecx, &found.edx);
  return found;
#endif
}

// Returns which registers the operating system saves: bit 1 SSE, 2 AVX, 5 to 7 AVX-512.
unsigned saved_registers() {
#ifdef _MSC_VER
  return static_cast<unsigned>(_xgetbv(0));
#else
  unsigned low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
#endif
}

constexpr unsigned bits(std::initializer_list<int> numbers) {
  unsigned found = 0;
  for (int number : numbers) found |= 1u << number;
  return found;
}

bool has(unsigned found, unsigned wanted) { return (found & wanted) == wanted; }

struct Features {
  bool avx2, avx512;
};

Features features() {
  if (ask(0).eax < 7) return {false, false};
  constexpr unsigned fma_osxsave_avx = bits({12, 27, 28}), avx2 = bits({5}), f_dq_bw_vl = bits({16, 17, 30, 31});
  if (!has(ask(1).ecx, fma_osxsave_avx)) return {false, false};
  const unsigned saved = saved_registers(), extended = ask(7).ebx;
  const bool has_avx2 = has(extended, avx2) && has(saved, bits({1, 2}));
  return {has_avx2, has_avx2 && has(extended, f_dq_bw_vl) && has(saved, bits({1, 2, 5, 6, 7}))};
}

}  // namespace

const Path* best_path() {
  const Features found = features();
  if (found.avx512) return &avx512_path;
  // Without fused operations in hardware, onnxruntime computes other bits, and the portable path is slow.
  return found.avx2 ? &avx2_path : nullptr;
}

const Path* find_path(const char* name) {
  const Features found = features();
  if (found.avx512 && !std::strcmp(name, avx512_path.name)) return &avx512_path;
  if (found.avx2 && !std::strcmp(name, avx2_path.name)) return &avx2_path;
  return std::strcmp(name, portable_path.name) ? nullptr : &portable_path;
}
#else
// Compilers make no vectors of the portable path, and onnxruntime's operators are vectors everywhere.
const Path* best_path() { return nullptr; }

const Path* find_path(const char* name) {
  return std::strcmp(name, portable_path.name) ? nullptr : &portable_path;
}
#endif

}  // namespace nextchar
