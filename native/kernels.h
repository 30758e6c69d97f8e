// What the loop kernels are written with. A kernel is a plain function over a range, compiled for several instruction
// sets (ESP_KERNEL) from one always-inlined body for every element type. Sums run in single precision in a fixed order
// that does not depend on the number of threads.
#pragma once

#include "abi.h"

#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <cstring>

#define ESP_INLINE inline __attribute__((always_inline))

namespace esp {

// bfloat16 as its bits, so that conversions run in vectors.
struct Bf16 {
  uint16_t bits;
};

ESP_INLINE float load(const float* p, int64_t i) { return p[i]; }
ESP_INLINE float load(const Bf16* p, int64_t i) {
  uint32_t bits = static_cast<uint32_t>(p[i].bits) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
ESP_INLINE void store(float* p, int64_t i, float value) { p[i] = value; }
ESP_INLINE void store(Bf16* p, int64_t i, float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  p[i].bits = static_cast<uint16_t>(value == value ? rounded : 0x7FC0);
}

/// e^x within two units in the last place for |x| <= 80, beyond that as there; NaN of what is not finite. Free of
/// branches, so that it runs in vectors. The bound is kept in integers: of a comparison of floats, compilers make two
/// paths, and that of the bound then divides by its constant exponential, slowly, among subnormal numbers.
ESP_INLINE float fast_exp(float argument) {
  uint32_t sign_and_size, largest = 0x42A00000;  // 80
  std::memcpy(&sign_and_size, &argument, sizeof argument);
  uint32_t size = sign_and_size & 0x7FFFFFFF;
  size = (size < largest ? size : largest) | (sign_and_size & 0x80000000);
  float x;
  std::memcpy(&x, &size, sizeof x);
  // x = n ln 2 + r with |r| <= ln 2 / 2; n + 127 is positive, so that truncation rounds down.
  int32_t biased = static_cast<int32_t>(x * 1.44269504f + 127.5f);
  float n = static_cast<float>(biased - 127);
  float r = x - n * 0.693145751953125f - n * 1.42860682e-6f;
  float p = 1.f / 720;
  p = p * r + 1.f / 120;
  p = p * r + 1.f / 24;
  p = p * r + 1.f / 6;
  p = p * r + 0.5f;
  p = p * r + 1;
  p = p * r + 1;
  uint32_t bits = static_cast<uint32_t>(biased) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof power);
  return p * power + (argument - argument);
}

inline float* data_of(const at::Tensor& tensor, float) { return tensor.data_ptr<float>(); }
inline Bf16* data_of(const at::Tensor& tensor, Bf16) { return reinterpret_cast<Bf16*>(tensor.data_ptr<at::BFloat16>()); }

/// Whether a tensor can go through the kernels: on the processor, single precision or bfloat16.
inline bool has_kernel(const at::Tensor& tensor) {
  return tensor.is_cpu() && (tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16);
}

/// Calls `body` with a value of the element type of `tensor`: float or Bf16.
template <class Body>
void with_type_of(const at::Tensor& tensor, Body body) {
  if (tensor.scalar_type() == at::kFloat) {
    body(float());
  } else {
    body(Bf16());
  }
}

/// The precision that matrix products on the processor run in now: bfloat16 under autocast, or that of `tensor`.
inline at::ScalarType working_type(const at::Tensor& tensor) {
#if ESP_TORCH_AT_LEAST(2, 4)
  bool lowered = at::autocast::is_autocast_enabled(at::kCPU);
#else
  bool lowered = at::autocast::is_cpu_enabled();
#endif
  return lowered && tensor.scalar_type() == at::kFloat ? at::kBFloat16 : tensor.scalar_type();
}

/// A weight in the working precision; the lowered copy is made once while autocast lasts.
inline at::Tensor lowered_weight(const at::Tensor& weight, at::ScalarType type) {
  return weight.scalar_type() == type ? weight : at::autocast::cached_cast(type, weight, at::kCPU);
}

/// A fixed partition of rows: sums over its parts, added in order, come out alike on any number of threads.
struct RowChunks {
  static constexpr int64_t kMost = 16;
  int64_t rows, count;

  explicit RowChunks(int64_t rows) : rows(rows), count(std::max<int64_t>(1, std::min(kMost, rows / 16))) {}
  int64_t begin(int64_t chunk) const { return rows * chunk / count; }

  template <class Body>
  void parallel(Body body) const {
    at::parallel_for(0, count, 1, [&](int64_t first, int64_t last) {
      for (int64_t chunk = first; chunk < last; chunk++) {
        body(chunk, begin(chunk), begin(chunk + 1));
      }
    });
  }
};

/// A custom autograd function takes no undefined tensor: an empty one stands for "none" there.
inline at::Tensor defined(const at::Tensor& optional) { return optional.defined() ? optional : at::empty({0}); }

/// The sums of the columns of (rows, width), single precision.
at::Tensor column_sums(const at::Tensor& x);

}  // namespace esp
