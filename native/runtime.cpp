// The process-wide state of libtorch: threads, memory, devices, autocast, gradient mode, random seed.
#include "abi.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#endif
#include <dlfcn.h>
#include <malloc.h>
#include <torch/cuda.h>

using namespace esp;

/// Large tensors come from glibc's heap rather than from mmap, so that their pages are kept from step to step.
ESP_EXPORT void esp_keep_large_allocations() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 2000 * 1024 * 1024);
  mallopt(M_TOP_PAD, 64 * 1024 * 1024);
}

ESP_EXPORT int esp_set_threads(int threads) {
  return status_of([&] { at::set_num_threads(threads); });
}
ESP_EXPORT int esp_get_threads() { return at::get_num_threads(); }

ESP_EXPORT const char* esp_torch_version() { return TORCH_VERSION; }

/// Whether the oneDNN that libtorch multiplies by would do so in bfloat16 instructions here and now: 1 or 0; -1 where it is a part
/// of libtorch that cannot be asked.
ESP_EXPORT int esp_onednn_bfloat16() {
  using Instructions = int (*)();
  constexpr int bfloat16 = 0x80;  // of every dnnl_cpu_isa_t from avx512_core_bf16 on
  auto effective = reinterpret_cast<Instructions>(dlsym(RTLD_DEFAULT, "dnnl_get_effective_cpu_isa"));
  return effective ? (effective() & bfloat16) != 0 : -1;
}

/// Whether the processor says of itself that it multiplies bfloat16: an emulated one may differ from the one below it.
ESP_EXPORT int esp_cpu_bfloat16() {
#if defined(__x86_64__) && defined(__GNUC__)
  unsigned eax, ebx, ecx, edx;
  bool avx512 = __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax & (1u << 5));
  bool amx = __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (edx & (1u << 22));
  return avx512 || amx;
#else
  return 0;
#endif
}

ESP_EXPORT const char* esp_cpu_capability() {
  static std::string capability;
  std::string config = at::show_config();
  const std::string label = "CPU capability usage: ";
  size_t start = config.find(label);
  capability = start == std::string::npos
      ? ""
      : config.substr(start + label.size(), config.find('\n', start) - start - label.size());
  return capability.c_str();
}

/// The path of the library that holds a symbol as this process sees it, or "".
static std::string library_of(const char* symbol) {
  Dl_info info;
  void* address = dlsym(RTLD_DEFAULT, symbol);
  return address && dladdr(address, &info) && info.dli_fname ? info.dli_fname : "";
}

ESP_EXPORT const char* esp_libtorch_path() {
  static std::string path;
  Dl_info info;
  path = dladdr(reinterpret_cast<void*>(&at::get_num_threads), &info) && info.dli_fname ? info.dli_fname : "";
  return path.c_str();
}

ESP_EXPORT const char* esp_blas_path() {
  static std::string path;
  path = library_of("sgemm_");
  return path.c_str();
}

/// What OpenBLAS says of itself ("OpenBLAS 0.3.21 ... SkylakeX"), or "" with another BLAS.
ESP_EXPORT const char* esp_blas_config() {
  using Text = char* (*)();
  auto config = reinterpret_cast<Text>(dlsym(RTLD_DEFAULT, "openblas_get_config"));
  return config ? config() : "";
}

/// 0: no threads, 1: its own threads, 2: OpenMP; -1: another BLAS.
ESP_EXPORT int esp_blas_threading() {
  using Number = int (*)();
  auto parallel = reinterpret_cast<Number>(dlsym(RTLD_DEFAULT, "openblas_get_parallel"));
  return parallel ? parallel() : -1;
}

ESP_EXPORT int esp_cuda_device_count() {
  try {
    return static_cast<int>(torch::cuda::device_count());
  } catch (...) {
    return 0;
  }
}

/// Waits for all work on a CUDA device (CPU work is done when a call returns).
ESP_EXPORT int esp_synchronize(int device_type, int device_index) {
  return status_of([&] {
    if (static_cast<at::DeviceType>(device_type) == at::DeviceType::CUDA) {
      torch::cuda::synchronize(device_index);
    }
  });
}

ESP_EXPORT int esp_manual_seed(uint64_t seed) {
  return status_of([&] { at::manual_seed(seed); });
}

static at::Generator generator_of(int device_type, int device_index) {
  return at::globalContext().defaultGenerator(
      at::Device(static_cast<at::DeviceType>(device_type), static_cast<at::DeviceIndex>(device_index)));
}

/// Where a device's random numbers stand, as bytes in host memory.
ESP_EXPORT Handle esp_random_state(int device_type, int device_index) {
  return tensor_or_error([&] {
    at::Generator generator = generator_of(device_type, device_index);
    std::lock_guard<std::mutex> lock(generator.mutex());
    return generator.get_state();
  });
}
ESP_EXPORT int esp_set_random_state(Handle state, int device_type, int device_index) {
  return status_of([&] {
    at::Generator generator = generator_of(device_type, device_index);
    std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_state(*state);
  });
}

ESP_EXPORT int esp_set_grad_enabled(int enabled) {
  bool before = c10::GradMode::is_enabled();
  c10::GradMode::set_enabled(enabled != 0);
  return before;
}

/// Turns autocast on or off for a kind of device.
ESP_EXPORT int esp_set_autocast(int device_type, int enabled, int dtype) {
  return status_of([&] {
    auto type = static_cast<at::DeviceType>(device_type);
    auto lower = static_cast<at::ScalarType>(dtype);
#if ESP_TORCH_AT_LEAST(2, 4)
    at::autocast::set_autocast_dtype(type, lower);
    at::autocast::set_autocast_enabled(type, enabled != 0);
#else
    if (type == at::DeviceType::CPU) {
      at::autocast::set_autocast_cpu_dtype(lower);
      at::autocast::set_cpu_enabled(enabled != 0);
    } else {
      at::autocast::set_autocast_gpu_dtype(lower);
      at::autocast::set_enabled(enabled != 0);
    }
#endif
  });
}

/// Forgets the lower-precision copies of the weights; to be called when the weights have changed.
ESP_EXPORT int esp_clear_autocast_cache() {
  return status_of([] { at::autocast::clear_cache(); });
}
