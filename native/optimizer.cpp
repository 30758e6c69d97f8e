// AdamW and the gradient norm over all parameters at once.
#include "abi.h"

#include <ATen/Parallel.h>

#include <cmath>

using namespace esp;

namespace {

constexpr int64_t kGrain = 1 << 15;

bool plain(const at::Tensor& tensor) {
  return tensor.is_cpu() && tensor.scalar_type() == at::kFloat && tensor.is_contiguous();
}

ESP_KERNEL double sum_of_squares(const float* x, int64_t count) {
  // Blocks keep single precision exact enough and let the loop run in vectors.
  double total = 0;
  for (int64_t start = 0; start < count; start += 4096) {
    int64_t end = std::min(start + 4096, count);
    float block = 0;
#pragma omp simd reduction(+ : block)
    for (int64_t i = start; i < end; i++) {
      block += x[i] * x[i];
    }
    total += block;
  }
  return total;
}

struct Rates {
  // rest1 and rest2 are 1 - beta1 and 1 - beta2, subtracted in double: 1 - 0.999f is 1.3e-5 too small.
  float decay, beta1, rest1, beta2, rest2, gradient_scale, step_size, root_correction, epsilon;
};

ESP_KERNEL void adamw_range(
    float* __restrict p, const float* __restrict g, float* __restrict m, float* __restrict v, int64_t count,
    Rates r) {
#pragma omp simd
  for (int64_t i = 0; i < count; i++) {
    float gradient = g[i] * r.gradient_scale;
    float first = r.beta1 * m[i] + r.rest1 * gradient;
    float second = r.beta2 * v[i] + r.rest2 * gradient * gradient;
    m[i] = first;
    v[i] = second;
    p[i] = p[i] * r.decay - r.step_size * first / (std::sqrt(second) * r.root_correction + r.epsilon);
  }
}

}  // namespace

/// The Euclidean norm of all gradients together.
ESP_EXPORT int esp_global_norm(const Handle* gradients, int64_t count, double* norm) {
  return status_of([&] {
    at::NoGradGuard no_grad;
    double total = 0;
    std::vector<at::Tensor> elsewhere;
    for (int64_t i = 0; i < count; i++) {
      const at::Tensor& gradient = *gradients[i];
      if (!plain(gradient)) {
        elsewhere.push_back(gradient.square().sum(at::kDouble));
        continue;
      }
      // A fixed partition, so that the sum does not depend on the number of threads.
      int64_t size = gradient.numel(), chunks = (size + kGrain - 1) / kGrain;
      const float* data = gradient.data_ptr<float>();
      std::vector<double> partial(chunks);
      at::parallel_for(0, chunks, 1, [&](int64_t begin, int64_t end) {
        for (int64_t chunk = begin; chunk < end; chunk++) {
          partial[chunk] = sum_of_squares(data + chunk * kGrain, std::min(kGrain, size - chunk * kGrain));
        }
      });
      for (double part : partial) {
        total += part;
      }
    }
    if (!elsewhere.empty()) {
      // One wait for the device, not one for each parameter.
      total += at::stack(elsewhere).sum().item<double>();
    }
    *norm = std::sqrt(total);
  });
}

/// One step of AdamW (Loshchilov and Hutter 2019) on one parameter, in place; the gradient is scaled on the way.
/// rate_factors, shaped like the parameter, or none: what the learning rate of each element is multiplied by.
ESP_EXPORT int esp_adamw(
    Handle parameter, Handle gradient, Handle exp_avg, Handle exp_avg_sq, double gradient_scale, double learning_rate,
    double beta1, double beta2, double epsilon, double weight_decay, int64_t step, Handle rate_factors) {
  return status_of([&] {
    at::NoGradGuard no_grad;
    double correction1 = 1 - std::pow(beta1, static_cast<double>(step));
    double correction2 = 1 - std::pow(beta2, static_cast<double>(step));
    double step_size = learning_rate / correction1, decay = 1 - learning_rate * weight_decay;
    if (!rate_factors && plain(*parameter) && plain(*gradient) && plain(*exp_avg) && plain(*exp_avg_sq)) {
      float* p = parameter->data_ptr<float>();
      const float* g = gradient->data_ptr<float>();
      float* m = exp_avg->data_ptr<float>();
      float* v = exp_avg_sq->data_ptr<float>();
      Rates rates{static_cast<float>(decay), static_cast<float>(beta1), static_cast<float>(1 - beta1),
          static_cast<float>(beta2), static_cast<float>(1 - beta2), static_cast<float>(gradient_scale),
          static_cast<float>(step_size), static_cast<float>(1 / std::sqrt(correction2)),
          static_cast<float>(epsilon)};
      at::parallel_for(0, parameter->numel(), kGrain, [&](int64_t begin, int64_t end) {
        adamw_range(p + begin, g + begin, m + begin, v + begin, end - begin, rates);
      });
      return;
    }
    at::Tensor scaled = gradient_scale == 1 ? *gradient : gradient->mul(gradient_scale);
    exp_avg->mul_(beta1).add_(scaled, 1 - beta1);
    exp_avg_sq->mul_(beta2).addcmul_(scaled, scaled, 1 - beta2);
    at::Tensor denominator = exp_avg_sq->sqrt().div_(std::sqrt(correction2)).add_(epsilon);
    if (rate_factors) {
      parameter->mul_(1 - *rate_factors * (learning_rate * weight_decay));
      parameter->addcdiv_(*exp_avg * *rate_factors, denominator, -step_size);
    } else {
      parameter->mul_(decay);
      parameter->addcdiv_(*exp_avg, denominator, -step_size);
    }
  });
}
