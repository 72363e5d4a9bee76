// Registers the cells with onnxruntime as custom operators of the domain `nextchar.kernels`.
//
// Every operator has the same inputs; those that a cell does not need are left out:
//
//   product        int32 [batch, gates * hidden]  the exact integer product of the gates, or left out
//   scale          float [gates * hidden]         of the product's columns; a constant
//   addend         float [gates * hidden], the bias, or [symbols, gates * hidden], a row per symbol; a constant
//   ids            int64 [batch]                  the symbol of each row, where the addend has a row per symbol
//   state_scale    float, state_zero uint8        how the hidden state is quantised; constants
//   before         float [batch, hidden]          the float32 state
//   recurrent_…                                   product, scale and addend of a GRU's state
//
// Outputs are the quantised hidden state, uint8 [batch, hidden], and the float32 state after, where there is one.
#define ORT_API_MANUAL_INIT
#include <onnxruntime_c_api.h>

#include <cstdio>
#include <cstdlib>
#include <new>

#include "row.h"

#ifdef _WIN32
#define NEXTCHAR_PUBLIC extern "C" __declspec(dllexport)
#else
#define NEXTCHAR_PUBLIC extern "C" __attribute__((visibility("default")))
#endif

#define RETURN_IF_ERROR(expression) \
  if (OrtStatus* status = (expression)) return status

namespace nextchar {
namespace {

constexpr uint32_t kApi = 21;  // the oldest interface with all that is called here; later ones only add to it
constexpr char kPathVariable[] = "NEXTCHAR_KERNELS_PATH";

const OrtApi* api;
OrtCustomOpDomain* domain;  // made once; sessions only refer to it

enum Input : size_t {
  kProduct, kScale, kAddend, kIds, kStateScale, kStateZero, kBefore,
  kRecurrentProduct, kRecurrentScale, kRecurrentAddend, kNumInputs
};
enum Output : size_t { kQuantized, kAfter };

struct Cell {
  const char* name;
  size_t gates;
  bool has_before, has_recurrent;
  RowFunction Path::* function;
};

// The callbacks get this pointer, so the operator comes first.
struct Operator {
  OrtCustomOp interface;
  Cell cell;
};

OrtStatus* refuse(const Cell& cell, const char* why) {
  char text[160];
  std::snprintf(text, sizeof text, "%s: %s", cell.name, why);
  return api->CreateStatus(ORT_INVALID_ARGUMENT, text);
}

struct Tensor {
  bool is_given = false;  // an input may be left out, and of no rows it has no data
  void* data = nullptr;
  int64_t count = 0;
  int64_t columns = 0;  // the last axis
};

OrtStatus* read_tensor(const OrtValue* value, Tensor& tensor) {
  tensor.is_given = true;
  RETURN_IF_ERROR(api->GetTensorMutableData(const_cast<OrtValue*>(value), &tensor.data));
  OrtTensorTypeAndShapeInfo* info;
  RETURN_IF_ERROR(api->GetTensorTypeAndShape(value, &info));
  size_t count = 0, num_axes = 0;
  int64_t axes[4] = {0, 0, 0, 0};
  OrtStatus* status = api->GetTensorShapeElementCount(info, &count);
  if (!status) status = api->GetDimensionsCount(info, &num_axes);
  if (!status && num_axes <= 4) status = api->GetDimensions(info, axes, num_axes);
  api->ReleaseTensorTypeAndShapeInfo(info);
  tensor.count = static_cast<int64_t>(count);
  tensor.columns = num_axes > 0 && num_axes <= 4 ? axes[num_axes - 1] : 1;
  return status;
}

// One node of an opened graph.
class Kernel {
 public:
  Kernel(const Cell& cell, const Path& path) : cell_(cell), function_(path.*cell.function) {}

  // Reads the constants, which stay where they are for as long as the graph is open.
  OrtStatus* read(const OrtKernelInfo* info) {
    size_t num_inputs = 0;
    RETURN_IF_ERROR(api->KernelInfo_GetInputCount(info, &num_inputs));
    Tensor addend, state_scale, state_zero;
    RETURN_IF_ERROR(constant(info, kAddend, num_inputs, addend));
    RETURN_IF_ERROR(constant(info, kStateScale, num_inputs, state_scale));
    RETURN_IF_ERROR(constant(info, kStateZero, num_inputs, state_zero));
    if (!addend.count || state_scale.count != 1 || state_zero.count != 1)
      return refuse(cell_, "addend, state_scale and state_zero must be constants");
    columns_ = addend.columns;
    num_symbols_ = addend.count / columns_;
    if (columns_ % static_cast<int64_t>(cell_.gates)) return refuse(cell_, "the addend must have a column per gate");
    row_.gates.addend = static_cast<const float*>(addend.data);
    row_.hidden = static_cast<size_t>(columns_) / cell_.gates;
    row_.state_scale = *static_cast<const float*>(state_scale.data);
    row_.state_zero = *static_cast<const uint8_t*>(state_zero.data);
    RETURN_IF_ERROR(read_columns(info, kScale, num_inputs, row_.gates.scale));
    if (!cell_.has_recurrent) return nullptr;
    RETURN_IF_ERROR(read_columns(info, kRecurrentScale, num_inputs, row_.recurrent.scale));
    RETURN_IF_ERROR(read_columns(info, kRecurrentAddend, num_inputs, row_.recurrent.addend));
    return row_.recurrent.scale && row_.recurrent.addend ? nullptr : refuse(cell_, "the recurrent side is missing");
  }

  OrtStatus* compute(OrtKernelContext* context) const {
    Tensor product, ids, before, recurrent;
    RETURN_IF_ERROR(input(context, kProduct, product));
    RETURN_IF_ERROR(input(context, kIds, ids));
    if (cell_.has_before) RETURN_IF_ERROR(input(context, kBefore, before));
    if (cell_.has_recurrent) RETURN_IF_ERROR(input(context, kRecurrentProduct, recurrent));
    const int64_t batch = product.is_given ? product.count / columns_ : ids.count;
    const int64_t hidden = static_cast<int64_t>(row_.hidden);
    const bool fits = (!product.is_given || (row_.gates.scale && product.count == batch * columns_)) &&
                      (ids.is_given ? ids.count == batch : num_symbols_ == 1) &&
                      (!cell_.has_before || before.count == batch * hidden) &&
                      (!cell_.has_recurrent || recurrent.count == batch * columns_);
    if (!fits) return refuse(cell_, "the shapes of the inputs do not agree");
    const int64_t shape[] = {batch, hidden};
    Tensor quantized, after;
    RETURN_IF_ERROR(output(context, kQuantized, shape, quantized));
    if (cell_.has_before) RETURN_IF_ERROR(output(context, kAfter, shape, after));
    return rows(batch, product, ids, before, recurrent, quantized, after);
  }

 private:
  OrtStatus* constant(const OrtKernelInfo* info, size_t index, size_t num_inputs, Tensor& tensor) const {
    if (index >= num_inputs) return nullptr;
    int is_constant = 0;
    const OrtValue* value = nullptr;
    RETURN_IF_ERROR(api->KernelInfoGetConstantInput_tensor(info, index, &is_constant, &value));
    return is_constant && value ? read_tensor(value, tensor) : nullptr;
  }

  // Reads a constant with a number per column; null where it is left out.
  OrtStatus* read_columns(const OrtKernelInfo* info, size_t index, size_t num_inputs, const float*& found) const {
    Tensor tensor;
    RETURN_IF_ERROR(constant(info, index, num_inputs, tensor));
    found = static_cast<const float*>(tensor.data);
    return !found || tensor.count == columns_ ? nullptr : refuse(cell_, "a constant must have a number per column");
  }

  static OrtStatus* input(OrtKernelContext* context, size_t index, Tensor& tensor) {
    const OrtValue* value = nullptr;
    RETURN_IF_ERROR(api->KernelContext_GetInput(context, index, &value));
    return value ? read_tensor(value, tensor) : nullptr;
  }

  static OrtStatus* output(OrtKernelContext* context, size_t index, const int64_t* shape, Tensor& tensor) {
    OrtValue* value = nullptr;
    RETURN_IF_ERROR(api->KernelContext_GetOutput(context, index, shape, 2, &value));
    return api->GetTensorMutableData(value, &tensor.data);
  }

  OrtStatus* rows(int64_t batch, const Tensor& product, const Tensor& ids, const Tensor& before,
                  const Tensor& recurrent, const Tensor& quantized, const Tensor& after) const {
    Row row = row_;
    const int64_t hidden = static_cast<int64_t>(row_.hidden);
    for (int64_t number = 0; number < batch; number++) {
      const int64_t symbol = ids.data ? static_cast<const int64_t*>(ids.data)[number] : 0;
      if (symbol < 0 || symbol >= num_symbols_) return refuse(cell_, "an id has no row in the addend");
      row.gates.addend = row_.gates.addend + symbol * columns_;
      if (product.data) row.gates.product = static_cast<const int32_t*>(product.data) + number * columns_;
      if (recurrent.data) row.recurrent.product = static_cast<const int32_t*>(recurrent.data) + number * columns_;
      if (before.data) row.before = static_cast<const float*>(before.data) + number * hidden;
      if (after.data) row.after = static_cast<float*>(after.data) + number * hidden;
      row.quantized = static_cast<uint8_t*>(quantized.data) + number * hidden;
      function_(row);
    }
    return nullptr;
  }

  const Cell cell_;
  const RowFunction function_;
  Row row_{};
  int64_t columns_ = 0, num_symbols_ = 0;
};

const Cell& cell_of(const OrtCustomOp* op) { return reinterpret_cast<const Operator*>(op)->cell; }

// Returns the path that the environment names, for tests, or else the best.
const Path* chosen_path() {
  const char* name = std::getenv(kPathVariable);
  return name && *name ? find_path(name) : best_path();
}

OrtStatus* ORT_API_CALL create(const OrtCustomOp* op, const OrtApi*, const OrtKernelInfo* info, void** kernel) {
  const Path* path = chosen_path();
  if (!path) return refuse(cell_of(op), "this processor has neither AVX-512 nor AVX2 with FMA");
  auto* made = new (std::nothrow) Kernel(cell_of(op), *path);
  if (!made) return refuse(cell_of(op), "out of memory");
  if (OrtStatus* status = made->read(info)) {
    delete made;
    return status;
  }
  *kernel = made;
  return nullptr;
}

ONNXTensorElementDataType ORT_API_CALL input_type(const OrtCustomOp*, size_t index) {
  switch (index) {
    case kProduct:
    case kRecurrentProduct:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
    case kIds:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;
    case kStateZero:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8;
    default:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  }
}

OrtCustomOp make_interface() {
  OrtCustomOp op{};
  op.version = kApi;
  op.GetName = [](const OrtCustomOp* self) { return cell_of(self).name; };
  op.GetExecutionProviderType = [](const OrtCustomOp*) -> const char* { return nullptr; };
  op.GetInputTypeCount = [](const OrtCustomOp*) -> size_t { return kNumInputs; };
  op.GetInputType = input_type;
  op.GetInputCharacteristic = [](const OrtCustomOp*, size_t index) {
    const bool is_needed = index == kAddend || index == kStateScale || index == kStateZero;
    return is_needed ? INPUT_OUTPUT_REQUIRED : INPUT_OUTPUT_OPTIONAL;
  };
  op.GetInputMemoryType = [](const OrtCustomOp*, size_t) { return OrtMemTypeDefault; };
  op.GetOutputTypeCount = [](const OrtCustomOp* self) -> size_t { return cell_of(self).has_before ? 2 : 1; };
  op.GetOutputType = [](const OrtCustomOp*, size_t index) {
    return index == kQuantized ? ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8 : ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  };
  op.GetOutputCharacteristic = [](const OrtCustomOp*, size_t) { return INPUT_OUTPUT_REQUIRED; };
  op.GetStartVersion = [](const OrtCustomOp*) { return 1; };
  op.GetEndVersion = [](const OrtCustomOp*) { return 1; };
  op.CreateKernelV2 = create;
  op.KernelComputeV2 = [](void* kernel, OrtKernelContext* context) {
    return static_cast<const Kernel*>(kernel)->compute(context);
  };
  op.KernelDestroy = [](void* kernel) { delete static_cast<Kernel*>(kernel); };
  return op;
}

Operator operators[] = {
    {make_interface(), {"LstmCell", 4, true, false, &Path::lstm}},
    {make_interface(), {"CoupledLstmCell", 3, true, false, &Path::coupled_lstm}},
    {make_interface(), {"GruCell", 3, true, true, &Path::gru}},
    {make_interface(), {"TanhCell", 1, false, false, &Path::tanh_rnn}},
};

OrtStatus* make_domain(const OrtApiBase* base) {
  api = base->GetApi(kApi);
  if (!api) return base->GetApi(1)->CreateStatus(ORT_FAIL, "onnxruntime must be of version 1.21 or newer");
  RETURN_IF_ERROR(api->CreateCustomOpDomain("nextchar.kernels", &domain));
  for (Operator& op : operators) RETURN_IF_ERROR(api->CustomOpDomain_Add(domain, &op.interface));
  return nullptr;
}

}  // namespace
}  // namespace nextchar

// Returns the name of the path that graphs opened now use; null if this processor has none.
NEXTCHAR_PUBLIC const char* nextchar_kernels_path() {
  const nextchar::Path* path = nextchar::chosen_path();
  return path ? path->name : nullptr;
}

// Called by onnxruntime for every session that is opened with this library.
NEXTCHAR_PUBLIC OrtStatus* ORT_API_CALL RegisterCustomOps(OrtSessionOptions* options, const OrtApiBase* base) {
  using namespace nextchar;
  static const OrtStatus* const failed = make_domain(base);  // once, whichever threads open sessions
  if (!failed) return api->AddCustomOpDomain(options, domain);
  const OrtApi* oldest = base->GetApi(1);  // every onnxruntime has it
  return oldest->CreateStatus(ORT_FAIL, oldest->GetErrorMessage(failed));
}
