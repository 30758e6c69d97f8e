// silu(gate) * x (SwiGLU, arXiv 2002.05202), with silu(g) = g s(g) and s the logistic function.
#include "kernels.h"

using namespace esp;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

constexpr int64_t kGrain = 1 << 14;

template <class T>
ESP_INLINE void forward_body(const T* gate, const T* x, T* y, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; i++) {
    float g = load(gate, i);
    store(y, i, g / (1 + fast_exp(-g)) * load(x, i));
  }
}

template <class T>
ESP_INLINE void backward_body(const T* gate, const T* x, const T* grad, T* gate_grad, T* x_grad, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; i++) {
    float g = load(gate, i), up = load(grad, i), s = 1 / (1 + fast_exp(-g));
    store(gate_grad, i, up * load(x, i) * s * (1 + g * (1 - s)));
    store(x_grad, i, up * g * s);
  }
}

ESP_KERNEL void forward(const float* g, const float* x, float* y, int64_t n) { forward_body(g, x, y, n); }
ESP_KERNEL void forward(const Bf16* g, const Bf16* x, Bf16* y, int64_t n) { forward_body(g, x, y, n); }
ESP_KERNEL void backward(const float* g, const float* x, const float* up, float* dg, float* dx, int64_t n) {
  backward_body(g, x, up, dg, dx, n);
}
ESP_KERNEL void backward(const Bf16* g, const Bf16* x, const Bf16* up, Bf16* dg, Bf16* dx, int64_t n) {
  backward_body(g, x, up, dg, dx, n);
}

struct SiluGate : torch::autograd::Function<SiluGate> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& gate, const at::Tensor& input) {
    at::Tensor g = gate.contiguous(), x = input.contiguous(), y = at::empty_like(x);
    with_type_of(x, [&](auto type) {
      auto *gates = data_of(g, type), *from = data_of(x, type), *to = data_of(y, type);
      at::parallel_for(0, x.numel(), kGrain, [&](int64_t begin, int64_t end) {
        ::forward(gates + begin, from + begin, to + begin, end - begin);
      });
    });
    context->save_for_backward({g, x});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    at::Tensor g = saved[0], x = saved[1], grad = gradients[0].contiguous();
    at::Tensor gate_grad = at::empty_like(g), x_grad = at::empty_like(x);
    with_type_of(x, [&](auto type) {
      auto *gates = data_of(g, type), *from = data_of(x, type), *with = data_of(grad, type);
      auto *to_gate = data_of(gate_grad, type), *to_x = data_of(x_grad, type);
      at::parallel_for(0, x.numel(), kGrain, [&](int64_t begin, int64_t end) {
        ::backward(gates + begin, from + begin, with + begin, to_gate + begin, to_x + begin, end - begin);
      });
    });
    return {gate_grad, x_grad};
  }
};

}  // namespace

ESP_EXPORT Handle esp_silu_gate(Handle gate, Handle x) {
  return tensor_or_error([&] {
    bool fast = has_kernel(*gate) && x->is_cpu() && gate->scalar_type() == x->scalar_type() && gate->sizes() == x->sizes();
    return fast ? SiluGate::apply(*gate, *x) : at::silu(*gate) * *x;
  });
}
