// Layer norm that writes the precision that the next matrix product reads.
#include "kernels.h"

using namespace esp;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

template <class In, class Out>
ESP_INLINE void forward_body(
    const In* x, const float* weight, const float* bias, Out* y, float* mean, float* rstd, int64_t rows, int64_t width,
    float epsilon) {
  for (int64_t row = 0; row < rows; row++, x += width, y += width) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < width; i++) {
      sum += load(x, i);
    }
    float center = sum / width, squares = 0;
#pragma omp simd reduction(+ : squares)
    for (int64_t i = 0; i < width; i++) {
      float deviation = load(x, i) - center;
      squares += deviation * deviation;
    }
    float scale = 1 / std::sqrt(squares / width + epsilon);
    mean[row] = center;
    rstd[row] = scale;
#pragma omp simd
    for (int64_t i = 0; i < width; i++) {
      store(y, i, (load(x, i) - center) * scale * weight[i] + bias[i]);
    }
  }
}

/// dx of each row; the rows' parts of dw and db are added to `weight_grad` and `bias_grad`, where weights train.
template <bool kTrains, class In, class Out>
ESP_INLINE void backward_body(
    const In* x, const Out* grad, const float* weight, const float* mean, const float* rstd, In* result,
    float* weight_grad, float* bias_grad, int64_t rows, int64_t width) {
  for (int64_t row = 0; row < rows; row++, x += width, grad += width, result += width) {
    float center = mean[row], scale = rstd[row], sum = 0, dot = 0;
#pragma omp simd reduction(+ : sum, dot)
    for (int64_t i = 0; i < width; i++) {
      float normal = (load(x, i) - center) * scale, g = load(grad, i), weighted = g * weight[i];
      if (kTrains) {
        weight_grad[i] += g * normal;
        bias_grad[i] += g;
      }
      sum += weighted;
      dot += weighted * normal;
    }
    sum /= width;
    dot /= width;
#pragma omp simd
    for (int64_t i = 0; i < width; i++) {
      float normal = (load(x, i) - center) * scale;
      store(result, i, scale * (load(grad, i) * weight[i] - sum - normal * dot));
    }
  }
}

#define ESP_LAYER_NORM(In, Out)                                                                                        \
  ESP_KERNEL void forward(                                                                                             \
      const In* x, const float* w, const float* b, Out* y, float* m, float* r, int64_t rows, int64_t width, float e) { \
    forward_body(x, w, b, y, m, r, rows, width, e);                                                                    \
  }                                                                                                                    \
  ESP_KERNEL void backward(                                                                                            \
      const In* x, const Out* g, const float* w, const float* m, const float* r, In* dx, float* dw, float* db,         \
      int64_t rows, int64_t width, bool trains) {                                                                      \
    trains ? backward_body<true>(x, g, w, m, r, dx, dw, db, rows, width)                                               \
           : backward_body<false>(x, g, w, m, r, dx, dw, db, rows, width);                                             \
  }
ESP_LAYER_NORM(float, float)
ESP_LAYER_NORM(float, Bf16)
ESP_LAYER_NORM(Bf16, Bf16)
ESP_LAYER_NORM(Bf16, float)
#undef ESP_LAYER_NORM

struct LayerNorm : torch::autograd::Function<LayerNorm> {
  static at::Tensor forward(
      AutogradContext* context, const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias,
      double epsilon, bool keep_type) {
    at::Tensor x = input.contiguous(), w = weight.contiguous(), b = bias.contiguous();
    int64_t width = x.size(-1), rows = x.numel() / width;
    at::Tensor y = at::empty(x.sizes(), x.options().dtype(keep_type ? x.scalar_type() : working_type(x)));
    at::Tensor mean = at::empty({rows}, w.options()), rstd = at::empty({rows}, w.options());
    with_type_of(x, [&](auto in) {
      with_type_of(y, [&](auto out) {
        auto* from = data_of(x, in);
        auto* to = data_of(y, out);
        RowChunks(rows).parallel([&](int64_t, int64_t begin, int64_t end) {
          ::forward(from + begin * width, w.data_ptr<float>(), b.data_ptr<float>(), to + begin * width,
              mean.data_ptr<float>() + begin, rstd.data_ptr<float>() + begin, end - begin, width,
              static_cast<float>(epsilon));
        });
      });
    });
    context->save_for_backward({x, w, mean, rstd});
    context->saved_data["output_type"] = static_cast<int64_t>(y.scalar_type());
    context->saved_data["trains"] = weight.requires_grad() || bias.requires_grad();
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    at::Tensor x = saved[0], w = saved[1], mean = saved[2], rstd = saved[3];
    auto type = static_cast<at::ScalarType>(context->saved_data["output_type"].toInt());
    bool trains = context->saved_data["trains"].toBool();
    at::Tensor grad = gradients[0].to(type).contiguous(), result = at::empty_like(x);
    int64_t width = x.size(-1), rows = x.numel() / width;
    RowChunks chunks(rows);
    at::Tensor partial = at::zeros({2, chunks.count, width}, w.options());
    float* weight_grad = partial.data_ptr<float>();
    float* bias_grad = weight_grad + chunks.count * width;
    with_type_of(x, [&](auto in) {
      with_type_of(grad, [&](auto out) {
        auto* from = data_of(x, in);
        auto* with = data_of(grad, out);
        auto* to = data_of(result, in);
        chunks.parallel([&](int64_t chunk, int64_t begin, int64_t end) {
          ::backward(from + begin * width, with + begin * width, w.data_ptr<float>(), mean.data_ptr<float>() + begin,
              rstd.data_ptr<float>() + begin, to + begin * width, weight_grad + chunk * width,
              bias_grad + chunk * width, end - begin, width, trains);
        });
      });
    });
    if (!trains) {
      return {result, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
    }
    at::Tensor sums = partial.sum(1);
    return {result, sums.select(0, 0), sums.select(0, 1), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

/// Under autocast the result comes in the lower precision, unless it keeps the input's type: as a residual stream does.
ESP_EXPORT Handle esp_layer_norm(Handle x, Handle weight, Handle bias, double epsilon, int keep_type) {
  return tensor_or_error([&] {
    TORCH_CHECK(x->dim() > 0 && weight->dim() == 1 && weight->sizes() == bias->sizes() && x->size(-1) == weight->size(0),
        "layer_norm: an input of shape ", x->sizes(), " does not fit a weight of shape ", weight->sizes(),
        " and a bias of shape ", bias->sizes());
    bool fast = has_kernel(*x) && weight->scalar_type() == at::kFloat && bias->scalar_type() == at::kFloat && x->numel() > 0;
    return fast ? LayerNorm::apply(*x, *weight, *bias, epsilon, keep_type != 0)
                : at::layer_norm(*x, {x->size(-1)}, *weight, *bias, epsilon);
  });
}

/// Over the open share of each unit: mean and variance are weighted by `mask`, (C), and what comes out is multiplied by it,
/// so that closed units are as if they were not there (MSG, arXiv 2305.02869).
ESP_EXPORT Handle esp_masked_layer_norm(Handle x, Handle weight, Handle bias, Handle mask, double epsilon) {
  return tensor_or_error([&] {
    at::Tensor wide = x->to(at::kFloat), count = mask->sum();
    at::Tensor mean = (wide * *mask).sum(-1, /*keepdim=*/true) / count;
    at::Tensor deviation = wide - mean;
    at::Tensor variance = (deviation.square() * *mask).sum(-1, /*keepdim=*/true) / count;
    return (deviation * (variance + epsilon).rsqrt() * *weight + *bias) * *mask;
  });
}
