// The layers of a transformer, as libtorch's own operations compose them.
#include "abi.h"

#include <cmath>

using namespace esp;

/// y = x W + b with the weight laid out [in, out], as GPT-2 stores it. x: (..., in).
ESP_EXPORT Handle esp_linear(Handle x, Handle weight_io, Handle bias) {
  return tensor_or_error([&] {
    auto shape = x->sizes().vec();
    TORCH_CHECK(!shape.empty() && weight_io->dim() == 2 && shape.back() == weight_io->size(0),
        "linear: an input of shape ", x->sizes(), " does not fit a weight of shape ", weight_io->sizes());
    shape.back() = weight_io->size(1);
    at::Tensor rows = x->reshape({-1, weight_io->size(0)});
    return (bias ? at::addmm(*bias, rows, *weight_io) : at::mm(rows, *weight_io)).view(shape);
  });
}

ESP_EXPORT Handle esp_layer_norm(Handle x, Handle weight, Handle bias, double epsilon) {
  return tensor_or_error([&] {
    return at::layer_norm(*x, {x->size(-1)}, or_nothing(weight), or_nothing(bias), epsilon);
  });
}

ESP_EXPORT Handle esp_gelu(Handle x, int tanh_approximation) {
  return tensor_or_error([&] { return at::gelu(*x, tanh_approximation ? "tanh" : "none"); });
}

/// Multi-head self-attention over packed queries, keys and values: (B, T, 3C) -> (B, T, C).
ESP_EXPORT Handle esp_self_attention(Handle qkv, int64_t heads, int causal, double dropout) {
  return tensor_or_error([&] {
    int64_t batch = qkv->size(0), time = qkv->size(1), width = qkv->size(2) / 3, head = width / heads;
    TORCH_CHECK(width * 3 == qkv->size(2) && head * heads == width,
        "attention: ", heads, " heads do not divide queries, keys and values of shape ", qkv->sizes());
    // (B, T, 3, H, D) -> (3, B, H, T, D)
    at::Tensor parts = qkv->view({batch, time, 3, heads, head}).permute({2, 0, 3, 1, 4});
    at::Tensor q = parts.select(0, 0), k = parts.select(0, 1), v = parts.select(0, 2);
    at::Tensor mixed;
#if ESP_TORCH_AT_LEAST(2, 1)
    mixed = at::scaled_dot_product_attention(q, k, v, {}, dropout, causal != 0);
#else
    at::Tensor scores = at::matmul(q, k.transpose(-2, -1)) * (1.0 / std::sqrt(static_cast<double>(head)));
    if (causal) {
      at::Tensor mask = at::full({time, time}, -std::numeric_limits<float>::infinity(), scores.options()).triu(1);
      scores = scores + mask;
    }
    at::Tensor weights = at::softmax(scores, -1);
    if (dropout > 0) {
      weights = at::dropout(weights, dropout, /*train=*/true);
    }
    mixed = at::matmul(weights, v);
#endif
    return mixed.transpose(1, 2).reshape({batch, time, width});
  });
}

/// The mean negative log likelihood of `targets` (N) under `logits` (N, V); targets of `ignored` do not count.
ESP_EXPORT Handle esp_cross_entropy(Handle logits, Handle targets, int64_t ignored) {
  return tensor_or_error([&] {
    at::Tensor scores = logits->scalar_type() == at::kDouble ? *logits : logits->to(at::kFloat);
    return at::cross_entropy_loss(scores, *targets, {}, at::Reduction::Mean, ignored);
  });
}

/// The same of the logits x W^T, x: (N, C), W: (V, C).
ESP_EXPORT Handle esp_linear_cross_entropy(Handle x, Handle weight, Handle targets, int64_t ignored) {
  return tensor_or_error([&] {
    at::Tensor logits = at::mm(*x, weight->t());
    at::Tensor scores = logits.scalar_type() == at::kDouble ? logits : logits.to(at::kFloat);
    return at::cross_entropy_loss(scores, *targets, {}, at::Reduction::Mean, ignored);
  });
}
