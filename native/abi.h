// The shape of the C ABI. A tensor crosses it as a pointer to a heap-allocated at::Tensor that the caller owns;
// a null pointer in an argument means "no tensor". A function returns its tensor or null, or a status (0 is success),
// and leaves the message of a failure for esp_last_error. No C++ exception ever crosses.
#pragma once

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/version.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#define ESP_TORCH_AT_LEAST(major, minor) \
  (TORCH_VERSION_MAJOR > (major) || (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))

#define ESP_EXPORT extern "C" __attribute__((visibility("default")))

// A loop kernel: compiled for the baseline, AVX2 and AVX-512; the loader picks what the processor has.
#if defined(__x86_64__) && defined(__linux__)
#define ESP_KERNEL __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define ESP_KERNEL
#endif

using Handle = at::Tensor*;

namespace esp {

extern thread_local std::string last_error;

/// Stores the message of the exception in flight.
void remember_error() noexcept;

/// Counts handles that the caller has not freed yet.
Handle own(at::Tensor tensor);

template <class Body>
Handle tensor_or_error(Body body) noexcept {
  try {
    return own(body());
  } catch (...) {
    remember_error();
    return nullptr;
  }
}

template <class Body>
int status_of(Body body) noexcept {
  try {
    body();
    return 0;
  } catch (...) {
    remember_error();
    return 1;
  }
}

inline at::Tensor or_undefined(Handle handle) { return handle ? *handle : at::Tensor(); }

#if ESP_TORCH_AT_LEAST(2, 4)
using OptionalTensor = std::optional<at::Tensor>;
#else
using OptionalTensor = c10::optional<at::Tensor>;
#endif

inline OptionalTensor or_nothing(Handle handle) { return handle ? OptionalTensor(*handle) : OptionalTensor(); }

inline std::vector<at::Tensor> list_of(const Handle* handles, int64_t count) {
  std::vector<at::Tensor> tensors;
  tensors.reserve(count);
  for (int64_t i = 0; i < count; i++) {
    tensors.push_back(*handles[i]);
  }
  return tensors;
}

}  // namespace esp
