// The operations that models are built from, as libtorch has them. To add one: a function here, a declaration in
// Native.cs, a method on Tensor or Functional.
#include "abi.h"

using namespace esp;

// Shapes

ESP_EXPORT Handle esp_reshape(Handle x, const int64_t* shape, int rank) {
  return tensor_or_error([&] { return x->reshape(at::IntArrayRef(shape, rank)); });
}
ESP_EXPORT Handle esp_view(Handle x, const int64_t* shape, int rank) {
  return tensor_or_error([&] { return x->view(at::IntArrayRef(shape, rank)); });
}
ESP_EXPORT Handle esp_transpose(Handle x, int64_t a, int64_t b) {
  return tensor_or_error([&] { return x->transpose(a, b); });
}
ESP_EXPORT Handle esp_narrow(Handle x, int64_t axis, int64_t start, int64_t length) {
  return tensor_or_error([&] { return x->narrow(axis, start, length); });
}
ESP_EXPORT Handle esp_cat(const Handle* tensors, int64_t count, int64_t axis) {
  return tensor_or_error([&] { return at::cat(list_of(tensors, count), axis); });
}
ESP_EXPORT Handle esp_index_select(Handle x, int64_t axis, Handle index) {
  return tensor_or_error([&] { return x->index_select(axis, *index); });
}
/// x with the rows that `index` names along an axis replaced by those of `source`.
ESP_EXPORT Handle esp_index_copy(Handle x, int64_t axis, Handle index, Handle source) {
  return tensor_or_error([&] { return x->index_copy(axis, *index, *source); });
}

// Arithmetic

ESP_EXPORT Handle esp_sub(Handle a, Handle b) { return tensor_or_error([&] { return at::sub(*a, *b); }); }
ESP_EXPORT Handle esp_mul(Handle a, Handle b) { return tensor_or_error([&] { return at::mul(*a, *b); }); }
ESP_EXPORT Handle esp_mul_scalar(Handle a, double b) { return tensor_or_error([&] { return at::mul(*a, b); }); }
ESP_EXPORT Handle esp_matmul(Handle a, Handle b) { return tensor_or_error([&] { return at::matmul(*a, *b); }); }
ESP_EXPORT Handle esp_tanh(Handle x) { return tensor_or_error([&] { return at::tanh(*x); }); }
ESP_EXPORT Handle esp_sum(Handle x) { return tensor_or_error([&] { return at::sum(*x); }); }
ESP_EXPORT Handle esp_mean(Handle x) { return tensor_or_error([&] { return at::mean(*x); }); }
ESP_EXPORT Handle esp_softmax(Handle x, int64_t axis) {
  return tensor_or_error([&] { return at::softmax(*x, axis); });
}
ESP_EXPORT Handle esp_log_softmax(Handle x, int64_t axis) {
  return tensor_or_error([&] { return at::log_softmax(*x, axis); });
}
ESP_EXPORT Handle esp_argmax(Handle x, int64_t axis) {
  return tensor_or_error([&] { return at::argmax(*x, axis); });
}

// Neural networks

ESP_EXPORT Handle esp_embedding(Handle weight, Handle indices) {
  return tensor_or_error([&] { return at::embedding(*weight, *indices); });
}
ESP_EXPORT Handle esp_dropout(Handle x, double probability) {
  return tensor_or_error([&] { return at::dropout(*x, probability, /*train=*/true); });
}
