// Multi-head self-attention: queries (B, T, H D), keys and values (B, T, G D), or all three side by side in one tensor; what comes
// out is (B, T, H D). H / G query heads in a row share a head of keys and values: they are rows of one product with it, so that
// keys and values are never repeated. Heads may be turned by their positions (RoPE, arXiv 2104.09864) as they are split.
#include "kernels.h"

#include <array>

using namespace esp;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// Rows end at a multiple of this, so that their loops run in whole vectors.
constexpr int64_t kBlock = 32;

// A score that leaves no weight beside any real one, and is still a number.
constexpr float kUnseen = -1e30f;

ESP_INLINE int64_t whole_blocks(int64_t seen, int64_t keys) {
  return std::min(keys, (seen + kBlock - 1) / kBlock * kBlock);
}

/// How many scores of a row count: where causal, those of the `past` tokens and of its own up to itself; else those before the
/// padding.
struct Visible {
  int64_t time, past, keys, rows_a_sequence;
  bool causal;
  const int64_t* lengths;

  ESP_INLINE int64_t of(int64_t row) const {
    return causal ? past + row % time + 1 : lengths ? lengths[row / rows_a_sequence] : keys;
  }
};

/// Softmax of each row's visible scores, the rest 0; in place.
template <class T>
ESP_INLINE void softmax_body(T* scores, float* buffer, int64_t first, int64_t rows, Visible visible, float scale) {
  int64_t keys = visible.keys;
  for (int64_t row = 0; row < rows; row++, scores += keys) {
    int64_t seen = visible.of(first + row), end = whole_blocks(seen, keys);
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
    for (int64_t i = seen; i < keys; i++) {
      store(scores, i, 0);
    }
  }
}

/// The gradient of the scores from that of the weights, in place: scale * p * (g - sum(g * p)).
template <class T>
ESP_INLINE void softmax_backward_body(
    const T* weights, T* grad, int64_t first, int64_t rows, Visible visible, float scale) {
  int64_t keys = visible.keys;
  for (int64_t row = 0; row < rows; row++, weights += keys, grad += keys) {
    // Weights of what is not seen are 0.
    int64_t end = whole_blocks(visible.of(first + row), keys);
    float dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int64_t i = 0; i < end; i++) {
      dot += load(weights, i) * load(grad, i);
    }
#pragma omp simd
    for (int64_t i = 0; i < end; i++) {
      store(grad, i, scale * load(weights, i) * (load(grad, i) - dot));
    }
    for (int64_t i = end; i < keys; i++) {
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

/// What one query reads of all keys and values: softmax(scale * keys q) values, with a buffer for the weights and one for the sum.
template <class T>
ESP_INLINE void attend_body(
    const T* query, const T* keys, const T* values, float* weights, float* sums, T* mixed, int64_t seen, int64_t head,
    float scale) {
  float most = kUnseen, total = 0;
  for (int64_t key = 0; key < seen; key++) {
    float dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int64_t i = 0; i < head; i++) {
      dot += load(query, i) * load(keys + key * head, i);
    }
    weights[key] = dot;
    most = dot > most ? dot : most;
  }
#pragma omp simd reduction(+ : total)
  for (int64_t key = 0; key < seen; key++) {
    float weight = fast_exp((weights[key] - most) * scale);
    weights[key] = weight;
    total += weight;
  }
  std::memset(sums, 0, head * sizeof(float));
  for (int64_t key = 0; key < seen; key++) {
    float weight = weights[key];
#pragma omp simd
    for (int64_t i = 0; i < head; i++) {
      sums[i] += weight * load(values + key * head, i);
    }
  }
  float inverse = 1 / total;
#pragma omp simd
  for (int64_t i = 0; i < head; i++) {
    store(mixed, i, sums[i] * inverse);
  }
}

ESP_KERNEL void attend(
    const float* q, const float* k, const float* v, float* w, float* sums, float* m, int64_t seen, int64_t head, float scale) {
  attend_body(q, k, v, w, sums, m, seen, head, scale);
}
ESP_KERNEL void attend(
    const Bf16* q, const Bf16* k, const Bf16* v, float* w, float* sums, Bf16* m, int64_t seen, int64_t head, float scale) {
  attend_body(q, k, v, w, sums, m, seen, head, scale);
}

/// Turns the heads of one position: elements i and i + D/2 by angle i, forwards or, with direction -1, back.
template <class T>
ESP_INLINE void turn_body(
    const T* from, int64_t from_step, T* to, int64_t to_step, int64_t heads, const float* cos, const float* sin, int64_t half,
    float direction) {
  for (int64_t head = 0; head < heads; head++, from += from_step, to += to_step) {
#pragma omp simd
    for (int64_t i = 0; i < half; i++) {
      float first = load(from, i), second = load(from, i + half), s = direction * sin[i];
      store(to, i, first * cos[i] - second * s);
      store(to, i + half, second * cos[i] + first * s);
    }
  }
}

ESP_KERNEL void turn(
    const float* from, int64_t step, float* to, int64_t to_step, int64_t heads, const float* c, const float* s, int64_t half,
    float direction) {
  turn_body(from, step, to, to_step, heads, c, s, half, direction);
}
ESP_KERNEL void turn(
    const Bf16* from, int64_t step, Bf16* to, int64_t to_step, int64_t heads, const float* c, const float* s, int64_t half,
    float direction) {
  turn_body(from, step, to, to_step, heads, c, s, half, direction);
}

/// Cosines and sines by which heads are turned, (T, D/2), or (B T, D/2) where sequences differ; empty where they are not.
struct Turns {
  at::Tensor cos, sin;

  Turns(const at::Tensor& cos, const at::Tensor& sin) : cos(cos), sin(sin) {}

  Turns(const at::Tensor& frequencies, const at::Tensor& positions, int64_t past, int64_t time) {
    if (!frequencies.defined()) {
      cos = sin = at::empty({0});
      return;
    }
    at::Tensor at = positions.defined() ? positions.reshape({-1})
                                        : at::arange(past, past + time, frequencies.options().dtype(at::kLong));
    at::Tensor angles = at.to(at::kFloat).unsqueeze(1) * frequencies;
    cos = angles.cos();
    sin = angles.sin();
  }

  bool any() const { return cos.numel() > 0; }
};

/// The heads of queries, of keys or of values: `heads` times D elements of each row (B, T, width), from `offset` on.
struct Part {
  at::Tensor rows;
  int64_t heads, offset;

  /// Copies between the rows and heads (B heads, room, D), of which positions from `first` on; turns them on the way.
  template <bool to_heads>
  void copy(const at::Tensor& packed, const Turns* turns = nullptr, int64_t first = 0) const {
    int64_t batch = rows.size(0), time = rows.size(1), width = rows.size(2), room = packed.size(1), head = packed.size(2);
    int64_t from_step = to_heads ? head : room * head, to_step = to_heads ? room * head : head;
    bool turned = turns && turns->any();
    const float* cos = turned ? turns->cos.data_ptr<float>() : nullptr;
    const float* sin = turned ? turns->sin.data_ptr<float>() : nullptr;
    bool alike = turned && turns->cos.size(0) == time;
    with_type_of(rows, [&](auto type) {
      auto* row_data = data_of(rows, type);
      auto* head_data = data_of(packed, type);
      at::parallel_for(0, batch * time, 64, [&](int64_t begin, int64_t end) {
        for (int64_t position = begin; position < end; position++) {
          int64_t b = position / time, t = position % time, angle = (alike ? t : position) * (head / 2);
          auto* row = row_data + position * width + offset;
          auto* one = head_data + (b * heads * room + first + t) * head;
          auto* from = to_heads ? row : one;
          auto* to = to_heads ? one : row;
          if (turned) {
            turn(from, from_step, to, to_step, heads, cos + angle, sin + angle, head / 2, to_heads ? 1.f : -1.f);
            continue;
          }
          for (int64_t h = 0; h < heads; h++, from += from_step, to += to_step) {
            std::memcpy(to, from, head * sizeof type);
          }
        }
      });
    });
  }

  at::Tensor split(int64_t head, const Turns* turns = nullptr) const {
    at::Tensor packed = at::empty({rows.size(0) * heads, rows.size(1), head}, rows.options());
    copy<true>(packed, turns);
    return packed;
  }

  /// The same heads as libtorch cuts them out: (B, heads, T, D).
  at::Tensor view(int64_t head) const {
    return rows.narrow(2, offset, heads * head).reshape({rows.size(0), rows.size(1), heads, head}).transpose(1, 2);
  }
};

/// Queries, keys and values: three tensors, or one with all of them side by side.
std::array<Part, 3> parts_of(
    const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, int64_t heads, int64_t groups, int64_t head) {
  if (key.defined() && key.numel() > 0) {
    return {{{query, heads, 0}, {key, groups, 0}, {value, groups, 0}}};
  }
  return {{{query, heads, 0}, {query, groups, heads * head}, {query, groups, (heads + groups) * head}}};
}

/// Softmax of the scores (B G, H/G T, keys), in place.
void softmax_rows(const at::Tensor& scores, Visible visible, float scale) {
  with_type_of(scores, [&](auto type) {
    auto* data = data_of(scores, type);
    int64_t keys = visible.keys;
    at::parallel_for(0, scores.numel() / keys, std::max<int64_t>(1, 16384 / keys), [&](int64_t begin, int64_t end) {
      std::vector<float> buffer(keys);
      softmax(data + begin * keys, buffer.data(), begin, end - begin, visible, scale);
    });
  });
}

float scale_of(int64_t head) { return 1 / std::sqrt(static_cast<float>(head)); }

struct SelfAttention : torch::autograd::Function<SelfAttention> {
  static at::Tensor forward(
      AutogradContext* context, const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, int64_t heads,
      int64_t groups, int64_t head, bool causal, const at::Tensor& lengths, const at::Tensor& cos, const at::Tensor& sin) {
    at::ScalarType type = working_type(query);
    auto rows = [&](const at::Tensor& x) { return x.to(type).contiguous(); };
    auto [q_part, k_part, v_part] = parts_of(rows(query), rows(key), rows(value), heads, groups, head);
    int64_t batch = query.size(0), time = query.size(1), shared = heads / groups;
    Turns turns(cos, sin);
    at::Tensor q = q_part.split(head, &turns).view({batch * groups, shared * time, head});
    at::Tensor k = k_part.split(head, &turns), v = v_part.split(head);
    at::Tensor weights = at::bmm(q, k.transpose(1, 2));
    softmax_rows(weights, visible(time, heads, causal, lengths), scale_of(head));
    context->save_for_backward({q, k, v, weights, lengths, cos, sin});
    auto& saved = context->saved_data;
    saved["types"] = std::vector<int64_t>{
        static_cast<int64_t>(query.scalar_type()), static_cast<int64_t>(key.scalar_type()),
        static_cast<int64_t>(value.scalar_type())};
    saved["heads"] = heads;
    saved["groups"] = groups;
    saved["packed"] = key.numel() == 0;
    saved["causal"] = causal;
    at::Tensor mixed = at::empty({batch, time, heads * head}, q.options());
    Part{mixed, heads, 0}.copy<false>(at::bmm(weights, v).view({batch * heads, time, head}));
    return mixed;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    auto tensors = context->get_saved_variables();
    at::Tensor q = tensors[0], k = tensors[1], v = tensors[2], weights = tensors[3], lengths = tensors[4];
    Turns turns(tensors[5], tensors[6]);
    auto& saved = context->saved_data;
    int64_t heads = saved["heads"].toInt(), groups = saved["groups"].toInt();
    bool packed = saved["packed"].toBool(), causal = saved["causal"].toBool();
    int64_t time = k.size(1), head = k.size(2), batch = k.size(0) / groups;
    at::Tensor upstream = gradients[0].to(q.scalar_type()).contiguous();
    at::Tensor grad = Part{upstream, heads, 0}.split(head).view(q.sizes());
    at::Tensor scores = at::bmm(grad, v.transpose(1, 2));
    with_type_of(scores, [&](auto type) {
      auto* from = data_of(weights, type);
      auto* data = data_of(scores, type);
      Visible seen = visible(time, heads, causal, lengths);
      at::parallel_for(0, batch * heads * time, std::max<int64_t>(1, 16384 / time), [&](int64_t begin, int64_t end) {
        softmax_backward(from + begin * time, data + begin * time, begin, end - begin, seen, scale_of(head));
      });
    });
    auto rows = [&](int64_t count) { return at::empty({batch, time, count * head}, q.options()); };
    at::Tensor query = rows(packed ? heads + 2 * groups : heads);
    at::Tensor key = packed ? at::Tensor() : rows(groups), value = packed ? at::Tensor() : rows(groups);
    auto [q_part, k_part, v_part] = parts_of(query, key, value, heads, groups, head);
    q_part.copy<false>(at::bmm(scores, k).view({batch * heads, time, head}), &turns);
    k_part.copy<false>(at::bmm(scores.transpose(1, 2), q), &turns);
    v_part.copy<false>(at::bmm(weights.transpose(1, 2), grad));
    auto types = saved["types"].toIntVector();
    auto as_given = [&](const at::Tensor& x, int64_t type) { return x.defined() ? x.to(static_cast<at::ScalarType>(type)) : x; };
    at::Tensor none;
    return {as_given(query, types[0]), as_given(key, types[1]), as_given(value, types[2]), none, none, none, none, none, none, none};
  }

 private:
  static Visible visible(int64_t time, int64_t heads, bool causal, const at::Tensor& lengths) {
    return {time, 0, time, heads * time, causal, lengths.numel() ? lengths.data_ptr<int64_t>() : nullptr};
  }
};

/// Heads (B, n, T, D) turned by their positions, in single precision at least.
at::Tensor turned(const at::Tensor& x, const Turns& turns) {
  if (!turns.any()) {
    return x;
  }
  int64_t half = x.size(3) / 2;
  at::Tensor cos = turns.cos.view({-1, 1, x.size(2), half}), sin = turns.sin.view({-1, 1, x.size(2), half});
  at::Tensor wide = x.to(c10::promoteTypes(x.scalar_type(), at::kFloat));
  at::Tensor first = wide.narrow(3, 0, half), second = wide.narrow(3, half, half);
  return at::cat({first * cos - second * sin, second * cos + first * sin}, 3).to(x.scalar_type());
}

/// The same of libtorch's operations, which every device and type takes. q is (B, H, T, D), k and v (B, G, keys, D); rows follow
/// on `past` tokens where causal.
at::Tensor composed(
    const at::Tensor& q, at::Tensor k, at::Tensor v, bool causal, double dropout, const at::Tensor& lengths, int64_t past = 0) {
  int64_t batch = q.size(0), heads = q.size(1), time = q.size(2), head = q.size(3), groups = k.size(1), keys = k.size(2);
  if (groups < heads) {
    auto repeated = [&](const at::Tensor& x) {
      return x.unsqueeze(2).expand({-1, -1, heads / groups, -1, -1}).reshape({batch, heads, keys, head});
    };
    k = repeated(k);
    v = repeated(v);
  }
  at::Tensor visible;  // broadcast to (B, H, T, keys)
  if (causal && past > 0) {
    visible = at::ones({time, keys}, q.options().dtype(at::kBool)).tril(past).view({1, 1, time, keys});
  } else if (lengths.defined() && !causal) {
    visible = at::arange(keys, lengths.options()).view({1, 1, 1, keys}).lt(lengths.view({batch, 1, 1, 1}));
  }
  bool square = causal && past == 0;
#if ESP_TORCH_AT_LEAST(2, 1)
  at::Tensor mixed = visible.defined() ? at::scaled_dot_product_attention(q, k, v, visible, dropout, false)
                                       : at::scaled_dot_product_attention(q, k, v, {}, dropout, square);
#else
  at::Tensor scores = at::matmul(q, k.transpose(-2, -1)) * (1.0 / std::sqrt(static_cast<double>(head)));
  if (square) {
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
  return mixed.transpose(1, 2).reshape({batch, time, heads * head});
}

/// New tokens that see themselves and `past` others, whose keys and values are kept (B G, room, D); theirs are put beside them.
at::Tensor cached(
    const std::array<Part, 3>& parts, const Turns& turns, const at::Tensor& keys, const at::Tensor& values, int64_t past) {
  auto& [q_part, k_part, v_part] = parts;
  int64_t batch = q_part.rows.size(0), time = q_part.rows.size(1), heads = q_part.heads, groups = k_part.heads;
  int64_t head = keys.size(2), room = keys.size(1), seen = past + time, shared = heads / groups;
  k_part.copy<true>(keys, &turns, past);
  v_part.copy<true>(values, nullptr, past);
  at::Tensor q = q_part.split(head, &turns), mixed = at::empty({batch, time, heads * head}, q.options());
  if (time > 1) {
    at::Tensor weights = at::bmm(q.view({batch * groups, shared * time, head}), keys.narrow(1, 0, seen).transpose(1, 2));
    softmax_rows(weights, {time, past, seen, heads * time, true, nullptr}, scale_of(head));
    Part{mixed, heads, 0}.copy<false>(at::bmm(weights, values.narrow(1, 0, seen)).view({batch * heads, time, head}));
    return mixed;
  }
  // Of a single token the rows are the heads.
  with_type_of(q, [&](auto type) {
    auto *from = data_of(q, type), *key = data_of(keys, type), *value = data_of(values, type), *to = data_of(mixed, type);
    at::parallel_for(0, batch * heads, std::max<int64_t>(1, 65536 / (seen * head)), [&](int64_t begin, int64_t end) {
      std::vector<float> weights(seen), sums(head);
      for (int64_t h = begin; h < end; h++) {
        int64_t group = h / shared * room * head;
        attend(from + h * head, key + group, value + group, weights.data(), sums.data(), to + h * head, seen, head, scale_of(head));
      }
    });
  });
  return mixed;
}

/// Checks that sizes fit, and says how many elements a head has.
int64_t head_of(Handle query, Handle key, Handle value, Handle frequencies, int64_t heads, int64_t groups) {
  bool packed = !key;
  int64_t cut = packed ? heads + 2 * groups : heads;
  TORCH_CHECK(query->dim() == 3 && heads > 0 && groups > 0 && heads % groups == 0 && query->size(2) % cut == 0,
      "attention: ", heads, " heads, ", groups, " of keys and values, do not divide ", packed ? "queries, keys and values" : "queries",
      " of shape ", query->sizes());
  int64_t head = query->size(2) / cut;
  std::vector<int64_t> expected{query->size(0), query->size(1), groups * head};
  TORCH_CHECK(packed || (key->sizes() == expected && value->sizes() == expected), "attention: queries of shape ", query->sizes(),
      " ask for keys and values of shape ", at::IntArrayRef(expected));
  TORCH_CHECK(!frequencies || frequencies->numel() * 2 == head, "attention: heads of ", head, " elements cannot be turned by ",
      frequencies ? frequencies->numel() : 0, " frequencies");
  return head;
}

}  // namespace

/// key, value: none where the query holds all three side by side. lengths: (B), int64, or none: of each sequence, the positions
/// before its padding, at least 1. A causal row sees only what stands before it, which is never padding: there lengths change
/// nothing. frequencies: (D/2), or none: radians a position, which turn queries and keys; positions: (B, T), or none for 0 to T - 1.
ESP_EXPORT Handle esp_self_attention(
    Handle query, Handle key, Handle value, int64_t heads, int64_t groups, int causal, double dropout, Handle lengths,
    Handle frequencies, Handle positions) {
  return tensor_or_error([&] {
    int64_t head = head_of(query, key, value, frequencies, heads, groups), time = query->size(1);
    at::Tensor lengths_B = or_undefined(lengths), k = or_undefined(key), v = or_undefined(value);
    if (lengths_B.defined()) {
      TORCH_CHECK(lengths_B.dim() == 1 && lengths_B.size(0) == query->size(0) && lengths_B.scalar_type() == at::kLong,
          "attention: lengths of shape ", lengths_B.sizes(), " do not fit ", query->size(0), " sequences");
      lengths_B = lengths_B.clamp(1, time).contiguous();
    }
    Turns turns(or_undefined(frequencies), or_undefined(positions), 0, time);
    if (has_kernel(*query) && dropout == 0 && query->numel() > 0) {
      return SelfAttention::apply(
          *query, defined(k), defined(v), heads, groups, head, causal != 0, defined(lengths_B), turns.cos, turns.sin);
    }
    auto [q_part, k_part, v_part] = parts_of(*query, k, v, heads, groups, head);
    return composed(
        turned(q_part.view(head), turns), turned(k_part.view(head), turns), v_part.view(head), causal != 0, dropout, lengths_B);
  });
}

/// Causal attention of tokens that follow on `past` others; no gradient. keys, values: (B G, room, D), in which those of the past
/// lie, and those of the new tokens are written behind them.
ESP_EXPORT Handle esp_cached_attention(
    Handle query, Handle key, Handle value, int64_t heads, int64_t groups, Handle frequencies, Handle keys, Handle values,
    int64_t past) {
  return tensor_or_error([&] {
    int64_t head = head_of(query, key, value, frequencies, heads, groups), batch = query->size(0), time = query->size(1);
    TORCH_CHECK(past >= 0 && keys->size(0) == batch * groups && past + time <= keys->size(1) && keys->size(2) == head &&
            keys->sizes() == values->sizes() && keys->is_contiguous() && values->is_contiguous(),
        "attention: ", time, " tokens of ", batch, " sequences after ", past, " others do not fit into keys and values of shape ",
        keys->sizes());
    at::NoGradGuard no_grad;
    auto rows = [&](Handle x) { return x ? x->to(keys->scalar_type()).contiguous() : at::Tensor(); };
    auto parts = parts_of(rows(query), rows(key), rows(value), heads, groups, head);
    Turns turns(or_undefined(frequencies), at::Tensor(), past, time);
    if (has_kernel(*keys)) {
      return cached(parts, turns, *keys, *values, past);
    }
    auto kept = [&](const at::Tensor& all, const at::Tensor& added) {
      at::Tensor heads_BGND = all.view({batch, groups, all.size(1), head});
      heads_BGND.narrow(2, past, time).copy_(added);
      return heads_BGND.narrow(2, 0, past + time);
    };
    at::Tensor k = kept(*keys, turned(parts[1].view(head), turns)), v = kept(*values, parts[2].view(head));
    return composed(turned(parts[0].view(head), turns), k, v, /*causal=*/true, 0, at::Tensor(), past);
  });
}
