// Tensors: making them, reading them, moving them.
#include "abi.h"

#include <atomic>
#include <cstring>

namespace esp {

thread_local std::string last_error;
static std::atomic<int64_t> live_handles{0};

void remember_error() noexcept {
  try {
    throw;
  } catch (const c10::Error& error) {
    last_error = error.what_without_backtrace();
  } catch (const std::exception& error) {
    last_error = error.what();
  } catch (...) {
    last_error = "an unknown native exception";
  }
}

Handle own(at::Tensor tensor) {
  live_handles.fetch_add(1, std::memory_order_relaxed);
  return new at::Tensor(std::move(tensor));
}

static at::Device device_of(int type, int index) {
  return at::Device(static_cast<at::DeviceType>(type), static_cast<at::DeviceIndex>(index));
}

static at::TensorOptions options_of(int dtype, int device_type, int device_index) {
  return at::TensorOptions().dtype(static_cast<at::ScalarType>(dtype)).device(device_of(device_type, device_index));
}

}  // namespace esp

using namespace esp;

ESP_EXPORT const char* esp_last_error() { return last_error.c_str(); }

ESP_EXPORT int64_t esp_live_tensors() { return live_handles.load(std::memory_order_relaxed); }

ESP_EXPORT void esp_free(Handle handle) {
  if (handle) {
    live_handles.fetch_sub(1, std::memory_order_relaxed);
    delete handle;
  }
}

ESP_EXPORT Handle esp_empty(const int64_t* shape, int rank, int dtype, int device_type, int device_index) {
  return tensor_or_error([&] {
    return at::empty(at::IntArrayRef(shape, rank), options_of(dtype, device_type, device_index));
  });
}

ESP_EXPORT Handle esp_full(
    const int64_t* shape, int rank, double value, int dtype, int device_type, int device_index) {
  return tensor_or_error([&] {
    return at::full(at::IntArrayRef(shape, rank), value, options_of(dtype, device_type, device_index));
  });
}

/// Copies `bytes` of host memory, laid out row by row, into a new tensor.
ESP_EXPORT Handle esp_from_host(
    const void* data, int64_t bytes, const int64_t* shape, int rank, int dtype, int device_type, int device_index) {
  return tensor_or_error([&] {
    at::Tensor host = at::empty(at::IntArrayRef(shape, rank), at::TensorOptions().dtype(static_cast<at::ScalarType>(dtype)));
    TORCH_CHECK(static_cast<int64_t>(host.nbytes()) == bytes, "the shape asks for ", host.nbytes(), " bytes, given are ", bytes);
    std::memcpy(host.data_ptr(), data, bytes);
    at::Device device = device_of(device_type, device_index);
    return device.is_cpu() ? host : host.to(device);
  });
}

/// Copies a tensor's elements, row by row, into host memory.
ESP_EXPORT int esp_to_host(Handle tensor, void* data, int64_t bytes) {
  return status_of([&] {
    at::Tensor host = tensor->detach().cpu().contiguous();
    TORCH_CHECK(static_cast<int64_t>(host.nbytes()) == bytes, "the tensor holds ", host.nbytes(), " bytes, asked are ", bytes);
    std::memcpy(data, host.data_ptr(), bytes);
  });
}

ESP_EXPORT int esp_rank(Handle tensor) { return static_cast<int>(tensor->dim()); }
ESP_EXPORT void esp_shape(Handle tensor, int64_t* shape) {
  std::copy(tensor->sizes().begin(), tensor->sizes().end(), shape);
}
ESP_EXPORT int esp_dtype(Handle tensor) { return static_cast<int>(tensor->scalar_type()); }
ESP_EXPORT void esp_device(Handle tensor, int* type, int* index) {
  *type = static_cast<int>(tensor->device().type());
  *index = tensor->device().has_index() ? tensor->device().index() : 0;
}

ESP_EXPORT int esp_item(Handle tensor, double* value) {
  return status_of([&] { *value = tensor->item().toDouble(); });
}

ESP_EXPORT Handle esp_to(Handle tensor, int dtype, int device_type, int device_index) {
  return tensor_or_error([&] { return tensor->to(options_of(dtype, device_type, device_index)); });
}

ESP_EXPORT Handle esp_clone(Handle tensor, int device_type, int device_index) {
  return tensor_or_error([&] {
    at::TensorOptions options = tensor->options().device(device_of(device_type, device_index));
    return tensor->detach().to(options, /*non_blocking=*/false, /*copy=*/true, at::MemoryFormat::Contiguous);
  });
}

ESP_EXPORT int esp_copy(Handle destination, Handle source) {
  return status_of([&] {
    TORCH_CHECK(destination->sizes() == source->sizes(), "cannot copy a tensor of shape ", source->sizes(),
        " into one of shape ", destination->sizes());
    at::NoGradGuard no_grad;
    destination->copy_(*source);
  });
}

ESP_EXPORT int esp_fill(Handle tensor, double value) {
  return status_of([&] {
    at::NoGradGuard no_grad;
    tensor->fill_(value);
  });
}
