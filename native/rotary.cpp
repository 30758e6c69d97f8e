// What Llama-like models have in place of GPT-2's norms, positions and feed-forward units.
#include "abi.h"

using namespace esp;

/// x / sqrt(mean(x^2) + epsilon) * weight over the last axis, in single precision. With a mask over the open units the mean is
/// theirs, and what comes out is multiplied by it (MSG, arXiv 2305.02869).
ESP_EXPORT Handle esp_rms_norm(Handle x, Handle weight, Handle mask, double epsilon) {
  return tensor_or_error([&] {
    TORCH_CHECK(x->dim() > 0 && weight->dim() == 1 && x->size(-1) == weight->size(0), "rms_norm: an input of shape ", x->sizes(),
        " does not fit a weight of shape ", weight->sizes());
    at::Tensor wide = x->to(at::kFloat), open = or_undefined(mask), squares = wide.square();
    at::Tensor mean = open.defined() ? (squares * open).sum(-1, /*keepdim=*/true) / open.sum() : squares.mean(-1, /*keepdim=*/true);
    at::Tensor y = wide * (mean + epsilon).rsqrt() * *weight;
    return open.defined() ? y * open : y;
  });
}

/// silu(gate) * x.
ESP_EXPORT Handle esp_silu_gate(Handle gate, Handle x) {
  return tensor_or_error([&] { return at::silu(*gate) * *x; });
}

/// Rotates each pair of elements i and i + d/2 of every head by position * frequency i (RoPE, arXiv 2104.09864). x is (B, T, H d),
/// frequencies (d/2), positions (B, T) or nothing for 0 to T - 1.
ESP_EXPORT Handle esp_rotate_heads(Handle x, Handle frequencies, Handle positions) {
  return tensor_or_error([&] {
    int64_t half = frequencies->size(0), sequences = x->size(0), length = x->size(1);
    TORCH_CHECK(x->dim() == 3 && x->size(2) % (2 * half) == 0, "rotate_heads: an input of shape ", x->sizes(),
        " has no heads of ", 2 * half, " elements");
    at::Tensor at = or_undefined(positions);
    at = (at.defined() ? at : at::arange(length, x->options().dtype(at::kLong)).unsqueeze(0)).to(at::kFloat);
    at::Tensor angles = (at.unsqueeze(-1) * *frequencies).unsqueeze(2), cos = angles.cos(), sin = angles.sin();
    at::Tensor heads = x->to(at::kFloat).reshape({sequences, length, -1, 2, half});
    at::Tensor first = heads.select(3, 0), second = heads.select(3, 1);
    at::Tensor turned = at::stack({first * cos - second * sin, second * cos + first * sin}, 3);
    return turned.reshape(x->sizes()).to(x->scalar_type());
  });
}

/// Each head of d elements in (B, T, G d) as often as said, one beside the other.
ESP_EXPORT Handle esp_repeat_heads(Handle x, int64_t heads, int64_t times) {
  return tensor_or_error([&] {
    int64_t sequences = x->size(0), length = x->size(1);
    return x->reshape({sequences, length, heads, 1, -1}).expand({-1, -1, -1, times, -1}).reshape({sequences, length, -1});
  });
}
