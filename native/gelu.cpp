// GELU by GPT-2's tanh approximation: x s(2u) with u = sqrt(2/pi) (x + 0.044715 x^3) and s the logistic function.
#include "kernels.h"

using namespace esp;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

constexpr float kScale = 1.5957691216057308f;  // 2 sqrt(2/pi)
constexpr float kCubic = 0.044715f;
constexpr int64_t kGrain = 1 << 14;

template <class T>
ESP_INLINE void forward_body(const T* x, T* y, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; i++) {
    float v = load(x, i);
    store(y, i, v / (1 + fast_exp(-kScale * (v + kCubic * v * v * v))));
  }
}

template <class T>
ESP_INLINE void backward_body(const T* x, const T* grad, T* result, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; i++) {
    float v = load(x, i);
    float s = 1 / (1 + fast_exp(-kScale * (v + kCubic * v * v * v)));
    float slope = s + v * s * (1 - s) * kScale * (1 + 3 * kCubic * v * v);
    store(result, i, load(grad, i) * slope);
  }
}

ESP_KERNEL void forward(const float* x, float* y, int64_t n) { forward_body(x, y, n); }
ESP_KERNEL void forward(const Bf16* x, Bf16* y, int64_t n) { forward_body(x, y, n); }
ESP_KERNEL void backward(const float* x, const float* g, float* r, int64_t n) { backward_body(x, g, r, n); }
ESP_KERNEL void backward(const Bf16* x, const Bf16* g, Bf16* r, int64_t n) { backward_body(x, g, r, n); }

struct TanhGelu : torch::autograd::Function<TanhGelu> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input) {
    at::Tensor x = input.contiguous(), y = at::empty_like(x);
    with_type_of(x, [&](auto type) {
      auto* from = data_of(x, type);
      auto* to = data_of(y, type);
      at::parallel_for(0, x.numel(), kGrain, [&](int64_t begin, int64_t end) {
        ::forward(from + begin, to + begin, end - begin);
      });
    });
    context->save_for_backward({x});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    at::Tensor x = context->get_saved_variables()[0];
    at::Tensor grad = gradients[0].contiguous(), result = at::empty_like(x);
    with_type_of(x, [&](auto type) {
      auto* from = data_of(x, type);
      auto* with = data_of(grad, type);
      auto* to = data_of(result, type);
      at::parallel_for(0, x.numel(), kGrain, [&](int64_t begin, int64_t end) {
        ::backward(from + begin, with + begin, to + begin, end - begin);
      });
    });
    return {result};
  }
};

}  // namespace

ESP_EXPORT Handle esp_gelu(Handle x, int tanh_approximation) {
  return tensor_or_error([&] {
    return tanh_approximation && has_kernel(*x) ? TanhGelu::apply(*x) : at::gelu(*x, tanh_approximation ? "tanh" : "none");
  });
}
