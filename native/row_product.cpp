// One row times a matrix in bfloat16: what a generated token asks of every linear layer. libtorch's product takes 10 us to
// begin with, longer than such a product of a small layer.
#include "kernels.h"

using namespace esp;

namespace {

/// The columns from `begin` to `end` of x W, W lying (in, out).
ESP_INLINE void columns_body(
    const Bf16* x, const Bf16* weight, float* sums, Bf16* y, int64_t in, int64_t out, int64_t begin, int64_t end) {
  std::fill(sums + begin, sums + end, 0.f);
  for (int64_t i = 0; i < in; i++) {
    float factor = load(x, i);
    const Bf16* row = weight + i * out;
#pragma omp simd
    for (int64_t j = begin; j < end; j++) {
      sums[j] += factor * load(row, j);
    }
  }
#pragma omp simd
  for (int64_t j = begin; j < end; j++) {
    store(y, j, sums[j]);
  }
}

/// The elements from `begin` to `end` of x W^T, W lying (out, in).
ESP_INLINE void dots_body(const Bf16* x, const Bf16* weight, Bf16* y, int64_t in, int64_t begin, int64_t end) {
  for (int64_t j = begin; j < end; j++) {
    const Bf16* row = weight + j * in;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < in; i++) {
      sum += load(x, i) * load(row, i);
    }
    store(y, j, sum);
  }
}

ESP_KERNEL void columns(
    const Bf16* x, const Bf16* w, float* sums, Bf16* y, int64_t in, int64_t out, int64_t begin, int64_t end) {
  columns_body(x, w, sums, y, in, out, begin, end);
}
ESP_KERNEL void dots(const Bf16* x, const Bf16* w, Bf16* y, int64_t in, int64_t begin, int64_t end) {
  dots_body(x, w, y, in, begin, end);
}

}  // namespace

at::Tensor esp::row_product(const at::Tensor& x, const at::Tensor& weight, bool transposed) {
  int64_t in = x.size(1), out = weight.size(transposed ? 0 : 1);
  at::Tensor y = at::empty({1, out}, x.options());
  const Bf16 *row = data_of(x, Bf16()), *weights = data_of(weight, Bf16());
  Bf16* result = data_of(y, Bf16());
  std::vector<float> sums(transposed ? 0 : out);
  int64_t grain = std::max<int64_t>(64, (1 << 16) / in);
  at::parallel_for(0, out, grain, [&](int64_t begin, int64_t end) {
    transposed ? dots(row, weights, result, in, begin, end)
               : columns(row, weights, sums.data(), result, in, out, begin, end);
  });
  return y;
}
