// y = x W + b with the weight laid out (in, out), as GPT-2 stores it, or transposed (out, in), as most others do.
#include "kernels.h"

using namespace esp;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

template <class T>
ESP_INLINE void add_rows_body(const T* x, float* sums, int64_t rows, int64_t width) {
  for (int64_t row = 0; row < rows; row++, x += width) {
#pragma omp simd
    for (int64_t i = 0; i < width; i++) {
      sums[i] += load(x, i);
    }
  }
}
ESP_KERNEL void add_rows(const float* x, float* s, int64_t rows, int64_t width) { add_rows_body(x, s, rows, width); }
ESP_KERNEL void add_rows(const Bf16* x, float* s, int64_t rows, int64_t width) { add_rows_body(x, s, rows, width); }

template <class T>
ESP_INLINE void add_bias_body(T* x, const float* bias, int64_t rows, int64_t width) {
  for (int64_t row = 0; row < rows; row++, x += width) {
#pragma omp simd
    for (int64_t i = 0; i < width; i++) {
      store(x, i, load(x, i) + bias[i]);
    }
  }
}
ESP_KERNEL void add_bias(float* x, const float* b, int64_t rows, int64_t width) { add_bias_body(x, b, rows, width); }
ESP_KERNEL void add_bias(Bf16* x, const float* b, int64_t rows, int64_t width) { add_bias_body(x, b, rows, width); }

/// y[begin, end) of x W for a single row x, W laid out (in, out); sums in single precision.
template <class T>
ESP_INLINE void row_times_body(const T* x, const T* w, T* y, int64_t in, int64_t out, int64_t begin, int64_t end) {
  constexpr int64_t kColumns = 256;
  float sums[kColumns];
  for (int64_t first = begin; first < end; first += kColumns) {
    int64_t columns = std::min(kColumns, end - first);
    std::memset(sums, 0, columns * sizeof(float));
    for (int64_t i = 0; i < in; i++) {
      float value = load(x, i);
      const T* row = w + i * out + first;
#pragma omp simd
      for (int64_t j = 0; j < columns; j++) {
        sums[j] += value * load(row, j);
      }
    }
#pragma omp simd
    for (int64_t j = 0; j < columns; j++) {
      store(y, first + j, sums[j]);
    }
  }
}

/// The same of a weight laid out (out, in).
template <class T>
ESP_INLINE void row_times_transposed_body(const T* x, const T* w, T* y, int64_t in, int64_t begin, int64_t end) {
  for (int64_t j = begin; j < end; j++) {
    const T* row = w + j * in;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < in; i++) {
      sum += load(x, i) * load(row, i);
    }
    store(y, j, sum);
  }
}
ESP_KERNEL void row_times(const Bf16* x, const Bf16* w, Bf16* y, int64_t in, int64_t out, int64_t begin, int64_t end) {
  row_times_body(x, w, y, in, out, begin, end);
}
ESP_KERNEL void row_times_transposed(const Bf16* x, const Bf16* w, Bf16* y, int64_t in, int64_t begin, int64_t end) {
  row_times_transposed_body(x, w, y, in, begin, end);
}

/// x W of a single row in bfloat16, (1, in).
at::Tensor row_product(const at::Tensor& x, const at::Tensor& w, bool transposed) {
  int64_t in = x.size(1), out = w.size(transposed ? 0 : 1);
  at::Tensor y = at::empty({1, out}, x.options());
  const Bf16 *from = data_of(x, Bf16()), *weight = data_of(w, Bf16());
  Bf16* to = data_of(y, Bf16());
  at::parallel_for(0, out, std::max<int64_t>(1, 262144 / in), [&](int64_t begin, int64_t end) {
    transposed ? row_times_transposed(from, weight, to, in, begin, end) : row_times(from, weight, to, in, out, begin, end);
  });
  return y;
}

/// x W, or x W^T. A single row in bfloat16 costs libtorch more time to set out than to compute, and some versions sum it up in
/// bfloat16.
at::Tensor product(const at::Tensor& x, const at::Tensor& w, bool transposed) {
  bool single = x.size(0) == 1 && x.scalar_type() == at::kBFloat16 && x.is_contiguous() && w.is_contiguous();
  return single ? row_product(x, w, transposed) : at::mm(x, transposed ? w.t() : w);
}

/// Products in the working precision, gradients of weights in single precision, so that the gradients of a layer that
/// runs several times add up in single precision. What needs no gradient costs no product, and keeps nothing in memory.
struct Linear : torch::autograd::Function<Linear> {
  static at::Tensor forward(
      AutogradContext* context, const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias,
      bool transposed) {
    at::ScalarType type = working_type(input);
    at::Tensor x = input.to(type), w = lowered_weight(weight, type);
    at::Tensor y = product(x, w, transposed);
    if (bias.numel() > 0) {
      with_type_of(y, [&](auto element) {
        auto* data = data_of(y, element);
        int64_t width = y.size(1);
        RowChunks(y.size(0)).parallel([&](int64_t, int64_t begin, int64_t end) {
          add_bias(data + begin * width, bias.data_ptr<float>(), end - begin, width);
        });
      });
    }
    bool needs_input_grad = input.requires_grad(), needs_weight_grad = weight.requires_grad();
    context->save_for_backward({needs_weight_grad ? x : at::Tensor(), needs_input_grad ? w : at::Tensor()});
    context->saved_data["input_type"] = static_cast<int64_t>(input.scalar_type());
    context->saved_data["working_type"] = static_cast<int64_t>(type);
    context->saved_data["needs_input_grad"] = needs_input_grad;
    context->saved_data["needs_weight_grad"] = needs_weight_grad;
    context->saved_data["needs_bias_grad"] = bias.requires_grad();
    context->saved_data["transposed"] = transposed;
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    auto type = [&](const char* name) { return static_cast<at::ScalarType>(context->saved_data[name].toInt()); };
    at::Tensor x = saved[0], w = saved[1], grad = gradients[0].to(type("working_type")).contiguous();
    bool transposed = context->saved_data["transposed"].toBool();
    at::Tensor input_grad, weight_grad, bias_grad;
    if (context->saved_data["needs_input_grad"].toBool()) {
      input_grad = product(grad, w, !transposed).to(type("input_type"));
    }
    if (context->saved_data["needs_weight_grad"].toBool()) {
      weight_grad = (transposed ? at::mm(grad.t(), x) : at::mm(x.t(), grad)).to(at::kFloat);
    }
    if (context->saved_data["needs_bias_grad"].toBool()) {
      bias_grad = column_sums(grad);
    }
    return {input_grad, weight_grad, bias_grad, at::Tensor()};
  }
};

}  // namespace

at::Tensor esp::column_sums(const at::Tensor& x) {
  int64_t width = x.size(1);
  RowChunks chunks(x.size(0));
  at::Tensor partial = at::zeros({chunks.count, width}, x.options().dtype(at::kFloat));
  with_type_of(x, [&](auto type) {
    auto* data = data_of(x, type);
    chunks.parallel([&](int64_t chunk, int64_t begin, int64_t end) {
      add_rows(data + begin * width, partial.data_ptr<float>() + chunk * width, end - begin, width);
    });
  });
  return partial.sum(0);
}

ESP_EXPORT Handle esp_linear(Handle x, Handle weight, Handle bias, int transposed) {
  return tensor_or_error([&] {
    auto shape = x->sizes().vec();
    at::Tensor weight_io = transposed ? weight->t() : *weight;
    TORCH_CHECK(!shape.empty() && weight_io.dim() == 2 && shape.back() == weight_io.size(0),
        "linear: an input of shape ", x->sizes(), " does not fit a weight of shape ", weight->sizes());
    shape.back() = weight_io.size(1);
    at::Tensor rows = x->reshape({-1, weight_io.size(0)});
    bool plain_bias = !bias ||
        (bias->scalar_type() == at::kFloat && bias->is_contiguous() && bias->numel() == weight_io.size(1));
    bool fast = plain_bias && has_kernel(*x) && rows.numel() > 0 &&
        (weight->scalar_type() == at::kFloat || weight->scalar_type() == working_type(*x));
    at::Tensor y = fast ? Linear::apply(rows, *weight, defined(or_undefined(bias)), transposed != 0)
        : bias          ? at::addmm(*bias, rows, weight_io)
                        : at::mm(rows, weight_io);
    return y.view(shape);
  });
}
