using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Optimization;

/// <summary>The size of all gradients together, and how it is kept in bounds.</summary>
internal static class GradientNorm
{
    // PyTorch's guard against division by a norm of zero.
    private const double Epsilon = 1e-6;

    /// <summary>The Euclidean norm of all gradients together; parameters without a gradient do not count.</summary>
    public static double Of(ParameterSet parameters)
    {
        using var scope = new TensorScope();
        return Optimizers.GlobalNorm([.. parameters.Select(parameter => parameter.Value.Grad).OfType<Tensor>()]);
    }

    /// <summary>What gradients of a norm are multiplied by, so that it does not exceed a bound.</summary>
    /// <param name="norm">Their norm.</param>
    /// <param name="most">The bound; 0 for none.</param>
    public static double ClipFactor(double norm, double most) => most > 0 ? Math.Min(1, most / (norm + Epsilon)) : 1;
}
