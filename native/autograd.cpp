// Gradients.
#include "abi.h"

#include <torch/csrc/autograd/autograd.h>

using namespace esp;

ESP_EXPORT int esp_set_requires_grad(Handle tensor, int value) {
  return status_of([&] { tensor->set_requires_grad(value != 0); });
}
ESP_EXPORT int esp_requires_grad(Handle tensor) { return tensor->requires_grad(); }

/// From a scalar, or from a tensor whose gradient is known.
ESP_EXPORT int esp_backward(Handle tensor, Handle gradient) {
  return status_of([&] { tensor->backward(or_undefined(gradient)); });
}

/// The accumulated gradient; an undefined tensor where there is none yet.
ESP_EXPORT Handle esp_grad(Handle tensor) {
  return tensor_or_error([&] { return tensor->grad(); });
}
ESP_EXPORT int esp_is_defined(Handle tensor) { return tensor->defined(); }

/// Gives a tensor a gradient of zeros, and returns it.
ESP_EXPORT Handle esp_begin_grad(Handle tensor) {
  return tensor_or_error([&] { return tensor->mutable_grad() = at::zeros_like(tensor->detach()); });
}

/// Adds the gradient, if there is one, to one that was set aside before; that is then the gradient again.
ESP_EXPORT int esp_add_to_earlier_grad(Handle tensor, Handle earlier) {
  return status_of([&] {
    at::NoGradGuard no_grad;
    if (tensor->grad().defined()) {
      earlier->add_(tensor->grad());
    }
    tensor->mutable_grad() = *earlier;
  });
}

/// Puts another gradient in the place of the accumulated one, or none.
ESP_EXPORT int esp_set_grad(Handle tensor, Handle gradient) {
  return status_of([&] { tensor->mutable_grad() = or_undefined(gradient); });
}

ESP_EXPORT Handle esp_detach(Handle tensor) {
  return tensor_or_error([&] { return tensor->detach(); });
}
