// The path of any processor, without intrinsics, one column at a time: what the others must equal. It is slower
// than onnxruntime's operators, so it runs only where it is named.
#include "cells.h"

namespace nextchar {
extern const Path portable_path = make_path<Scalar>("portable");
}
