// Multi-head self-attention over packed queries, keys and values: (B, T, 3C) -> (B, T, C).
#include "kernels.h"

using namespace esp;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// Rows end at a multiple of this, so that their loops run in whole vectors.
constexpr int64_t kBlock = 32;

// A score that leaves no weight beside any real one, and is still a number.
constexpr float kUnseen = -1e30f;

ESP_INLINE int64_t whole_blocks(int64_t seen, int64_t time) {
  return std::min(time, (seen + kBlock - 1) / kBlock * kBlock);
}

/// How many scores of a row count: those up to its own position where causal, else those before the padding.
struct Visible {
  int64_t time, rows_a_sequence;
  bool causal;
  const int64_t* lengths;

  ESP_INLINE int64_t of(int64_t row) const {
    return causal ? row % time + 1 : lengths ? lengths[row / rows_a_sequence] : time;
  }
};

/// Softmax of each row's visible scores, the rest 0; in place.
template <class T>
ESP_INLINE void softmax_body(T* scores, float* buffer, int64_t first, int64_t rows, Visible visible, float scale) {
  int64_t time = visible.time;
  for (int64_t row = 0; row < rows; row++, scores += time) {
    int64_t seen = visible.of(first + row), end = whole_blocks(seen, time);
    for (int64_t i = seen; i < end; i++) {
      store(scores, i, kUnseen);
    }
    float most = kUnseen;
#pragma omp simd reduction(max : most)
    for (int64_t i = 0; i < end; i++) {
      float value = load(scores, i);
      most = value > most ? value : most;
    }
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < end; i++) {
      float value = fast_exp((load(scores, i) - most) * scale);
      buffer[i] = value;
      sum += value;
    }
    float inverse = 1 / sum;
#pragma omp simd
    for (int64_t i = 0; i < end; i++) {
      store(scores, i, buffer[i] * inverse);
    }
    // Exactly nothing for what is not seen.
    for (int64_t i = seen; i < time; i++) {
      store(scores, i, 0);
    }
  }
}

/// The gradient of the scores from that of the weights, in place: scale * p * (g - sum(g * p)).
template <class T>
ESP_INLINE void softmax_backward_body(
    const T* weights, T* grad, int64_t first, int64_t rows, Visible visible, float scale) {
  int64_t time = visible.time;
  for (int64_t row = 0; row < rows; row++, weights += time, grad += time) {
    // Weights of what is not seen are 0.
    int64_t end = whole_blocks(visible.of(first + row), time);
    float dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int64_t i = 0; i < end; i++) {
      dot += load(weights, i) * load(grad, i);
    }
#pragma omp simd
    for (int64_t i = 0; i < end; i++) {
      store(grad, i, scale * load(weights, i) * (load(grad, i) - dot));
    }
    for (int64_t i = end; i < time; i++) {
      store(grad, i, 0);
    }
  }
}

ESP_KERNEL void softmax(float* s, float* b, int64_t first, int64_t rows, Visible v, float scale) {
  softmax_body(s, b, first, rows, v, scale);
}
ESP_KERNEL void softmax(Bf16* s, float* b, int64_t first, int64_t rows, Visible v, float scale) {
  softmax_body(s, b, first, rows, v, scale);
}
ESP_KERNEL void softmax_backward(const float* w, float* g, int64_t first, int64_t rows, Visible v, float scale) {
  softmax_backward_body(w, g, first, rows, v, scale);
}
ESP_KERNEL void softmax_backward(const Bf16* w, Bf16* g, int64_t first, int64_t rows, Visible v, float scale) {
  softmax_backward_body(w, g, first, rows, v, scale);
}

/// Where head h of position (b, t) lies in rows of `parts` times C elements, and in (parts, B, H, T, D).
struct Heads {
  int64_t batch, time, heads, head;

  /// Copies between rows (B, T, parts, H, D) and heads (parts, B, H, T, D).
  template <bool to_heads>
  void copy(const at::Tensor& rows, const at::Tensor& packed, int64_t parts) const {
    size_t bytes = head * rows.element_size();
    char* row_data = static_cast<char*>(rows.data_ptr());
    char* head_data = static_cast<char*>(packed.data_ptr());
    at::parallel_for(0, batch * time, 64, [&](int64_t begin, int64_t end) {
      for (int64_t position = begin; position < end; position++) {
        int64_t b = position / time, t = position % time;
        for (int64_t part = 0; part < parts; part++) {
          for (int64_t h = 0; h < heads; h++) {
            char* row = row_data + ((position * parts + part) * heads + h) * bytes;
            char* one = head_data + (((part * batch + b) * heads + h) * time + t) * bytes;
            std::memcpy(to_heads ? one : row, to_heads ? row : one, bytes);
          }
        }
      }
    });
  }

  at::Tensor split(const at::Tensor& rows, int64_t parts) const {
    at::Tensor packed = at::empty({parts, batch * heads, time, head}, rows.options());
    copy<true>(rows, packed, parts);
    return packed;
  }

  at::Tensor join(const at::Tensor& packed, int64_t parts) const {
    at::Tensor rows = at::empty({batch, time, parts * heads * head}, packed.options());
    copy<false>(rows, packed, parts);
    return rows;
  }
};

struct SelfAttention : torch::autograd::Function<SelfAttention> {
  static at::Tensor forward(
      AutogradContext* context, const at::Tensor& input, int64_t heads, bool causal, const at::Tensor& lengths) {
    at::Tensor qkv = input.to(working_type(input)).contiguous();
    Heads shape{qkv.size(0), qkv.size(1), heads, qkv.size(2) / 3 / heads};
    float scale = 1 / std::sqrt(static_cast<float>(shape.head));
    at::Tensor parts = shape.split(qkv, 3);
    at::Tensor weights = at::bmm(parts[0], parts[1].transpose(1, 2));
    with_type_of(weights, [&](auto type) {
      auto* data = data_of(weights, type);
      int64_t time = shape.time;
      at::parallel_for(0, weights.size(0) * time, std::max<int64_t>(1, 16384 / time), [&](int64_t begin, int64_t end) {
        std::vector<float> buffer(time);
        softmax(data + begin * time, buffer.data(), begin, end - begin, visible(shape, causal, lengths), scale);
      });
    });
    context->save_for_backward({parts, weights, lengths});
    context->saved_data["input_type"] = static_cast<int64_t>(input.scalar_type());
    context->saved_data["heads"] = heads;
    context->saved_data["batch"] = shape.batch;
    context->saved_data["causal"] = causal;
    return shape.join(at::bmm(weights, parts[2]), 1);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    at::Tensor parts = saved[0], weights = saved[1], lengths = saved[2];
    bool causal = context->saved_data["causal"].toBool();
    Heads shape{context->saved_data["batch"].toInt(), parts.size(2), context->saved_data["heads"].toInt(), parts.size(3)};
    float scale = 1 / std::sqrt(static_cast<float>(shape.head));
    at::Tensor grad = shape.split(gradients[0].to(parts.scalar_type()).contiguous(), 1)[0];
    at::Tensor scores = at::bmm(grad, parts[2].transpose(1, 2));
    with_type_of(scores, [&](auto type) {
      auto* from = data_of(weights, type);
      auto* data = data_of(scores, type);
      int64_t time = shape.time;
      at::parallel_for(0, scores.size(0) * time, std::max<int64_t>(1, 16384 / time), [&](int64_t begin, int64_t end) {
        softmax_backward(
            from + begin * time, data + begin * time, begin, end - begin, visible(shape, causal, lengths), scale);
      });
    });
    at::Tensor result = at::empty_like(parts);
    at::Tensor q = result[0], k = result[1], v = result[2];
    at::bmm_out(q, scores, parts[1]);
    at::bmm_out(k, scores.transpose(1, 2), parts[0]);
    at::bmm_out(v, weights.transpose(1, 2), grad);
    auto type = static_cast<at::ScalarType>(context->saved_data["input_type"].toInt());
    return {shape.join(result, 3).to(type), at::Tensor(), at::Tensor(), at::Tensor()};
  }

 private:
  static Visible visible(const Heads& shape, bool causal, const at::Tensor& lengths) {
    return {shape.time, shape.heads * shape.time, causal, lengths.numel() ? lengths.data_ptr<int64_t>() : nullptr};
  }
};

at::Tensor reference(const at::Tensor& qkv, int64_t heads, bool causal, double dropout, const at::Tensor& lengths) {
  int64_t batch = qkv.size(0), time = qkv.size(1), width = qkv.size(2) / 3, head = width / heads;
  // (B, T, 3, H, D) -> (3, B, H, T, D)
  at::Tensor parts = qkv.reshape({batch, time, 3, heads, head}).permute({2, 0, 3, 1, 4});
  at::Tensor q = parts.select(0, 0), k = parts.select(0, 1), v = parts.select(0, 2);
  at::Tensor visible;  // (B, 1, 1, T)
  if (lengths.defined() && !causal) {
    visible = at::arange(time, lengths.options()).view({1, 1, 1, time}).lt(lengths.view({batch, 1, 1, 1}));
  }
#if ESP_TORCH_AT_LEAST(2, 1)
  at::Tensor mixed = visible.defined() ? at::scaled_dot_product_attention(q, k, v, visible, dropout, causal)
                                       : at::scaled_dot_product_attention(q, k, v, {}, dropout, causal);
#else
  at::Tensor scores = at::matmul(q, k.transpose(-2, -1)) * (1.0 / std::sqrt(static_cast<double>(head)));
  if (causal) {
    scores = scores + at::full({time, time}, -std::numeric_limits<float>::infinity(), scores.options()).triu(1);
  }
  if (visible.defined()) {
    scores = scores.masked_fill(visible.logical_not(), -std::numeric_limits<float>::infinity());
  }
  at::Tensor weights = at::softmax(scores, -1);
  if (dropout > 0) {
    weights = at::dropout(weights, dropout, /*train=*/true);
  }
  at::Tensor mixed = at::matmul(weights, v);
#endif
  return mixed.transpose(1, 2).reshape({batch, time, width});
}

}  // namespace

/// lengths: (B), int64, or none: of each sequence, the positions before its padding, at least 1. A causal row sees only
/// what stands before it, which is never padding: there lengths change nothing.
ESP_EXPORT Handle esp_self_attention(Handle qkv, int64_t heads, int causal, double dropout, Handle lengths) {
  return tensor_or_error([&] {
    TORCH_CHECK(qkv->dim() == 3 && heads > 0 && qkv->size(2) % (3 * heads) == 0,
        "attention: ", heads, " heads do not divide queries, keys and values of shape ", qkv->sizes());
    at::Tensor lengths_B = or_undefined(lengths);
    if (lengths_B.defined()) {
      TORCH_CHECK(lengths_B.dim() == 1 && lengths_B.size(0) == qkv->size(0) && lengths_B.scalar_type() == at::kLong,
          "attention: lengths of shape ", lengths_B.sizes(), " do not fit ", qkv->size(0), " sequences");
      lengths_B = lengths_B.clamp(1, qkv->size(1)).contiguous();
    }
    return has_kernel(*qkv) && dropout == 0 && qkv->numel() > 0
        ? SelfAttention::apply(*qkv, heads, causal != 0, defined(lengths_B))
        : reference(*qkv, heads, causal != 0, dropout, lengths_B);
  });
}
