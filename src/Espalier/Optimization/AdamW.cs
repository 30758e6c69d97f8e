using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Optimization;

/// <summary>AdamW (Loshchilov and Hutter 2019) with clipping of the global gradient norm.</summary>
/// <param name="config">Its constants.</param>
public sealed class AdamW(OptimizerConfig config)
{
    // PyTorch's guard against division by a norm of zero.
    private const double NormEpsilon = 1e-6;

    /// <summary>The Euclidean norm of all gradients together; parameters without a gradient do not count.</summary>
    public static double GradientNorm(ParameterSet parameters)
    {
        using var scope = new TensorScope();
        return Optimizers.GlobalNorm([.. parameters.Select(parameter => parameter.Value.Grad).OfType<Tensor>()]);
    }

    /// <summary>Updates parameters and moments in place. Parameters without a gradient stay as they are.</summary>
    /// <param name="parameters">With their gradients.</param>
    /// <param name="state">Their moments; its step count rises by one.</param>
    /// <param name="gradientNorm">As <see cref="GradientNorm"/> gave it: gradients are scaled so as not to exceed the clip.</param>
    /// <param name="learningRate">Of this step.</param>
    public void Step(ParameterSet parameters, AdamWState state, double gradientNorm, double learningRate)
    {
        using var scope = new TensorScope();
        double scale = config.ClipNorm > 0 ? Math.Min(1, config.ClipNorm / (gradientNorm + NormEpsilon)) : 1;
        state.StepCount++;
        foreach (Parameter parameter in parameters)
        {
            if (parameter.Value.Grad is not Tensor gradient)
            {
                continue;
            }

            Moments moments = state.Moments[parameter.Name];
            Optimizers.AdamW(
                parameter.Value, gradient, moments.ExpAvg, moments.ExpAvgSq, scale, learningRate, config.Beta1,
                config.Beta2, config.Epsilon, parameter.Spec.Decays ? config.WeightDecay : 0, state.StepCount);
        }
    }
}
