// The negative log likelihood of targets, and the vocabulary head fused with it.
#include "kernels.h"

using namespace esp;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// The logits of at most this many bytes exist at a time.
constexpr int64_t kMostLogitBytes = 256 << 20;

/// Each row's loss; its logits become the gradient of loss + z log(sum of exp)^2: softmax (1 + 2 z log(sum of exp)) - target.
/// Ignored rows become 0.
template <class T>
ESP_INLINE void rows_body(
    T* logits, const int64_t* targets, double* losses, float* buffer, int64_t rows, int64_t classes, int64_t ignored,
    double z) {
  for (int64_t row = 0; row < rows; row++, logits += classes) {
    int64_t target = targets[row];
    if (target == ignored) {
      losses[row] = 0;
      std::memset(logits, 0, classes * sizeof(T));
      continue;
    }
    float most = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : most)
    for (int64_t i = 0; i < classes; i++) {
      float value = load(logits, i);
      most = value > most ? value : most;
    }
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < classes; i++) {
      float value = fast_exp(load(logits, i) - most);
      buffer[i] = value;
      sum += value;
    }
    double normalizer = static_cast<double>(most) + std::log(static_cast<double>(sum));
    losses[row] = normalizer - load(logits, target);
    float scale = static_cast<float>(1 + 2 * z * normalizer) / sum;
#pragma omp simd
    for (int64_t i = 0; i < classes; i++) {
      store(logits, i, buffer[i] * scale);
    }
    store(logits, target, buffer[target] * scale - 1);
  }
}
ESP_KERNEL void cross_entropy_rows(
    float* l, const int64_t* t, double* losses, float* b, int64_t rows, int64_t classes, int64_t ignored, double z) {
  rows_body(l, t, losses, b, rows, classes, ignored, z);
}
ESP_KERNEL void cross_entropy_rows(
    Bf16* l, const int64_t* t, double* losses, float* b, int64_t rows, int64_t classes, int64_t ignored, double z) {
  rows_body(l, t, losses, b, rows, classes, ignored, z);
}

/// The sum of the losses. The gradients are computed with it, while the logits are at hand: those that are needed.
struct LinearCrossEntropy : torch::autograd::Function<LinearCrossEntropy> {
  static at::Tensor forward(
      AutogradContext* context, const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias,
      const at::Tensor& targets, int64_t ignored, double z, bool with_gradients) {
    bool with_input = with_gradients && input.requires_grad(), with_weight = with_gradients && weight.requires_grad();
    bool with_bias = with_gradients && bias.requires_grad();
    at::ScalarType type = working_type(input);
    at::Tensor x = input.to(type).contiguous(), w = lowered_weight(weight, type), t = targets.contiguous();
    at::Tensor b = bias.numel() ? bias.to(type) : at::Tensor();
    int64_t rows = x.size(0), classes = w.size(0);
    const int64_t* target = t.data_ptr<int64_t>();
    for (int64_t row = 0; row < rows; row++) {
      TORCH_CHECK(target[row] == ignored || (target[row] >= 0 && target[row] < classes),
          "cross entropy: the target ", target[row], " is not one of ", classes, " classes");
    }

    at::Tensor input_grad = with_input ? at::empty_like(x) : at::Tensor(), weight_grad, bias_grad;
    std::vector<double> losses(rows);
    int64_t step = std::max<int64_t>(1, kMostLogitBytes / (classes * static_cast<int64_t>(x.element_size())));
    for (int64_t begin = 0; begin < rows; begin += step) {
      int64_t count = std::min(step, rows - begin);
      at::Tensor part = x.narrow(0, begin, count), logits = b.defined() ? at::addmm(b, part, w.t()) : at::mm(part, w.t());
      with_type_of(logits, [&](auto element) {
        auto* data = data_of(logits, element);
        at::parallel_for(0, count, std::max<int64_t>(1, 16384 / classes), [&](int64_t first, int64_t last) {
          std::vector<float> buffer(classes);
          cross_entropy_rows(data + first * classes, target + begin + first, losses.data() + begin + first,
              buffer.data(), last - first, classes, ignored, z);
        });
      });
      if (with_input) {
        at::Tensor rows_out = input_grad.narrow(0, begin, count);
        at::mm_out(rows_out, logits, w);
      }
      if (with_weight) {
        at::Tensor one = at::mm(logits.t(), part);
        weight_grad = weight_grad.defined() ? weight_grad.add_(one) : one.to(at::kFloat);
      }
      if (with_bias) {
        at::Tensor sums = column_sums(logits);
        bias_grad = bias_grad.defined() ? bias_grad.add_(sums) : sums;
      }
    }

    context->save_for_backward({input_grad, weight_grad, bias_grad});
    context->saved_data["input_type"] = static_cast<int64_t>(input.scalar_type());
    double sum = 0;
    for (double loss : losses) {
      sum += loss;
    }
    return at::full({}, sum, x.options().dtype(at::kFloat));
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    double scale = gradients[0].item<double>();
    for (at::Tensor& gradient : saved) {
      gradient = gradient.defined() && scale != 1 ? gradient * scale : gradient;
    }
    auto type = static_cast<at::ScalarType>(context->saved_data["input_type"].toInt());
    return {saved[0].defined() ? saved[0].to(type) : saved[0], saved[1], saved[2], at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

at::Tensor reference(const at::Tensor& logits, const at::Tensor& targets, int64_t ignored, at::Reduction::Reduction reduction) {
  at::Tensor scores = logits.scalar_type() == at::kDouble ? logits : logits.to(at::kFloat);
  return at::cross_entropy_loss(scores, targets, {}, reduction, ignored);
}

/// Zero, with the gradient of z log(sum of exp)^2 summed over the targets.
at::Tensor normalizer_gradient(const at::Tensor& logits, const at::Tensor& targets, int64_t ignored, double z) {
  at::Tensor scores = logits.scalar_type() == at::kDouble ? logits : logits.to(at::kFloat);
  at::Tensor normalizers = at::logsumexp(scores, 1).masked_fill(targets == ignored, 0);
  at::Tensor penalty = normalizers.square().sum() * z;
  return penalty - penalty.detach();
}

}  // namespace

/// The mean over the targets; logits: (N, V), targets: (N); targets of `ignored` do not count.
ESP_EXPORT Handle esp_cross_entropy(Handle logits, Handle targets, int64_t ignored) {
  return tensor_or_error([&] { return reference(*logits, *targets, ignored, at::Reduction::Mean); });
}

/// The sum over the targets, of the logits x W^T + b; x: (N, C), W: (V, C), b: (V) or none. The gradient is that of the sum
/// and of z log(sum of exp of the logits)^2 for each target; the value stays the cross entropy's own.
ESP_EXPORT Handle esp_linear_cross_entropy(
    Handle x, Handle weight, Handle bias, Handle targets, int64_t ignored, double z) {
  return tensor_or_error([&] {
    TORCH_CHECK(x->dim() == 2 && weight->dim() == 2 && x->size(1) == weight->size(1) && targets->dim() == 1 &&
            targets->size(0) == x->size(0),
        "cross entropy: an input of shape ", x->sizes(), ", a head of shape ", weight->sizes(), " and targets of shape ",
        targets->sizes(), " do not fit");
    bool with_gradients = at::GradMode::is_enabled() && (x->requires_grad() || weight->requires_grad() || (bias && bias->requires_grad()));
    at::Tensor b = or_undefined(bias);
    TORCH_CHECK(!b.defined() || (b.dim() == 1 && b.size(0) == weight->size(0)),
        "cross entropy: a bias of shape ", b.sizes(), " does not fit a head of shape ", weight->sizes());
    if (has_kernel(*x) && weight->scalar_type() == at::kFloat) {
      return LinearCrossEntropy::apply(*x, *weight, defined(b), *targets, ignored, z, with_gradients);
    }
    at::Tensor logits = b.defined() ? at::addmm(b, *x, weight->t()) : at::mm(*x, weight->t());
    at::Tensor sum = reference(logits, *targets, ignored, at::Reduction::Sum);
    return z == 0 || !with_gradients ? sum : sum + normalizer_gradient(logits, *targets, ignored, z);
  });
}
