// A sublayer's output, in bfloat16 under autocast, added to the residual stream in single precision.
#include "kernels.h"

using namespace esp;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

constexpr int64_t kGrain = 1 << 15;

ESP_KERNEL void add_lower(const float* x, const Bf16* y, float* sum, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; i++) {
    sum[i] = x[i] + load(y, i);
  }
}

struct ResidualAdd : torch::autograd::Function<ResidualAdd> {
  static at::Tensor forward(AutogradContext*, const at::Tensor& x, const at::Tensor& y) {
    at::Tensor sum = at::empty_like(x);
    at::parallel_for(0, x.numel(), kGrain, [&](int64_t begin, int64_t end) {
      add_lower(x.data_ptr<float>() + begin, data_of(y, Bf16()) + begin, sum.data_ptr<float>() + begin, end - begin);
    });
    return sum;
  }

  static variable_list backward(AutogradContext*, variable_list gradients) {
    return {gradients[0], gradients[0].to(at::kBFloat16)};
  }
};

}  // namespace

ESP_EXPORT Handle esp_add(Handle a, Handle b) {
  return tensor_or_error([&] {
    bool residual = a->is_cpu() && a->scalar_type() == at::kFloat && b->scalar_type() == at::kBFloat16 &&
        a->sizes() == b->sizes() && a->is_contiguous() && b->is_contiguous();
    return residual ? ResidualAdd::apply(*a, *b) : at::add(*a, *b);
  });
}
