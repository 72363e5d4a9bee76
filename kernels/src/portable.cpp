// The path of any processor, without intrinsics: compilers make vectors of it where fused operations have them.
#include "cells.h"

namespace nextchar {
extern const Path portable_path = make_path<Scalar>("portable");
}
