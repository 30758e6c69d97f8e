// Root-mean-square norm that writes the precision that the next matrix product reads.
#include "kernels.h"

using namespace esp;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

template <class In, class Out>
ESP_INLINE void forward_body(
    const In* x, const float* weight, Out* y, float* rms, int64_t rows, int64_t width, float epsilon) {
  for (int64_t row = 0; row < rows; row++, x += width, y += width) {
    float squares = 0;
#pragma omp simd reduction(+ : squares)
    for (int64_t i = 0; i < width; i++) {
      squares += load(x, i) * load(x, i);
    }
    float scale = 1 / std::sqrt(squares / width + epsilon);
    rms[row] = scale;
#pragma omp simd
    for (int64_t i = 0; i < width; i++) {
      store(y, i, load(x, i) * scale * weight[i]);
    }
  }
}

/// dx of each row; the rows' parts of dw are added to `weight_grad`, where the weight trains.
template <bool kTrains, class In, class Out>
ESP_INLINE void backward_body(
    const In* x, const Out* grad, const float* weight, const float* rms, In* result, float* weight_grad, int64_t rows,
    int64_t width) {
  for (int64_t row = 0; row < rows; row++, x += width, grad += width, result += width) {
    float scale = rms[row], dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int64_t i = 0; i < width; i++) {
      float normal = load(x, i) * scale, g = load(grad, i);
      if (kTrains) {
        weight_grad[i] += g * normal;
      }
      dot += g * weight[i] * normal;
    }
    dot /= width;
#pragma omp simd
    for (int64_t i = 0; i < width; i++) {
      store(result, i, scale * (load(grad, i) * weight[i] - load(x, i) * scale * dot));
    }
  }
}

#define ESP_RMS_NORM(In, Out)                                                                                            \
  ESP_KERNEL void forward(const In* x, const float* w, Out* y, float* r, int64_t rows, int64_t width, float e) {         \
    forward_body(x, w, y, r, rows, width, e);                                                                            \
  }                                                                                                                      \
  ESP_KERNEL void backward(                                                                                              \
      const In* x, const Out* g, const float* w, const float* r, In* dx, float* dw, int64_t rows, int64_t width,         \
      bool trains) {                                                                                                     \
    trains ? backward_body<true>(x, g, w, r, dx, dw, rows, width) : backward_body<false>(x, g, w, r, dx, dw, rows, width); \
  }
ESP_RMS_NORM(float, float)
ESP_RMS_NORM(float, Bf16)
ESP_RMS_NORM(Bf16, Bf16)
ESP_RMS_NORM(Bf16, float)
#undef ESP_RMS_NORM

struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const at::Tensor& weight, double epsilon) {
    at::Tensor x = input.contiguous(), w = weight.contiguous();
    int64_t width = x.size(-1), rows = x.numel() / width;
    at::Tensor y = at::empty(x.sizes(), x.options().dtype(working_type(x))), rms = at::empty({rows}, w.options());
    with_type_of(x, [&](auto in) {
      with_type_of(y, [&](auto out) {
        auto* from = data_of(x, in);
        auto* to = data_of(y, out);
        RowChunks(rows).parallel([&](int64_t, int64_t begin, int64_t end) {
          ::forward(from + begin * width, w.data_ptr<float>(), to + begin * width, rms.data_ptr<float>() + begin, end - begin,
              width, static_cast<float>(epsilon));
        });
      });
    });
    context->save_for_backward({x, w, rms});
    context->saved_data["output_type"] = static_cast<int64_t>(y.scalar_type());
    context->saved_data["trains"] = weight.requires_grad();
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    at::Tensor x = saved[0], w = saved[1], rms = saved[2];
    auto type = static_cast<at::ScalarType>(context->saved_data["output_type"].toInt());
    bool trains = context->saved_data["trains"].toBool();
    at::Tensor grad = gradients[0].to(type).contiguous(), result = at::empty_like(x);
    int64_t width = x.size(-1), rows = x.numel() / width;
    RowChunks chunks(rows);
    at::Tensor partial = at::zeros({chunks.count, width}, w.options());
    with_type_of(x, [&](auto in) {
      with_type_of(grad, [&](auto out) {
        auto* from = data_of(x, in);
        auto* with = data_of(grad, out);
        auto* to = data_of(result, in);
        chunks.parallel([&](int64_t chunk, int64_t begin, int64_t end) {
          ::backward(from + begin * width, with + begin * width, w.data_ptr<float>(), rms.data_ptr<float>() + begin,
              to + begin * width, partial.data_ptr<float>() + chunk * width, end - begin, width, trains);
        });
      });
    });
    return {result, trains ? partial.sum(0) : at::Tensor(), at::Tensor()};
  }
};

}  // namespace

/// x / sqrt(mean(x^2) + epsilon) * weight over the last axis, in single precision at least; under autocast it comes in the lower
/// one. With a mask over the open units the mean is theirs, and what comes out is multiplied by it (MSG, arXiv 2305.02869).
ESP_EXPORT Handle esp_rms_norm(Handle x, Handle weight, Handle mask, double epsilon) {
  return tensor_or_error([&] {
    TORCH_CHECK(x->dim() > 0 && weight->dim() == 1 && x->size(-1) == weight->size(0), "rms_norm: an input of shape ", x->sizes(),
        " does not fit a weight of shape ", weight->sizes());
    at::Tensor open = or_undefined(mask);
    if (!open.defined() && has_kernel(*x) && weight->scalar_type() == at::kFloat && x->numel() > 0) {
      return RmsNorm::apply(*x, *weight, epsilon);
    }
    at::Tensor wide = x->to(c10::promoteTypes(x->scalar_type(), at::kFloat)), squares = wide.square();
    at::Tensor mean = open.defined() ? (squares * open).sum(-1, /*keepdim=*/true) / open.sum() : squares.mean(-1, /*keepdim=*/true);
    at::Tensor y = wide * (mean + epsilon).rsqrt() * *weight;
    return (open.defined() ? y * open : y).to(x->scalar_type());
  });
}
