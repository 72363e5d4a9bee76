// What the operators of a cell read and write in one row, and the functions that do so.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nextchar {

// The summand of the gates from one side: an exact integer product, scaled, plus a bias or a table's row.
struct Summand {
  const int32_t* product;  // [gates * hidden], or null: the addend alone
  const float* scale;      // [gates * hidden]
  const float* addend;     // [gates * hidden]
};

struct Row {
  Summand gates;         // of an LSTM and an RNN: input and state together; of a GRU: the input's
  Summand recurrent;     // of a GRU: the state's
  const float* before;   // [hidden], the float32 state: an LSTM's cell, a GRU's hidden state
  float* after;          // [hidden], the same after the symbol
  uint8_t* quantized;    // [hidden], the hidden state after the symbol, as the next product reads it
  size_t hidden;
  float state_scale;     // of `quantized`
  int32_t state_zero;
};

using RowFunction = void (*)(const Row&);

// One implementation of all cells, for processors of one kind. All of them compute the same bits.
struct Path {
  const char* name;
  RowFunction lstm, coupled_lstm, gru, tanh_rnn;
};

extern const Path portable_path;
#ifdef NEXTCHAR_X86
extern const Path avx2_path, avx512_path;
#endif

// Returns the fastest path of this processor; null if none is faster than onnxruntime's own operators.
const Path* best_path();

// Returns a path by its name; null if there is none or this processor cannot run it.
const Path* find_path(const char* name);

}  // namespace nextchar
